"""Sign up for topics, or come back: requested by anyone, confirmed by the owner of the address.

Requesting writes the same rows for known, suppressed and unknown addresses, and nothing about a
subscriber. The worker decides whether an email is sent. Pressing the button on the page of its link
starts the topics, also after an unsubscribe, a complaint, a bounce or an erasure, unless one of
them is newer than the request.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from preference_center.core import ledger
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.draft import Change, Draft
from preference_center.core.joining import LINK_LIFETIME, start, stay_off
from preference_center.core.ledger import LedgerEntry
from preference_center.core.preferences import receives
from preference_center.core.state import Subscriber, Subscription, Suppression
from preference_center.core.vocab import (
    ConfirmState,
    Event,
    Scope,
    Source,
    Status,
    TopicVisibility,
)
from preference_center.store.tables import SignUpRow, Topic, Wording


@dataclass(frozen=True)
class SignUp:
    """A sign-up on record; the fields are the columns of the table, in their order."""

    subscriber_id: UUID
    id: UUID
    email: str
    slugs: str
    locale: str | None
    wording: bytes | None
    form_url: str
    seq: int
    requested_at: datetime
    confirmed_at: datetime | None

    @property
    def topics(self) -> list[str]:
        return self.slugs.split()


@dataclass(frozen=True)
class ConfirmSignUp(Change[ChangeResult]):
    """A press of the button on the page of a sign-up's link, for `apply`. It works once."""

    sign_up: SignUp
    context: ChangeContext
    needs_all_topics: ClassVar[bool] = True

    def first_row(self, subscriber: Subscriber) -> int | None:
        """Rows are read that are newer than the request."""
        return self.sign_up.seq + 1 if subscriber.seq > self.sign_up.seq else None

    def make(self, draft: Draft) -> ChangeResult:
        sign_up, subscriber = self.sign_up, draft.subscriber
        slugs = startable(sign_up, draft.topics.values(), subscriber)
        newer = [each for each in draft.entries if each.seq > sign_up.seq]
        is_open = draft.sign_ups.get(sign_up.id) is False
        if not is_open or state(sign_up, subscriber, slugs, newer) is not ConfirmState.READY:
            return draft.unchanged()
        draft.sign_ups[sign_up.id] = True
        first, silent = subscriber.seq + 1, _received_by_silence(draft)
        subscriber.erased_at = None
        subscriber.email = subscriber.email or sign_up.email
        subscriber.locale = subscriber.locale or sign_up.locale
        context = replace(self.context, stated_source=f"asked for at {sign_up.requested_at}")
        stay_off(draft, [slug for slug in silent if slug not in sign_up.topics], context)
        start(draft, slugs, context, f"sign-up at {sign_up.form_url}")
        subscriber.note_silence(first)
        return draft.since(first)

    @classmethod
    def load(cls, session: Session, made: Sequence[tuple[Self, Draft]], now: datetime) -> None:
        for change, draft in made:
            found = find(session, change.subscriber_id, change.sign_up.id, now)
            if found is not None and found.confirmed_at is None:
                draft.sign_ups[found.id] = False

    @classmethod
    def store(cls, session: Session, made: Sequence[tuple[Self, Draft]], now: datetime) -> None:
        for change, draft in made:
            if draft.sign_ups.get(change.sign_up.id):
                row = (SignUpRow.subscriber_id == change.subscriber_id,)
                this = update(SignUpRow).where(*row, SignUpRow.id == change.sign_up.id)
                session.execute(this.values(confirmed_at=now))


def offered(known: Iterable[Topic]) -> list[Topic]:
    """Return the topics that anyone can sign up for."""
    return [
        each
        for each in known
        if each.visibility is TopicVisibility.PUBLIC and each.archived_at is None
    ]


def find(session: Session, subscriber_id: UUID, sign_up_id: UUID, now: datetime) -> SignUp | None:
    """Return a sign-up, confirmed or not, unless it has expired."""
    return _one(session, now, SignUpRow.subscriber_id == subscriber_id, SignUpRow.id == sign_up_id)


def newest(session: Session, subscriber_id: UUID, until: datetime, now: datetime) -> SignUp | None:
    """Return the newest sign-up of an address that is not confirmed and has not expired.

    It was requested at `until` or earlier.
    """
    mine = (SignUpRow.subscriber_id == subscriber_id, SignUpRow.requested_at <= until)
    return _one(session, now, *mine, SignUpRow.confirmed_at.is_(None))


def _one(session: Session, now: datetime, *conditions: Any) -> SignUp | None:
    fresh = SignUpRow.requested_at > now - LINK_LIFETIME
    wanted = select(*SignUpRow.__table__.columns).where(*conditions, fresh)
    row = session.execute(wanted.order_by(SignUpRow.requested_at.desc()).limit(1)).first()
    return SignUp(*row) if row is not None else None


def wording(session: Session, sign_up: SignUp) -> str:
    """Return what the form said, or "" if that is not known."""
    if sign_up.wording is None:
        return ""
    return session.scalar(select(Wording.text).where(Wording.digest == sign_up.wording)) or ""


def startable(sign_up: SignUp, known: Iterable[Topic], subscriber: Subscriber | None) -> list[str]:
    """Return the topics that a press would start: those asked for, unless they are received."""
    return [
        each.slug
        for each in known
        if each.slug in sign_up.topics
        and each.archived_at is None
        and not (receives(subscriber, each) and _is_chosen(subscriber, each.slug))
    ]


def read_state(
    session: Session, sign_up: SignUp, subscriber: Subscriber | None, known: Iterable[Topic]
) -> ConfirmState:
    """Return what a press could do now."""
    slugs = startable(sign_up, known, subscriber)
    newer = ledger.load(session, sign_up.subscriber_id, sign_up.seq + 1)
    return state(sign_up, subscriber, slugs, newer)


def state(
    sign_up: SignUp,
    subscriber: Subscriber | None,
    slugs: Sequence[str],
    newer: Iterable[LedgerEntry],
) -> ConfirmState:
    """Return what a press can do that would start `slugs`.

    `newer` are the subscriber's ledger rows that are newer than the request.
    """
    if subscriber is not None and not is_mailable(subscriber):
        return ConfirmState.UNREACHABLE
    stops = [each.source for each in newer if _stops(each, sign_up.topics)]
    stops += _repeats_since(subscriber, sign_up)
    if Source.COMPLAINT in stops:
        return ConfirmState.COMPLAINED
    if stops:
        return ConfirmState.UNSUBSCRIBED
    if not slugs:
        return ConfirmState.RECEIVED
    return ConfirmState.READY if sign_up.confirmed_at is None else ConfirmState.EXPIRED


def is_mailable(subscriber: Subscriber) -> bool:
    """Return True if a sign-up may be sent: only a bounce has stopped email to the address."""
    stop = subscriber.suppressions.get(Scope.ADDRESS)
    return stop is None or stop.source is Source.BOUNCE


def _is_chosen(subscriber: Subscriber | None, slug: str) -> bool:
    return subscriber is not None and slug in subscriber.subscriptions


def _received_by_silence(draft: Draft) -> list[str]:
    subscriber = draft.subscriber
    return [
        slug
        for slug, topic in draft.topics.items()
        if receives(subscriber, topic) and not _is_chosen(subscriber, slug)
    ]


def _stops(entry: LedgerEntry, slugs: Sequence[str]) -> bool:
    """Return True if a ledger row has ended one of the topics, or everything."""
    if entry.event is Event.ERASED or entry.source is Source.COMPLAINT:
        return True
    if entry.scope is Scope.TOPIC and entry.topic not in slugs:
        return False
    if entry.event is Event.UNDONE:  # It has restored an unsubscribe, or the time before one.
        value = (entry.after or {}).get(Target(entry.scope, entry.topic).key)
        ended = Status.UNSUBSCRIBED.value
        return value is not None and value.get("status", ended) == ended
    return entry.event is Event.UNSUBSCRIBED


def _repeats_since(subscriber: Subscriber | None, sign_up: SignUp) -> list[Source]:
    """Return the sources of unsubscribes that were repeated since: a repeat has no ledger row."""
    if subscriber is None:
        return []
    stops: list[Subscription | Suppression] = [*subscriber.suppressions.values()]
    stops += (
        each
        for slug, each in subscriber.subscriptions.items()
        if each.status is Status.UNSUBSCRIBED
        and (slug in sign_up.topics or each.source is Source.COMPLAINT)
    )
    return [
        each.source
        for each in stops
        if each.repeated_at is not None and each.repeated_at > sign_up.requested_at
    ]
