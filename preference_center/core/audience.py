"""Who may be mailed now, and if not, why. Whoever cannot be asked about is not mailed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from preference_center.core import domain_hold, subscribers
from preference_center.core.errors import TopicRefusal
from preference_center.store import queries
from preference_center.store.tables import Claim, Topic

# Half a day short of the week and of four weeks, so that a letter which comes by minutes early
# is not lost.
MIN_INTERVAL = {
    "weekly": timedelta(days=6, hours=12),
    "monthly": timedelta(days=27, hours=12),
}


@dataclass(frozen=True)
class Verdict:
    """`allow`, `defer` with `until`, or `deny`; with why, and the address where it is known."""

    verdict: Literal["allow", "defer", "deny"]
    reason: str = ""
    until: datetime | None = None
    email: str = ""


def check(
    session: Session, topic: Topic, campaign: str, people: Mapping[UUID, str], now: datetime
) -> dict[UUID, Verdict]:
    """Return the verdict on each person, given as id -> address (or "" where only the id is known).

    One statement for the whole batch. Who may be mailed is remembered, with the address, so that
    a confirmation has somewhere to go; the others are not.
    """
    verdicts = _verdicts(session, topic, campaign, list(people), now)
    seen = {
        each: email
        for each, email in people.items()
        if verdicts[each].verdict == "allow" and not verdicts[each].email
    }
    subscribers.upsert_addresses(session, seen, now)
    return verdicts


def claim(
    session: Session, topic: Topic, campaign: str, ids: Iterable[UUID], now: datetime
) -> dict[UUID, Verdict]:
    """Return the verdict on each subscriber on record, and count a mail for each it allows.

    Of two mailings that ask at once one is allowed where a cap leaves room for one. A campaign
    that asks again gets the same answer, counted once, unless the person has chosen since.
    """
    ordered = sorted(ids)
    queries.lock_ids(session, ordered)
    verdicts = _verdicts(session, topic, campaign, ordered, now)
    allowed = [each for each in ordered if verdicts[each].verdict == "allow"]
    claimed = queries.claim(session, topic.slug, campaign, allowed, now)
    domain_hold.count_claims(session, (verdicts[each].email for each in claimed), now)
    return verdicts


def release(
    session: Session, topic: Topic, campaign: str, ids: Iterable[UUID], now: datetime
) -> int:
    """Give back the claims of a mailing that did not go to `ids`; return how many there were."""
    ordered = sorted(ids)
    queries.lock_ids(session, ordered)
    claims = update(Claim).where(
        Claim.subscriber_id.in_(ordered),
        Claim.topic == topic.slug,
        Claim.campaign == campaign,
        Claim.released_at.is_(None),
    )
    return len(session.scalars(claims.values(released_at=now).returning(Claim.subscriber_id)).all())


def _verdicts(
    session: Session, topic: Topic, campaign: str, ids: list[UUID], now: datetime
) -> dict[UUID, Verdict]:
    if topic.archived_at is not None:
        raise TopicRefusal(f"topic {topic.slug} is archived: nobody may be mailed on it")
    standings = queries.load_delivery_rules(session, topic.slug, campaign, ids)
    return {each: _verdict(topic, standings.get(each), now) for each in ids}


def _verdict(topic: Topic, standing: Any, now: datetime) -> Verdict:
    if standing is None:
        return _unless_silence_allows(topic, "unknown", "")
    email = standing.email or ""
    if standing.erased_at is not None:
        return Verdict("deny", "erased")
    if standing.all_stop or standing.address_stop:
        return Verdict("deny", "suppressed", email=email)
    if standing.status is None:
        return _unless_silence_allows(topic, "not_subscribed", email)
    if standing.status != "subscribed":
        return Verdict("deny", standing.status, email=email)
    return _unless_less_was_asked(standing, email, now)


def _unless_less_was_asked(standing: Any, email: str, now: datetime) -> Verdict:
    if standing.paused_until is not None and standing.paused_until > now:
        return Verdict("defer", "paused", standing.paused_until, email)
    if standing.last_claim is not None:
        again = standing.last_claim + MIN_INTERVAL[standing.frequency]
        if again > now:
            return Verdict("defer", "frequency", again, email)
    return Verdict("allow", email=email)


def _unless_silence_allows(topic: Topic, reason: str, email: str) -> Verdict:
    if topic.policy == "opt_out":
        return Verdict("allow", email=email)
    return Verdict("deny", reason, email=email)
