"""Load and store what the rule for bounces needs, for many subscribers at once."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from preference_center.core import bounce_rule, domain_hold, recovery
from preference_center.core.bounce_history import BounceHistory, FailedMailing
from preference_center.core.change import ChangeContext
from preference_center.core.domain_hold import DomainCounts
from preference_center.core.draft import Draft
from preference_center.core.recovery import BounceFilter
from preference_center.core.vocab import SUPPRESSION_SCOPES, Source
from preference_center.store import queries, sets, tables

# Each bounce of a held domain removes at most this many suppressions, to limit its run time.
MAX_TAKEN_BACK = 50


def load(
    session: Session, drafts: Sequence[Draft], domains: Collection[str], now: datetime
) -> None:
    """Load the history of bounces into each draft. `drafts` has a draft once for each bounce."""
    counts = DomainCounts.load(session, domains, now)
    times = Counter(draft.subscriber.subscriber_id for draft in drafts)
    by_id = {draft.subscriber.subscriber_id: draft for draft in drafts}
    histories = {each: BounceHistory(counts) for each in by_id}
    for subscriber_id, *values in session.execute(_failures(by_id, now)):
        histories[subscriber_id].failures.append(FailedMailing(*values))
    # Claims matter only to subscribers with other failures.
    matter = [each for each, known in histories.items() if known.failures or times[each] > 1]
    if matter:
        for subscriber_id, claimed_at in session.execute(_claims(matter, now)):
            histories[subscriber_id].claims.add(claimed_at.astimezone(UTC).date())
    for subscriber_id, draft in by_id.items():
        draft.bounces = histories[subscriber_id]


def store(session: Session, drafts: Iterable[Draft], now: datetime) -> None:
    """Write the failed mailings and the counts of domains, and act on domains that are held."""
    found = [(each.subscriber.subscriber_id, each.bounces) for each in drafts if each.bounces]
    cleared = [subscriber_id for subscriber_id, history in found if history.is_cleared]
    table = tables.FailedMailing
    if cleared:
        session.execute(delete(table).where(table.subscriber_id.in_(cleared)))
    added = [
        (subscriber_id, each.day, each.severity, each.topic, each.code, each.ended_domain)
        for subscriber_id, history in found
        for each in history.added
    ]
    sets.insert(session, table, added, "ON CONFLICT DO NOTHING")
    missing = [domain for _, history in found for domain in history.missing]
    domain_hold.add_failures(session, missing, now)
    held = Counter(domain for _, history in found for domain in history.held)
    for domain, bounces in sorted(held.items()):
        _take_back(session, domain, MAX_TAKEN_BACK * bounces, now)


def _failures(ids: Collection[UUID], now: datetime) -> Any:
    table = tables.FailedMailing
    columns = (table.subscriber_id, table.day, table.severity, table.topic, table.code)
    oldest = now.astimezone(UTC).date() - bounce_rule.WINDOW
    return select(*columns, table.ended_domain).where(
        table.subscriber_id.in_(ids), table.day > oldest
    )


def _claims(ids: Collection[UUID], now: datetime) -> Any:
    oldest = now - bounce_rule.WINDOW - bounce_rule.CLAIM_SETTLES_AFTER
    return select(tables.Claim.subscriber_id, tables.Claim.claimed_at).where(
        tables.Claim.subscriber_id.in_(ids),
        tables.Claim.claimed_at > oldest,
        tables.Claim.released_at.is_(None),
    )


def _take_back(session: Session, domain: str, at_most: int, now: datetime) -> None:
    """Remove suppressions by bounces from before the domain was held; quarantine the failures."""
    table, since = tables.FailedMailing, (now - domain_hold.WINDOW).astimezone(UTC).date()
    recent = table.ended_domain == domain, table.day >= since
    ended = select(table.subscriber_id).where(*recent)
    found = session.scalars(ended.order_by(table.subscriber_id).limit(at_most))
    # This transaction has locked subscribers already, so it must not wait for other locks. The
    # next bounce handles subscribers that another transaction has locked.
    ids = queries.lock_available(session, found.all())
    if not ids:
        return
    within = BounceFilter(domain, datetime.combine(since, time(), UTC), now + timedelta.resolution)
    context = ChangeContext(Source.BOUNCE, now, now)
    for kind in SUPPRESSION_SCOPES:
        recovery.remove_suppressions(session, kind, ids, within, context)
    quarantined = update(table).where(table.subscriber_id.in_(ids), *recent)
    session.execute(quarantined.values(ended_domain=None))
