"""Record bounces, and end email to addresses that keep bouncing (M13).

`mail.bounce_policy` decides how severe one bounce is, `core.bounce_rule` when a series of them
ends email, and `core.domain_hold` when bounces of a domain are ignored. `docs/bounces.md` describes
the rules in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar, Literal, Self
from uuid import UUID

from sqlalchemy import bindparam, or_, update
from sqlalchemy.orm import Session

from preference_center.core import bounce_records, bounce_rule, consent, domain_hold, mailings
from preference_center.core.bounce_history import BounceHistory, FailedMailing
from preference_center.core.bounce_rule import ABOUT_THE_MAILBOX, Evidence, Failure
from preference_center.core.change import ChangeContext, Target
from preference_center.core.draft import Change, Draft
from preference_center.core.inbound_vocab import BounceEffect, BounceSeverity
from preference_center.core.state import Subscriber
from preference_center.core.vocab import (
    SUPPRESSION_SCOPES,
    Cadence,
    Scope,
    Source,
    Status,
)
from preference_center.store import tables

# Anyone who received one of our emails can forge a bounce to its return path, so such a bounce only
# stops marketing email. A provider's signed event stops all email to the address.
Authority = Literal["return-path", "provider"]


@dataclass(frozen=True)
class Bounce:
    """One email to one subscriber that finally failed.

    `code` is an enhanced status code (RFC 3463) or "". `domain` is the
    recipient's domain if the reporter included it, else "". `topic` is that of the email, or None
    if the report does not say.
    """

    severity: BounceSeverity
    code: str
    occurred_at: datetime
    authority: Authority
    domain: str = ""
    topic: str | None = None


@dataclass(frozen=True)
class RecordBounce(Change[BounceEffect]):
    """A bounce of one subscriber, for `apply`."""

    bounce: Bounce
    now: datetime
    needs_all_topics: ClassVar[bool] = True

    def first_row(self, subscriber: Subscriber) -> int | None:
        targets, context = map(Target, SUPPRESSION_SCOPES), _context(self.bounce, self.now)
        return consent.first_row_to_end(subscriber, targets, context)

    def make(self, draft: Draft) -> BounceEffect:
        return record(draft, self.bounce, self.now)

    @classmethod
    def load(cls, session: Session, made: Sequence[tuple[Self, Draft]], now: datetime) -> None:
        drafts = [draft for _, draft in made]
        domains = {_domain(change.bounce, draft.subscriber) for change, draft in made}
        bounce_records.load(session, drafts, domains - {""}, now)
        mailings.load(session, drafts, now)

    @classmethod
    def store(cls, session: Session, made: Sequence[tuple[Self, Draft]], now: datetime) -> None:
        drafts = {draft.subscriber.subscriber_id: draft for _, draft in made}
        bounce_records.store(session, drafts.values(), now)


def record(draft: Draft, bounce: Bounce, now: datetime) -> BounceEffect:
    """Record a bounce, suppress the subscriber if the rules require it, and return the effect."""
    if bounce.severity is BounceSeverity.IGNORED:
        return BounceEffect.IGNORED
    bounce = replace(bounce, occurred_at=min(bounce.occurred_at, now))  # clocks differ
    if draft.subscriber.erased_at is not None:
        return BounceEffect.DUPLICATE
    permanent = bounce.severity is BounceSeverity.PERMANENT
    provider = bounce.authority == "provider"
    scope = Scope.ADDRESS if permanent and provider else Scope.ALL
    if scope in draft.subscriber.suppressions:
        if permanent:
            _suppress(draft, scope, bounce, now)  # Records the repeat.
        return BounceEffect.DUPLICATE
    return _count(draft, draft.bounces, bounce, scope, now)


def record_deliveries(session: Session, days: Mapping[UUID, date]) -> None:
    """Note the day (UTC) on which an email was delivered to each subscriber who is on record."""
    table = tables.SubscriberRow.__table__.c
    newest = (
        update(tables.SubscriberRow.__table__)  # type: ignore[arg-type]
        .where(
            table.subscriber_id == bindparam("id"),
            table.erased_at.is_(None),
            or_(table.delivered_on.is_(None), table.delivered_on < bindparam("on")),
        )
        .values(delivered_on=bindparam("on"))
    )
    if days:
        session.execute(newest, [{"id": each, "on": days[each]} for each in sorted(days)])


def _count(
    draft: Draft, history: BounceHistory | None, bounce: Bounce, scope: Scope, now: datetime
) -> BounceEffect:
    """Count a failed mailing, or suppress the subscriber if it exceeds the limit."""
    assert history is not None  # noqa: S101 (`load` has set it)
    new = FailedMailing(_day(bounce.occurred_at), bounce.severity, bounce.topic or "", bounce.code)
    earlier, failure, evidence = _assess(draft, history, new)
    domain, held, today = "", False, _day(now)
    if bounce.severity in ABOUT_THE_MAILBOX:
        domain = _domain(bounce, draft.subscriber)
        if domain and _is_newly_missing(history, earlier, evidence, today):
            history.count_missing(domain)
        held = domain != "" and history.domains.is_held(domain)
        if held:
            history.held.append(domain)
    scope = Scope.ALL if held else scope
    ended = bounce_rule.ends(earlier, failure, evidence, today, held=held)
    if not ended or scope in draft.subscriber.suppressions:
        history.add(new)
        missing = bounce.severity in ABOUT_THE_MAILBOX
        return BounceEffect.QUARANTINED if missing else BounceEffect.SOFT
    _suppress(draft, scope, bounce, now)
    history.clear()
    if domain and not held:
        history.add(replace(new, ended_domain=domain))
    return BounceEffect.SUPPRESSED


def _suppress(draft: Draft, scope: Scope, bounce: Bounce, now: datetime) -> None:
    context = mailings.named(draft, _context(bounce, now), bounce.topic)
    consent.end_consent(draft, Target(scope), context)


def _context(bounce: Bounce, now: datetime) -> ChangeContext:
    return ChangeContext(Source.BOUNCE, min(bounce.occurred_at, now), now)


def _domain(bounce: Bounce, subscriber: Subscriber) -> str:
    return bounce.domain or domain_hold.domain_of(subscriber.email or "")


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _assess(
    draft: Draft, history: BounceHistory, new: FailedMailing
) -> tuple[list[Failure], Failure, Evidence]:
    """Return the earlier failures, the new one, and what is known of other emails."""
    windows = _windows(draft)
    counted = [each for each in history.failures if each.ended_domain is None]
    earlier = [
        Failure(each.day, each.severity, windows.get(each.topic, windows[""])) for each in counted
    ]
    failure = Failure(new.day, new.severity, windows.get(new.topic, windows[""]))
    return earlier, failure, Evidence(history.claims, draft.subscriber.delivered_on)


def _windows(draft: Draft) -> dict[str, timedelta]:
    """Return for how long a failure of each topic counts.

    The value under "" is the shortest of the topics that the subscriber receives: an email of
    unknown topic may be of any of them, and a longer window would suppress healthy readers of the
    most frequent one.
    """
    windows = {
        slug: bounce_rule.CADENCE_WINDOWS[topic.cadence] for slug, topic in draft.topics.items()
    }
    received = (
        windows[each.topic]
        for each in draft.subscriber.subscriptions.values()
        if each.status is Status.SUBSCRIBED
    )
    shortest = min(received, default=bounce_rule.CADENCE_WINDOWS[Cadence.IRREGULAR])
    return {**windows, "": shortest}


def _is_newly_missing(
    history: BounceHistory, earlier: Sequence[Failure], evidence: Evidence, today: date
) -> bool:
    """Return True if the mailbox was not reported missing before.

    A repeat must not count towards a hold: dead addresses that were quarantined together would
    hold their domain again with each mailing.
    """
    counted = bounce_rule.after_reset(earlier, evidence, today)
    reported = any(failure.severity in ABOUT_THE_MAILBOX for failure in counted)
    return not reported and all(each.ended_domain is None for each in history.failures)
