"""Erase a subscriber, except the id, the suppression, and the times and sources of changes.

GDPR art. 17, with 17(3)(b): the suppression stays, so that a later import does not email a person
who asked to be forgotten.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import consent, unacknowledged
from preference_center.core.apply import apply
from preference_center.core.change import ALL, ChangeContext
from preference_center.core.draft import Change, Draft
from preference_center.core.state import Subscriber
from preference_center.core.vocab import Event, Source


@dataclass(frozen=True)
class Erase(Change[bool]):
    """The erasure of a subscriber, for `apply`; the result is False if it was erased before."""

    context: ChangeContext

    def first_row(self, subscriber: Subscriber) -> int | None:
        return consent.first_row_to_end(subscriber, [ALL], self.context)

    def make(self, draft: Draft) -> bool:
        if draft.subscriber.erased_at is not None:
            return False
        consent.end_consent(draft, ALL, self.context)
        forget(draft, self.context)
        draft.announced_erasure = draft.subscriber.seq
        return True

    @classmethod
    def store(cls, session: Session, made: Sequence[tuple[Self, Draft]], now: datetime) -> None:
        unacknowledged.add(session, [draft for _, draft in made], now)


def erase(session: Session, subscriber_ids: Iterable[UUID], source: Source, now: datetime) -> int:
    """End all consent, then erase the subscribers; return how many were not erased before.

    The addresses are held for those who read the feed or have webhooks (`unacknowledged`).
    """
    context = ChangeContext(source, now, now)
    ids = dict.fromkeys(subscriber_ids)
    return sum(apply(session, [Erase(each, context) for each in ids], now))


def forget(draft: Draft, context: ChangeContext) -> None:
    """Forget everything about a subscriber but the id, the suppressions and the ledger's times."""
    subscriber, at = draft.subscriber, context.occurred_at
    erased = ChangeContext(context.source, at, context.recorded_at)
    draft.erased_email = subscriber.email or ""
    draft.erased_seq = draft.append(Event.ERASED, ALL, erased, {}, {})
    nothing: Any = dict.fromkeys(("topic", "campaign", "before", "after"))
    draft.entries = [replace(each, **nothing, stated_source="") for each in draft.entries]
    subscriber.subscriptions.clear()
    subscriber.email, subscriber.locale, subscriber.delivered_on = None, None, None
    subscriber.erased_at, subscriber.explicit_from = at, None
    for suppression in subscriber.suppressions.values():
        suppression.updated_at = context.recorded_at  # Exports by time list the erasure.
    draft.notice = None
    draft.announcements.clear()
    draft.requests.clear()
