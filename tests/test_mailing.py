"""What a sender merges: each row with its links, and a verdict for each person."""

import io
from collections.abc import Mapping
from typing import Any

import pytest

from preference_center.mailing import (
    LINK_COLUMNS,
    Mailing,
    audience_columns,
    links_columns,
)
from preference_center.rows import FileRefusedError, RefusedRow, Row, read_csv
from preference_center.store import Database, UnavailableError
from tests import make

MAILING = Mailing(make.minter(), "weekly-news", "2026-47", make.NOW.date(), "Weekly news")


def _verdicts(database: Database, content: str) -> list[Any]:
    rows = read_csv(io.BytesIO(content.encode()))
    return list(MAILING.verdicts(rows, database, lambda: make.NOW))


def _links(content: str) -> list[Mapping[str, str] | RefusedRow]:
    return list(MAILING.links(read_csv(io.BytesIO(content.encode()))))


def test_links_keep_what_came_in_and_add_ours() -> None:
    (row,) = _links("email,name\nada@example.org,Ada\n")
    assert isinstance(row, Mapping)
    wanted = make.minter().mint(
        "ada@example.org", "weekly-news", "2026-47", day=make.NOW.date(), list_name="Weekly news"
    )
    assert list(row) == links_columns(["email", "name"])
    assert (row["name"], row["id"]) == ("Ada", str(wanted.id))
    assert {name: row[name] for name in LINK_COLUMNS} == {
        name: getattr(wanted, name) for name in LINK_COLUMNS
    }


def test_links_for_an_id_are_those_of_its_address() -> None:
    (by_email,) = _links("email\nada@example.org\n")
    (by_id,) = _links(f"id\n{make.person()}\n")
    assert isinstance(by_email, Mapping)
    assert isinstance(by_id, Mapping)
    assert by_id["unsubscribe_url"] == by_email["unsubscribe_url"]


def test_an_escaped_address_of_an_export_is_the_same_person() -> None:
    (row,) = _links("email\n'+ada@example.org\n")
    assert isinstance(row, Mapping)
    assert row["id"] == str(make.person("+ada@example.org"))


def test_rows_that_cannot_be_read_are_passed_on_as_refused() -> None:
    _, empty, short = _links("email,name\na@b.c,x\n,x\nx\n")
    assert isinstance(empty, RefusedRow)
    assert isinstance(short, RefusedRow)
    assert (empty.line, empty.why, short.line) == (3, "neither an email nor an id", 4)


@pytest.mark.parametrize("columns", [["name"], ["email", "list_id"], ["id", "unsubscribe_url"]])
def test_a_file_without_people_or_with_our_columns_is_refused(columns: list[str]) -> None:
    for check in (links_columns, audience_columns):
        with pytest.raises(FileRefusedError):
            check(columns)


def test_who_may_be_mailed_gets_links_and_who_may_not_gets_none(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org")
        make.reader(session, "bob@example.org")
        make.stop(session, "bob@example.org")
    ada, bob = _verdicts(database, "email,name\nada@example.org,Ada\nbob@example.org,Bob\n")
    assert (ada["verdict"], ada["reason"], ada["name"]) == ("allow", "", "Ada")
    assert ada["list_unsubscribe"].startswith("<https://mail.example.org/u/")
    assert (bob["verdict"], bob["reason"]) == ("deny", "unsubscribed")
    assert {bob[name] for name in LINK_COLUMNS} == {""}
    assert set(ada) == set(audience_columns(["email", "name"]))


def test_who_is_named_by_id_gets_the_address_on_record(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
    (row,) = _verdicts(database, f"id\n{make.person()}\n")
    assert (row["email"], row["verdict"]) == ("ada@example.org", "allow")


def test_each_row_of_somebody_named_twice_gets_the_same_verdict(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
    content = f"email,id\nADA@example.org,\n,{make.person()}\nada@example.org ,\n"
    assert [row["verdict"] for row in _verdicts(database, content)] == ["allow"] * 3


def test_a_refused_row_stands_between_the_verdicts_of_the_others(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
    rows = _verdicts(database, "email\nada@example.org\n\xff\x00\nada@example.org\n")
    assert [isinstance(row, RefusedRow) for row in rows] == [False, True, False]


def test_a_stop_made_between_two_batches_is_honoured(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
    people = "".join(f"p{number}@example.org\n" for number in range(1000))
    file = io.BytesIO(f"email\n{people}ada@example.org\n".encode())
    verdicts = MAILING.verdicts(read_csv(file), database, lambda: make.NOW)
    next(verdicts)
    with database.transaction() as session:
        make.stop(session)
    assert [row["reason"] for row in verdicts if isinstance(row, Mapping)][-1] == "unsubscribed"


def test_nobody_gets_a_verdict_when_the_database_cannot_be_asked() -> None:
    gone = Database("sqlite:////nowhere/at/all.db", (make.SERVER_KEY,))
    with pytest.raises(UnavailableError):
        _verdicts(gone, "email\nada@example.org\n")


def test_nobody_is_allowed_at_what_is_no_address(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    rows = [Row(2, {"email": "ada@example.org\r\nBcc: x@example.org"}), Row(3, {"email": "ada"})]
    mailing = Mailing(make.minter(), "weekly-news", "2026-47", make.NOW.date())
    merged = list(mailing.verdicts(rows, database, lambda: make.NOW))
    assert [row.line for row in merged if isinstance(row, RefusedRow)] == [2, 3]
    assert len(merged) == 2
