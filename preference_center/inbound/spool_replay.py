"""Apply spooled unsubscribes to the database, and take over the spools of ended processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from preference_center.core import dedup, processes
from preference_center.core.apply import apply
from preference_center.core.change import ChangeContext
from preference_center.core.consent import Unsubscribe
from preference_center.inbound import spool_folder
from preference_center.inbound.spool import Apply
from preference_center.inbound.spool_file import SpoolError
from preference_center.inbound.spool_rows import SpooledUnsubscribe
from preference_center.store import Database

CHANNEL = "spool"


@dataclass(frozen=True)
class Adopted:
    """How many spools were taken over and emptied, and how many unsubscribes were in them."""

    spools: int
    rows: int


def apply_batch(
    database: Database, clock: Callable[[], datetime], entries: Sequence[SpooledUnsubscribe]
) -> None:
    """Apply spooled unsubscribes in one transaction, leaving out those applied before.

    A process can be killed after this has committed and before it has deleted the rows.
    """
    now = clock()
    with database.transaction() as session:
        new = dedup.record_new(session, CHANNEL, [str(entry.id) for entry in entries], now)
        apply(session, [_change(entry, now) for entry in entries if str(entry.id) in new], now)


def adopt(database: Database, folder: Path, apply: Apply) -> Adopted:
    """Replay the spools of processes that have ended; remove the processes and delete the files.

    Raises:
        SpoolError: a spool could not be read, or some of its rows could not be applied. The other
            spools were adopted.
        UnavailableError: the database cannot be used.
    """
    spools = rows = 0
    problems = []
    for process_id in spool_folder.process_ids(folder):
        try:
            taken = spool_folder.take(folder, process_id)
            if taken is not None:
                rows += _empty(database, taken, apply)
                spools += 1
        except SpoolError as error:
            problems.append(f"{process_id}: {error}")
    if problems:
        raise SpoolError("; ".join(problems))
    return Adopted(spools, rows)


def _empty(database: Database, taken: spool_folder.LockedSpool, apply: Apply) -> int:
    """Replay a spool, delete it if it is empty then, and return how many rows were applied."""
    try:
        count = taken.spool.replay(apply)
        if taken.spool.close_if_empty():
            with database.transaction() as session:
                processes.remove(session, taken.process_id)
            taken.delete()
        return count
    finally:
        taken.release()


def _change(entry: SpooledUnsubscribe, now: datetime) -> Unsubscribe:
    context = ChangeContext(
        source=entry.source,
        # Not in the future, even if this clock was set back since.
        occurred_at=min(entry.acknowledged_at, now),
        recorded_at=now,
        campaign=entry.campaign,
        notice_delay=entry.notice_delay,
    )
    return Unsubscribe(entry.subscriber_id, entry.target, context)
