"""The audit trail: what members of staff read and changed, in one sealed chain.

A row names a subscriber by id and holds no address. Its hash is an HMAC with a server key over the
hash before it and the row. The head is a row of its own, so that a missing end is found, too.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from json import loads
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from preference_center.core.staff_vocab import OF_PAGES, AuditAction
from preference_center.core.vocab import KeyKind
from preference_center.store import queries, seals
from preference_center.store.tables import AuditHead, AuditRow, StaffRow

_HEAD = 1  # The key of the one row.
_BATCH_SIZE = 1000  # rows
_LEFT_OUT = "(left out)"
_NO_DETAILS = seals.canonical_json({})


@dataclass(frozen=True)
class AuditEntry:
    """One action. `staff` is the member's address, or None for the command line."""

    position: int
    at: datetime
    staff: str | None
    action: AuditAction
    about: UUID | None
    details: Mapping[str, Any]


def record(
    session: Session,
    staff_id: UUID | None,
    action: AuditAction,
    now: datetime,
    about: UUID | None = None,
    details: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Add a row, in the transaction of what it records.

    `staff_id` is None for the command line. `details` are JSON values. A text with an address,
    which a member may have written anywhere, is left out.
    """
    text = _written(details)
    row = AuditRow(at=now, staff_id=staff_id, action=action, about=about, details=text)
    _append(session, [row])


def record_views(
    session: Session,
    staff_id: UUID,
    action: AuditAction,
    now: datetime,
    people: Iterable[UUID],
    details: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Add a row for a page with data of several people, and one about each of them.

    Only the first has the details. The rows are written in one statement.
    """
    abouts, text = dict.fromkeys(people), _written(details)
    rows = [AuditRow(at=now, staff_id=staff_id, action=action, details=text)]
    rows += (
        AuditRow(at=now, staff_id=staff_id, action=action, about=each, details=_NO_DETAILS)
        for each in abouts
    )
    _append(session, rows)


def read(
    session: Session,
    limit: int,
    *,
    before: int | None = None,
    staff_id: UUID | None = None,
    about: UUID | None = None,
) -> list[AuditEntry]:
    """Return at most `limit` rows, newest first, from before a position.

    Of a page with data of several people, only the row about the page is among them, unless `about`
    is one of these people.
    """
    statement = _entries().order_by(AuditRow.position.desc()).limit(limit)
    if before is not None:
        statement = statement.where(AuditRow.position < before)
    if staff_id is not None:
        statement = statement.where(AuditRow.staff_id == staff_id)
    if about is not None:
        statement = statement.where(AuditRow.about == about)
    else:
        statement = statement.where(or_(AuditRow.about.is_(None), AuditRow.action.not_in(OF_PAGES)))
    return [_entry(row) for row in session.execute(statement)]


def verify(session: Session) -> str | None:
    """Return a sentence that says where the trail is broken, or None.

    Rows that were purged are missing from its beginning, so it is verified from the first row on.
    """
    keys = list(reversed(session.info["keys"][KeyKind.SERVER]))
    last: AuditRow | None = None
    for row in _rows(session):
        if last is not None and row.position != last.position + 1:
            return f"The audit trail has no row {last.position + 1}."
        if last is not None and all(_seal(key, last.hash, row) != row.hash for key in keys):
            return f"Row {row.position} of the audit trail was changed."
        last = row
    head = session.get(AuditHead, _HEAD)
    if head is not None and (last is None or last.hash != head.hash):
        return f"The audit trail ends before its last row, {head.position}."
    return None


def is_expired(since: datetime) -> ColumnElement[bool]:
    """Return the condition for the rows before the first one that was written since a time.

    The last row stays, whatever its age, because the head is compared with it.
    """
    kept = select(func.min(AuditRow.position)).where(AuditRow.at >= since)
    return AuditRow.position < kept.scalar_subquery()


def _rows(session: Session) -> Iterator[AuditRow]:
    """Yield all rows, oldest first. No cursor stays open when the caller stops."""
    after, statement = 0, select(AuditRow).order_by(AuditRow.position).limit(_BATCH_SIZE)
    while rows := session.scalars(statement.where(AuditRow.position > after)).all():
        yield from rows
        after = rows[-1].position


def _written(details: Mapping[str, Any]) -> str:
    return seals.canonical_json(_without_addresses(details))


def _without_addresses(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_addresses(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_addresses(each) for each in value]
    return _LEFT_OUT if isinstance(value, str) and "@" in value else value


def _append(session: Session, rows: Sequence[AuditRow]) -> None:
    """Number and seal rows, and add them."""
    head, key = _locked_head(session), session.info["keys"][KeyKind.SERVER][-1]
    for row in rows:
        row.position = head.position + 1
        row.hash = _seal(key, head.hash, row)
        head.position, head.hash = row.position, row.hash
    session.add_all(rows)
    session.flush()


def _locked_head(session: Session) -> AuditHead:
    locked = select(AuditHead).where(AuditHead.id == _HEAD).with_for_update()
    found = session.scalar(locked)
    if found is None:
        first = {"id": _HEAD, "position": 0, "hash": seals.FIRST_HEAD}
        queries.insert_missing(session, AuditHead, [first])
        found = session.scalars(locked).one()
    return found


def _entries() -> Select[*tuple[Any, ...]]:
    return select(AuditRow, StaffRow.email).outerjoin(StaffRow, StaffRow.id == AuditRow.staff_id)


def _entry(found: Sequence[Any]) -> AuditEntry:
    row, email = found
    return AuditEntry(row.position, row.at, email, row.action, row.about, loads(row.details))


def _seal(key: str, head: bytes, row: AuditRow) -> bytes:
    text = seals.canonical_json(
        {
            "position": row.position,
            "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "staff_id": row.staff_id and str(row.staff_id),
            "action": row.action.value,
            "about": row.about and str(row.about),
            "details": row.details,
        }
    )
    return hmac.digest(key.encode(), b"audit\n" + head + text.encode(), sha256)
