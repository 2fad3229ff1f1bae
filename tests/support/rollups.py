"""What the roll-ups say, and what the ledger says."""

from collections import Counter
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.store.tables import LedgerCount, LedgerRow

Counts = Counter[tuple[Any, ...]]  # By day, topic, campaign, event, scope and source.


def rolled_up(session: Session) -> Counts:
    """Return the counts of ledger rows."""
    counts = Counts()
    for *key, _slot, count in session.execute(select(LedgerCount.__table__)):
        counts[tuple(key)] += count
    return counts


def counted(session: Session) -> Counts:
    """Return the same from the ledger. An erasure removes topics and campaigns there."""
    about = (LedgerRow.topic, LedgerRow.campaign, LedgerRow.event, LedgerRow.scope)
    rows = session.execute(select(LedgerRow.recorded_at, *about, LedgerRow.source))
    return Counter(
        (recorded_at.date(), topic or "", campaign or "", *others)
        for recorded_at, topic, campaign, *others in rows
    )
