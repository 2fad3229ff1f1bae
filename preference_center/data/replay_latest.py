"""Find the latest ledger entries of each subscriber and target, in any number of rows."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from preference_center.core.change import ADDRESS, Target
from preference_center.core.vocab import Source
from preference_center.data.replay_records import Entry

# `rank` orders the entries of one subscriber and target; `rank_by` is the criterion.
_TABLE = """
CREATE TABLE latest (
    id BLOB, target TEXT, erases INTEGER, rank_by TEXT,
    rank TEXT, ends INTEGER, source TEXT, campaign TEXT, occurred_at TEXT, hash BLOB,
    PRIMARY KEY (id, target, erases, rank_by)
) WITHOUT ROWID
"""
_VIEW = """
CREATE VIEW ended AS
SELECT DISTINCT id, target, erases, source, campaign, occurred_at, hash FROM latest WHERE ends
"""
_UPSERT = """
INSERT INTO latest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    rank = excluded.rank, ends = excluded.ends, source = excluded.source,
    campaign = excluded.campaign, occurred_at = excluded.occurred_at, hash = excluded.hash
WHERE excluded.rank > rank
"""
_SELECT = "SELECT * FROM ended ORDER BY id, erases, target IN ('all', 'address'), occurred_at"


@dataclass(frozen=True)
class EndedConsent:
    """Consent that one subscriber has ended for one target, or an erasure, by one ledger row."""

    subscriber_id: UUID
    target: Target
    erases: bool
    source: Source
    campaign: str
    occurred_at: datetime
    hash: bytes


class LatestEntries:
    """The latest entries of each subscriber and target, in a temporary file of SQLite.

    Three entries are kept for each. The latest by number and the latest by time differ if the
    clocks of two hosts do, or if the input has rows from before and after an earlier restore. The
    third is the latest by time among the unsubscribes that weigh most and the entries that end
    nothing: after an earlier restore, a lesser unsubscribe may have followed a lost complaint.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(_TABLE)
        self._database.execute(_VIEW)
        self._database.execute("BEGIN")

    def add(self, entry: Entry) -> None:
        """Keep an entry if it is one of the latest so far."""
        at, seq = _sortable(entry.recorded_at), f"{entry.seq:020}"
        ranks = [("seq", f"{seq} {at}"), ("time", f"{at} {seq}")]
        if not entry.ends or _is_grave(entry):
            ranks.append(("weight", f"{at} {seq}"))
        key = (entry.subscriber_id.bytes, entry.target.key, entry.erases)
        occurred_at = _sortable(entry.occurred_at)
        values = (entry.ends, entry.source, entry.campaign, occurred_at, entry.hash)
        self._database.executemany(_UPSERT, [(*key, *rank, *values) for rank in ranks])

    def count(self) -> int:
        """Return how many items `ended` yields."""
        (count,) = self._database.execute("SELECT count(*) FROM ended").fetchone()
        return int(count)

    def ended(self) -> Iterator[EndedConsent]:
        """Yield what has ended, by subscriber: topics first, an erasure last."""
        for subscriber_id, target, erases, source, campaign, at, digest in self._database.execute(
            _SELECT
        ):
            yield EndedConsent(
                subscriber_id=UUID(bytes=subscriber_id),
                target=Target.from_key(target),
                erases=bool(erases),
                source=Source(source),
                campaign=campaign,
                occurred_at=datetime.fromisoformat(at),
                hash=digest,
            )

    def close(self) -> None:
        """Close and delete the file."""
        self._database.close()


def _is_grave(entry: Entry) -> bool:
    """Return True if no unsubscribe weighs more than an entry (see `consent.weighs_more`)."""
    is_final = entry.target == ADDRESS and entry.source is not Source.BOUNCE
    return is_final or entry.source is Source.COMPLAINT


def _sortable(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
