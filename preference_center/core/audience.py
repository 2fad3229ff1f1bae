"""Who may be mailed now, and if not, why. Whoever cannot be asked about is not mailed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import subscribers
from preference_center.core.errors import TopicRefusal
from preference_center.store import queries
from preference_center.store.tables import Topic


@dataclass(frozen=True)
class Verdict:
    """`allow`, `defer` with `until`, or `deny`; with why, and the address where it is known."""

    verdict: Literal["allow", "defer", "deny"]
    reason: str = ""
    until: datetime | None = None
    email: str = ""


def check(
    session: Session, topic: Topic, people: Mapping[UUID, str], now: datetime
) -> dict[UUID, Verdict]:
    """Return the verdict on each person, given as id -> address (or "" where only the id is known).

    One statement for the whole batch. The addresses of those who may be mailed are remembered,
    so that a confirmation has somewhere to go; the others' are not.
    """
    if topic.archived_at is not None:
        raise TopicRefusal(f"topic {topic.slug} is archived: nobody may be mailed on it")
    standings = queries.standings(session, topic.slug, list(people))
    verdicts = {each: _verdict(topic, standings.get(each)) for each in people}
    seen = {
        each: email
        for each, email in people.items()
        if email and verdicts[each].verdict == "allow" and not verdicts[each].email
    }
    subscribers.fill_addresses(session, seen, now)
    return verdicts


def _verdict(topic: Topic, standing: Any) -> Verdict:
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
    return Verdict("allow", email=email)


def _unless_silence_allows(topic: Topic, reason: str, email: str) -> Verdict:
    if topic.policy == "opt_out":
        return Verdict("allow", email=email)
    return Verdict("deny", reason, email=email)
