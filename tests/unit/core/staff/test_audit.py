"""The audit trail: its order, and that a changed or missing row is found."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.store import Database
from preference_center.store.tables import AuditHead, AuditRow
from tests.support import make
from tests.support.make import NOW

STAFF = UUID(int=7)


def record(session: Session, times: int = 1) -> None:
    for number in range(times):
        about = make.id_of(f"{number}@example.org")
        audit.record(session, None, AuditAction.INVITED, NOW, about, {"number": number})


def test_rows_are_read_newest_first_page_by_page(session: Session) -> None:
    record(session, 5)
    first = audit.read(session, 2)
    second = audit.read(session, 9, before=first[-1].position)
    assert [each.details["number"] for each in (*first, *second)] == [4, 3, 2, 1, 0]
    [about] = audit.read(session, 9, about=make.id_of("3@example.org"))
    assert about.details["number"] == 3


def test_a_page_with_several_people_is_one_row_and_one_about_each(session: Session) -> None:
    people = [make.id_of(f"{number}@example.org") for number in (0, 1, 1)]
    audit.record_views(session, STAFF, AuditAction.LIST_READ, NOW, people, {"from": 0})
    record(session)
    page = audit.read(session, 9)
    assert [(each.action, each.about) for each in page] == [
        (AuditAction.INVITED, people[0]),
        (AuditAction.LIST_READ, None),
    ]
    assert page[1].details == {"from": 0}
    for person, rows in ((people[0], 2), (people[1], 1)):
        assert len(audit.read(session, 9, about=person)) == rows
    assert audit.verify(session) is None


def test_an_address_in_the_details_is_left_out(session: Session) -> None:
    details = {"filters": {"topic": "ada@example.org"}, "scopes": ["x@y", "links"], "people": 3}
    audit.record(session, None, AuditAction.LIST_READ, NOW, details=details)
    [entry] = audit.read(session, 9)
    assert entry.details == {
        "filters": {"topic": "(left out)"},
        "scopes": ["(left out)", "links"],
        "people": 3,
    }
    assert audit.verify(session) is None


def test_an_unchanged_trail_is_verified(session: Session) -> None:
    assert audit.verify(session) is None
    record(session, 3)
    assert audit.verify(session) is None


@pytest.mark.parametrize(
    "tampering",
    [
        update(AuditRow).where(AuditRow.position == 2).values(details="{}"),
        update(AuditRow).where(AuditRow.position == 2).values(about=None),
        delete(AuditRow).where(AuditRow.position == 2),
        delete(AuditRow).where(AuditRow.position == 3),
        update(AuditHead).values(hash=bytes(32)),
    ],
    ids=["details", "about", "in the middle", "the last", "the head"],
)
def test_a_changed_or_missing_row_is_found(session: Session, tampering: object) -> None:
    record(session, 3)
    session.execute(tampering)  # type: ignore[call-overload]
    session.expire_all()
    assert audit.verify(session) is not None


def test_rows_that_were_purged_do_not_break_it(session: Session) -> None:
    record(session, 3)
    session.execute(delete(AuditRow).where(AuditRow.position == 1))
    assert audit.verify(session) is None


def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    def write(_: int) -> None:
        with database.transaction() as session:
            record(session)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(12)))
    with database.reading() as session:
        assert len(audit.read(session, 99)) == 12
        assert audit.verify(session) is None


def test_the_trail_is_purged_after_its_time_but_for_the_last_row(session: Session) -> None:
    record(session, 2)
    later = NOW + make.RETENTION.audit
    assert make.purge(session, "rows of the audit trail", later) == 0
    assert make.purge(session, "rows of the audit trail", later + timedelta(seconds=1)) == 0
    audit.record(session, None, AuditAction.INVITED, later)
    assert make.purge(session, "rows of the audit trail", later) == 0
    assert make.purge(session, "rows of the audit trail", later + timedelta(seconds=1)) == 2
    assert audit.verify(session) is None
