"""Alter a row of the demo's ledger without the product, and restore it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from preference_center.core import verification
from preference_center.demo import json_files
from preference_center.store import Database
from preference_center.store.tables import LedgerRow

_SHIFT = timedelta(days=1)


@dataclass(frozen=True)
class LedgerState:
    """The size of the ledger, and what its verification has found."""

    rows: int
    problems: list[str]


@dataclass(frozen=True)
class Altered:
    """The row that was altered, with its true time; `restored` once it has that time again."""

    seq: int
    occurred_at: datetime
    restored: bool = False


def verify(session: Session) -> LedgerState:
    """Verify the whole ledger, as `preference-center verify-ledger` does."""
    problems = [each for each in verification.verify(session) if each is not None]
    return LedgerState(session.scalars(select(func.count()).select_from(LedgerRow)).one(), problems)


def latest(folder: Path) -> Altered | None:
    """Return the row that was altered last, or None."""
    return json_files.read(_file(folder), Altered, "occurred_at")


def alter(database: Database, folder: Path, reader_id: UUID, seq: int) -> None:
    """Move the time of one row by a day, as a person with access to the database could."""
    known = latest(folder)
    if known is not None and not known.restored:
        return
    with database.transaction() as session:
        row = session.get_one(LedgerRow, (reader_id, seq))
        # First the file: the row can be restored even if the demo is killed now.
        json_files.write(_file(folder), Altered(seq, row.occurred_at))
        _set_time(session, reader_id, seq, row.occurred_at + _SHIFT)


def restore(database: Database, folder: Path, reader_id: UUID) -> None:
    """Give the altered row its true time again."""
    known = latest(folder)
    if known is None or known.restored:
        return
    with database.transaction() as session:
        _set_time(session, reader_id, known.seq, known.occurred_at)
    json_files.write(_file(folder), replace(known, restored=True))


def _set_time(session: Session, reader_id: UUID, seq: int, at: datetime) -> None:
    row = (LedgerRow.subscriber_id == reader_id, LedgerRow.seq == seq)
    session.execute(update(LedgerRow).where(*row).values(occurred_at=at))


def _file(folder: Path) -> Path:
    return folder / "altered-row.json"
