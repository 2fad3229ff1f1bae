"""Count ledger rows by day, so that a report and a page need not count the ledger.

A count names no subscriber. An erasure does not change it.
"""

import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core.vocab import Event, Scope, Source
from preference_center.store import sets, write_last
from preference_center.store.tables import LedgerCount

# Each connection has a slot of its own, so that no transaction waits for another's counts: not for
# one that is long, nor for one whose client has lost the network. Few connections have the same.
SLOTS = 1000
_SLOT = "slot"  # In the connection's `info`.
_Key = tuple[date, str, str, Event, Scope, Source]  # All but the slot; the day is in UTC.
_COUNTS = "ledger_counts"


def count(session: Session, rows: Iterable[tuple[Any, ...]]) -> None:
    """Count new ledger rows, given with all columns, at the end of the transaction."""
    if added := Counter(map(_key, rows)):
        session.info.setdefault(_COUNTS, Counter()).update(added)
        write_last(session, _write)


def _key(row: tuple[Any, ...]) -> _Key:
    _, _, event, scope, topic, source, campaign, _, recorded_at, *_ = row
    return recorded_at.astimezone(UTC).date(), topic or "", campaign or "", event, scope, source


def _write(session: Session) -> None:
    """Write the counts in a fixed order, so that no two transactions deadlock."""
    counts: Counter[_Key] = session.info.pop(_COUNTS)
    slot = session.connection().info.setdefault(_SLOT, secrets.randbelow(SLOTS))
    rows = [(*key, slot, number) for key, number in sorted(counts.items())]
    sets.add_counts(session, LedgerCount, rows)
