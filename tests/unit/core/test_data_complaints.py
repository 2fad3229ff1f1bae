"""Complaints about the use of data: stored once, due in 30 days, erased with the person."""

from datetime import timedelta

import pytest

from preference_center.core import data_complaints, erasure
from preference_center.core.data_complaints import MAX_LENGTH, MAX_OF_A_DAY, Complaint
from preference_center.core.errors import ComplaintRefusal
from preference_center.core.vocab import OutboxKind, Source
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import make

DAY = timedelta(days=1)


def complain(database: Database, text: str = "You sold it.", at: timedelta = 0 * DAY) -> None:
    with database.transaction() as session:
        data_complaints.add(session, make.id_of(), text, make.NOW + at)


def listed(database: Database, *, closed: bool = False) -> list[Complaint]:
    with database.reading() as session:
        return list(data_complaints.read(session, closed=closed))


def close(database: Database, at: timedelta = 0 * DAY, by: str = "Fay", number: int = 1) -> None:
    with database.transaction() as session:
        data_complaints.close(session, make.id_of(), number, "We stop.", by, make.NOW + at)


@pytest.fixture
def known(database: Database) -> Database:
    with database.transaction() as session:
        make.subscriber(session)
    return database


def test_complaints_are_numbered_and_announced(known: Database) -> None:
    complain(known)
    complain(known, "And you wrote again.", DAY)
    assert [(each.number, each.text) for each in listed(known)] == [
        (1, "You sold it."),
        (2, "And you wrote again."),
    ]
    with known.reading() as session:
        rows = session.query(OutboxRow).order_by(OutboxRow.first_seq).all()
        assert [(row.kind, row.first_seq) for row in rows] == [
            (OutboxKind.DATA_COMPLAINT, 1),
            (OutboxKind.DATA_COMPLAINT, 2),
        ]


def test_a_complaint_is_late_after_30_days(known: Database) -> None:
    complain(known)
    (complaint,) = listed(known)
    assert complaint.due_at == make.NOW + 30 * DAY
    assert not complaint.is_late(make.NOW + 29 * DAY)
    assert complaint.is_late(make.NOW + 30 * DAY)


def test_an_acknowledged_complaint_is_never_late(known: Database) -> None:
    complain(known)
    for by in ("Fay", "Gus"):
        with known.transaction() as session:
            data_complaints.acknowledge(session, make.id_of(), 1, by, make.NOW + DAY)
    (complaint,) = listed(known)
    assert (complaint.acknowledged_by, complaint.acknowledged_at) == ("Fay", make.NOW + DAY)
    assert not complaint.is_late(make.NOW + 99 * DAY)


def test_a_closed_complaint_has_an_outcome_and_is_no_longer_listed(known: Database) -> None:
    complain(known)
    close(known)
    close(known, DAY, "Gus")
    assert listed(known) == []
    (complaint,) = listed(known, closed=True)
    assert (complaint.outcome, complaint.closed_by) == ("We stop.", "Fay")
    assert complaint.closed_at == complaint.acknowledged_at == make.NOW
    assert complaint.acknowledged_by == "Fay"


def test_closing_keeps_who_has_acknowledged(known: Database) -> None:
    complain(known)
    with known.transaction() as session:
        data_complaints.acknowledge(session, make.id_of(), 1, "Gus", make.NOW)
    close(known, DAY)
    (complaint,) = listed(known, closed=True)
    assert (complaint.acknowledged_by, complaint.acknowledged_at) == ("Gus", make.NOW)
    assert (complaint.closed_by, complaint.closed_at) == ("Fay", make.NOW + DAY)


@pytest.mark.parametrize("outcome", ["", "x" * (MAX_LENGTH + 1)])
def test_an_outcome_is_neither_empty_nor_too_long(known: Database, outcome: str) -> None:
    complain(known)
    with known.transaction() as session, pytest.raises(ComplaintRefusal):
        data_complaints.close(session, make.id_of(), 1, outcome, "Fay", make.NOW)
    assert listed(known)[0].closed_at is None


def test_an_unknown_complaint_cannot_be_acknowledged(known: Database) -> None:
    with known.transaction() as session, pytest.raises(ComplaintRefusal):
        data_complaints.acknowledge(session, make.id_of(), 1, "Fay", make.NOW)


@pytest.mark.parametrize("text", ["", "x" * (MAX_LENGTH + 1)])
def test_a_text_is_neither_empty_nor_too_long(known: Database, text: str) -> None:
    with pytest.raises(ComplaintRefusal):
        complain(known, text)
    assert listed(known) == []


def test_only_a_few_a_day_are_taken(known: Database) -> None:
    for _ in range(MAX_OF_A_DAY):
        complain(known)
    with pytest.raises(ComplaintRefusal):
        complain(known)
    complain(known, at=DAY)
    assert len(listed(known)) == MAX_OF_A_DAY + 1


def test_an_erasure_deletes_the_text_and_keeps_the_deadline(known: Database) -> None:
    for number in (1, 2):
        complain(known)
        if number == 1:
            close(known)
    with known.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.PAGE, make.NOW)
    closed, complaint = listed(known, closed=True)
    assert (closed.text, closed.outcome, closed.closed_by) == ("", None, "Fay")
    assert (complaint.text, complaint.email) == ("", None)
    assert complaint.due_at == make.NOW + 30 * DAY
    with pytest.raises(ComplaintRefusal):
        complain(known)


def test_closed_complaints_are_purged_after_their_retention(known: Database) -> None:
    for _ in range(3):
        complain(known)
    close(known)
    with known.transaction() as session:
        data_complaints.acknowledge(session, make.id_of(), 2, "Fay", make.NOW)
    name = "closed complaints about the use of data"
    with known.transaction() as session:
        assert make.purge(session, name, make.NOW + 730 * DAY) == 0
        assert make.purge(session, name, make.NOW + 731 * DAY) == 1
    assert [each.number for each in listed(known, closed=True)] == [2, 3]


def test_a_text_is_stored_without_controls_and_with_simple_line_ends() -> None:
    assert data_complaints.cleaned(" a\x00b\r\nc\rd ") == "a b\nc\nd"
    assert data_complaints.cleaned("a\x1b[2Jb\tc\x9b1m\x07\u200d") == "a [2Jb\tc 1m \u200d"
