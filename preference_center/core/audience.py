"""Decide who may be emailed now. An address that cannot be checked is not emailed."""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from preference_center.core import domain_hold, rollups, subscribers, topics
from preference_center.core.errors import TopicRefusal
from preference_center.core.state import Subscriber
from preference_center.core.vocab import (
    Decision,
    DecisionReason,
    Frequency,
    Scope,
    Status,
    TopicPolicy,
)
from preference_center.store import Database, claim_queries, queries, sets
from preference_center.store.queries import AddressRules, DeliveryRules
from preference_center.store.tables import Claim, Topic


@dataclass(frozen=True)
class Verdict:
    """A decision and its reason; the end of a deferral; the address if it is known."""

    decision: Decision
    reason: DecisionReason | None = None
    until: datetime | None = None
    email: str = ""

    @property
    def allows(self) -> bool:
        return self.decision is Decision.ALLOW


def ask(
    database: Database,
    slug: str,
    campaign: str,
    people: Mapping[UUID, str],
    clock: Callable[[], datetime],
    *,
    claimable: Container[UUID] = (),
) -> dict[UUID, Verdict]:
    """Return the verdict on each of `people`, and claim the allowed emails to `claimable`.

    `people` maps subscriber ids to addresses, or to "" if only the id is known. Claims count
    towards frequency caps; they are committed when this returns. Raise UnknownTopicError, and
    UnavailableError if the database cannot be used: then no email may be sent.
    """
    with database.transaction() as session:
        topic, now = topics.get(session, slug), clock()
        wanted = [each for each in people if each in claimable]
        # Before `check` inserts subscribers: no transaction may wait for locks after it has.
        queries.lock_ids(session, wanted)
        verdicts = check(session, topic, campaign, people, now)
        _claim(session, topic, campaign, {each: verdicts[each] for each in wanted}, now)
    return verdicts


def check(
    session: Session, topic: Topic, campaign: str, people: Mapping[UUID, str], now: datetime
) -> dict[UUID, Verdict]:
    """Return the verdict on each of `people`, as `ask` does, without claims.

    Reads the rules for the whole batch in one statement. The address of a subscriber who may be
    emailed is recorded, so that a change notice can be sent later; other addresses are not.
    """
    verdicts = _verdicts(session, topic, campaign, list(people), now)
    seen = {
        each: email
        for each, email in people.items()
        if verdicts[each].allows and not verdicts[each].email
    }
    subscribers.upsert_addresses(session, seen, now)
    return verdicts


def of_person(
    session: Session, person: Subscriber | None, known: Iterable[Topic], now: datetime
) -> dict[str, Verdict]:
    """Return the verdict on one subscriber for a new campaign of each topic, by slug.

    Nothing is claimed or recorded. `person` is None for one who is not on record. One statement
    reads the newest claims of all topics. Archived topics are left out.
    """
    claims = _last_claims(session, person.subscriber_id) if person is not None else {}
    return {
        topic.slug: _verdict(topic, _rules(person, topic.slug, claims.get(topic.slug)), now)
        for topic in known
        if topic.archived_at is None
    }


def transactional_of(person: Subscriber | None) -> Verdict:
    """Return what `check_transactional` does, of a subscriber who was loaded."""
    if person is None:
        return _by_address(None)
    stopped = Scope.ADDRESS in person.suppressions
    return _by_address(AddressRules(person.subscriber_id, person.email, person.erased_at, stopped))


def _last_claims(session: Session, subscriber_id: UUID) -> dict[str, datetime]:
    statement = (
        select(Claim.topic, func.max(Claim.claimed_at))
        .where(Claim.subscriber_id == subscriber_id, Claim.released_at.is_(None))
        .group_by(Claim.topic)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def _rules(
    person: Subscriber | None, slug: str, last_claim: datetime | None
) -> DeliveryRules | None:
    """Return what `queries.load_delivery_rules` does, of a subscriber who was loaded."""
    if person is None:
        return None
    held = person.subscriptions.get(slug)
    return DeliveryRules(
        subscriber_id=person.subscriber_id,
        email=person.email,
        erased_at=person.erased_at,
        status=held.status if held is not None else None,
        frequency=held.frequency if held is not None else None,
        paused_until=held.paused_until if held is not None else None,
        last_claim=last_claim,
        stopped=bool(person.suppressions),
        explicit_from=person.explicit_from,
    )


def check_transactional(session: Session, ids: Collection[UUID]) -> dict[UUID, Verdict]:
    """Return whether each of `ids` may be sent an email that they need, like a receipt.

    Only a stop of the address or an erasure denies it. Topics, preferences and claims play no part,
    and nothing is recorded.
    """
    rules = queries.load_address_rules(session, ids)
    return {each: _by_address(rules.get(each)) for each in ids}


def claim(
    session: Session, topic: Topic, campaign: str, ids: Iterable[UUID], now: datetime
) -> dict[UUID, Verdict]:
    """Return the verdict on each subscriber on record, and claim each email that it allows.

    If two mailings ask at once and a cap leaves room for one, only one is allowed. A campaign that
    asks again gets the same answer and is counted once, unless the subscriber has changed their
    preferences since.
    """
    ordered = sorted(ids)
    queries.lock_ids(session, ordered)
    verdicts = _verdicts(session, topic, campaign, ordered, now)
    _claim(session, topic, campaign, verdicts, now)
    return verdicts


def _claim(
    session: Session,
    topic: Topic,
    campaign: str,
    verdicts: Mapping[UUID, Verdict],
    now: datetime,
) -> None:
    """Claim the emails that verdicts allow. The subscribers are locked, and on record."""
    allowed = sorted(each for each, verdict in verdicts.items() if verdict.allows)
    since = now - rollups.RECEIVED_WITHIN
    claimed = claim_queries.claimed(session, topic.slug, campaign, allowed, since)
    new = [each for each in allowed if not claimed[each].is_claimed]
    rows = [(each, topic.slug, campaign, now, None, claimed[each].received + 1) for each in new]
    sets.upsert(session, Claim, rows)
    emails = Counter((now, row[-1]) for row in rows)
    rollups.count_emailed(session, topic.slug, campaign, emails)
    domain_hold.count_claims(session, (verdicts[each].email for each in new), now)


def release(
    session: Session, topic: Topic, campaign: str, ids: Iterable[UUID], now: datetime
) -> int:
    """Release the claims of emails that were not sent to `ids`; return how many there were."""
    ordered = sorted(ids)
    queries.lock_ids(session, ordered)
    claims = update(Claim).where(
        Claim.subscriber_id.in_(ordered),
        Claim.topic == topic.slug,
        Claim.campaign == campaign,
        Claim.released_at.is_(None),
    )
    released = claims.values(released_at=now).returning(Claim.claimed_at, Claim.received)
    found = Counter((at, received) for at, received in session.execute(released))
    emails = {claim: -number for claim, number in found.items()}
    rollups.count_emailed(session, topic.slug, campaign, emails)
    return found.total()


def _verdicts(
    session: Session, topic: Topic, campaign: str, ids: list[UUID], now: datetime
) -> dict[UUID, Verdict]:
    if topic.archived_at is not None:
        raise TopicRefusal(f"topic {topic.slug} is archived: no email may be sent on it")
    since = now - Frequency.MONTHLY.interval  # The longest one: an older claim defers no email.
    rules = queries.load_delivery_rules(session, topic.slug, campaign, ids, since)
    return {each: _verdict(topic, rules.get(each), now) for each in ids}


def _verdict(topic: Topic, rules: DeliveryRules | None, now: datetime) -> Verdict:
    if rules is None:
        return _by_policy(topic, DecisionReason.UNKNOWN, "")
    email = rules.email or ""
    if rules.erased_at is not None:
        return Verdict(Decision.DENY, DecisionReason.ERASED)
    if rules.stopped:
        return Verdict(Decision.DENY, DecisionReason.SUPPRESSED, email=email)
    if rules.status is None and rules.explicit_from is not None:
        return Verdict(Decision.DENY, DecisionReason.NOT_SUBSCRIBED, email=email)
    if rules.status is None:
        return _by_policy(topic, DecisionReason.NOT_SUBSCRIBED, email)
    if rules.status is not Status.SUBSCRIBED:
        return Verdict(Decision.DENY, DecisionReason(rules.status), email=email)
    return _by_pause_and_cap(rules, email, now)


def _by_address(rules: AddressRules | None) -> Verdict:
    if rules is not None and rules.erased_at is not None:
        return Verdict(Decision.DENY, DecisionReason.ERASED)
    email = (rules.email or "") if rules is not None else ""
    if rules is not None and rules.stopped:
        return Verdict(Decision.DENY, DecisionReason.SUPPRESSED, email=email)
    return Verdict(Decision.ALLOW, email=email)


def _by_pause_and_cap(rules: DeliveryRules, email: str, now: datetime) -> Verdict:
    if rules.paused_until is not None and rules.paused_until > now:
        return Verdict(Decision.DEFER, DecisionReason.PAUSED, rules.paused_until, email)
    if rules.last_claim is not None and rules.frequency is not None:
        until = rules.last_claim + rules.frequency.interval
        if until > now:
            return Verdict(Decision.DEFER, DecisionReason.FREQUENCY, until, email)
    return Verdict(Decision.ALLOW, email=email)


def _by_policy(topic: Topic, reason: DecisionReason, email: str) -> Verdict:
    if topic.policy is TopicPolicy.OPT_OUT:
        return Verdict(Decision.ALLOW, email=email)
    return Verdict(Decision.DENY, reason, email=email)
