"""Campaign files: the links and the verdict of each row."""

import io
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from preference_center.core.vocab import Frequency
from preference_center.data import campaign_csv
from preference_center.data.campaign_csv import CampaignFile, audience_columns
from preference_center.data.links_csv import LINK_COLUMNS, links_columns
from preference_center.data.tabular import CsvWriter, FileRefusedError, RefusedRow, Row, read_csv
from preference_center.store import Database, UnavailableError
from preference_center.store.tables import Claim, SubscriberRow
from tests.support import make

MAILING = CampaignFile(make.minter(), "weekly-news", "2026-47", make.NOW.date(), "Weekly news")


def _verdicts(database: Database, content: str, *, claim: bool = False) -> list[Any]:
    rows = read_csv(io.BytesIO(content.encode()))
    return list(MAILING.verdicts(rows, database, lambda: make.NOW, claim=claim))


def _claimed(database: Database) -> list[UUID]:
    with database.reading() as session:
        held = session.query(Claim).filter(Claim.released_at.is_(None))
        return [claim.subscriber_id for claim in held]


def _released(database: Database, content: str) -> int:
    rows = read_csv(io.BytesIO(content.encode()))
    results = MAILING.release(rows, database, lambda: make.NOW)
    return sum(count for count in results if not isinstance(count, RefusedRow))


def _links(content: str) -> list[Mapping[str, str] | RefusedRow]:
    return list(MAILING.links(read_csv(io.BytesIO(content.encode()))))


def test_links_keep_every_column_and_add_ours() -> None:
    (row,) = _links("email,name\nada@example.org,Ada\n")
    assert isinstance(row, Mapping)
    expected = make.minter().mint(
        "ada@example.org", "weekly-news", "2026-47", day=make.NOW.date(), list_name="Weekly news"
    )
    assert list(row) == links_columns(["email", "name"])
    assert (row["name"], row["id"]) == ("Ada", str(expected.id))
    assert {name: row[name] for name in LINK_COLUMNS} == {
        name: getattr(expected, name) for name in LINK_COLUMNS
    }


def test_an_id_and_its_address_get_the_same_links() -> None:
    (by_email,) = _links("email\nada@example.org\n")
    (by_id,) = _links(f"id\n{make.id_of()}\n")
    assert isinstance(by_email, Mapping)
    assert isinstance(by_id, Mapping)
    assert by_id["unsubscribe_url"] == by_email["unsubscribe_url"]


def test_an_address_escaped_by_an_export_gets_the_same_id() -> None:
    (row,) = _links("email\n'+ada@example.org\n")
    assert isinstance(row, Mapping)
    assert row["id"] == str(make.id_of("+ada@example.org"))


def test_unreadable_rows_are_returned_as_refused() -> None:
    _, empty, short = _links("email,name\na@b.c,x\n,x\nx\n")
    assert isinstance(empty, RefusedRow)
    assert isinstance(short, RefusedRow)
    assert (empty.line, empty.why, short.line) == (3, "neither an email nor an id", 4)


@pytest.mark.parametrize("columns", [["name"], ["email", "list_id"], ["id", "unsubscribe_url"]])
def test_a_file_without_identities_or_with_our_columns_is_refused(columns: list[str]) -> None:
    for check in (links_columns, audience_columns):
        with pytest.raises(FileRefusedError):
            check(columns)


def test_an_allowed_row_gets_links_and_a_denied_row_gets_none(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org")
        make.subscriber(session, "bob@example.org")
        make.unsubscribe(session, "bob@example.org")
    ada, bob = _verdicts(database, "email,name\nada@example.org,Ada\nbob@example.org,Bob\n")
    assert (ada["verdict"], ada["reason"], ada["name"]) == ("allow", "", "Ada")
    assert ada["list_unsubscribe"].startswith("<https://mail.example.org/u/")
    assert (bob["verdict"], bob["reason"]) == ("deny", "unsubscribed")
    assert {bob[name] for name in LINK_COLUMNS} == {""}
    assert set(ada) == set(audience_columns(["email", "name"]))


def test_a_row_with_an_id_gets_the_address_on_record(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    (row,) = _verdicts(database, f"id\n{make.id_of()}\n")
    assert (row["email"], row["verdict"]) == ("ada@example.org", "allow")


@pytest.mark.parametrize("claim", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 1000])
def test_a_repeat_after_an_allow_is_a_duplicate(
    database: Database, monkeypatch: pytest.MonkeyPatch, claim: bool, batch_size: int
) -> None:
    monkeypatch.setattr(campaign_csv, "BATCH_SIZE", batch_size)
    with database.transaction() as session:
        make.subscriber(session)
        make.subscriber(session, "bob@example.org")
        make.unsubscribe(session, "bob@example.org")
    content = (
        f"email,id\nADA@example.org,\nbob@example.org,\n,{make.id_of()}\n"
        "bob@example.org,\nada@example.org ,\nzoe@example.org,\nzoe@example.org,\n"
    )
    rows = _verdicts(database, content, claim=claim)
    assert [(row["verdict"], row["reason"]) for row in rows] == [
        ("allow", ""),
        ("deny", "unsubscribed"),
        ("deny", "duplicate"),
        ("deny", "unsubscribed"),
        ("deny", "duplicate"),
        ("deny", "unknown"),
        ("deny", "unknown"),
    ]
    assert {rows[2][name] for name in LINK_COLUMNS} == {""}
    assert rows[2]["email"] == "ada@example.org"
    # Duplicates are found within one request: the next one allows the person again.
    assert _verdicts(database, content, claim=claim) == rows


@pytest.mark.parametrize("batch_size", [1, 1000])
def test_a_refused_row_does_not_use_up_an_allow(
    database: Database, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    monkeypatch.setattr(campaign_csv, "BATCH_SIZE", batch_size)
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    subscriber_id = make.id_of("nobody")
    content = f"email,id\nnobody,\n,{subscriber_id}\n,{subscriber_id}\n"
    refused, allowed, repeated = _verdicts(database, content)
    assert isinstance(refused, RefusedRow)
    assert refused.raw == b"nobody,\n"
    assert (allowed["verdict"], repeated["reason"]) == ("allow", "duplicate")


def test_a_row_with_an_unusable_address_claims_nothing(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    bob = "bob@-x.example.org"
    content = f"email,id\nada@-x.example.org,\n{bob},\n,{make.id_of(bob)}\n"
    rows = _verdicts(database, content, claim=True)
    assert [isinstance(row, RefusedRow) for row in rows] == [True, True, False]
    assert rows[2]["verdict"] == "allow"
    assert _claimed(database) == [make.id_of(bob)]


@pytest.mark.parametrize("original", ["42", "", str(make.id_of()), " 7 "])
def test_the_original_id_is_kept(database: Database, original: str) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    content = f"id,email,name\n{original},ada@example.org,Ada\n"
    (with_links,), (verdict,) = _links(content), _verdicts(database, content)
    assert isinstance(with_links, Mapping)
    for row, columns in ((with_links, links_columns), (verdict, audience_columns)):
        assert sorted(row) == sorted(columns(["id", "email", "name"]))
        assert (row["id"], row["original_id"]) == (str(make.id_of()), original)


@pytest.mark.parametrize("columns", [links_columns, audience_columns])
def test_original_id_is_added_only_if_the_input_has_an_id(
    columns: Callable[[list[str]], list[str]],
) -> None:
    assert "original_id" not in columns(["email"])
    assert columns(["email", "original_id"]).count("original_id") == 1
    with pytest.raises(FileRefusedError, match="column original_id would be overwritten"):
        columns(["email", "id", "original_id"])


def test_a_malformed_row_has_no_verdict_and_no_links(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    content = 'email,name\nada@example.org\nada@example.org,A,B\n"ada@example.org,A\n'
    assert [isinstance(row, RefusedRow) for row in _verdicts(database, content)] == [True] * 3
    assert [isinstance(row, RefusedRow) for row in _links(content)] == [True] * 3


def test_a_refused_row_keeps_its_place_among_the_verdicts(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.subscriber(session, "bob@example.org")
    rows = _verdicts(database, "email\nada@example.org\n\xff\x00\nbob@example.org\n")
    assert [isinstance(row, RefusedRow) for row in rows] == [False, True, False]


def test_an_unsubscribe_between_two_batches_is_honoured(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    people = "".join(f"p{number}@example.org\n" for number in range(1000))
    file = io.BytesIO(f"email\n{people}ada@example.org\n".encode())
    verdicts = MAILING.verdicts(read_csv(file), database, lambda: make.NOW)
    next(verdicts)
    with database.transaction() as session:
        make.unsubscribe(session)
    assert [row["reason"] for row in verdicts if isinstance(row, Mapping)][-1] == "unsubscribed"


def test_an_unavailable_database_gives_no_verdicts() -> None:
    unavailable = Database("sqlite:////nowhere/at/all.db", (make.SERVER_KEY,))
    with pytest.raises(UnavailableError):
        _verdicts(unavailable, "email\nada@example.org\n")


def test_an_invalid_address_is_refused(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    rows = [Row(2, {"email": "ada@example.org\r\nBcc: x@example.org"}), Row(3, {"email": "ada"})]
    mailing = CampaignFile(make.minter(), "weekly-news", "2026-47", make.NOW.date())
    merged = list(mailing.verdicts(rows, database, lambda: make.NOW))
    assert [row.line for row in merged if isinstance(row, RefusedRow)] == [2, 3]
    assert len(merged) == 2


def test_a_claim_gives_the_same_verdicts_as_a_check_and_is_counted(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.subscriber(session, "bob@example.org")
        make.unsubscribe(session, "bob@example.org")
    content = "email,name\nada@example.org,Ada\nbob@example.org,Bob\nzoe@example.org,Zoe\n"
    checked = _verdicts(database, content)
    assert _claimed(database) == []
    assert _verdicts(database, content, claim=True) == checked
    assert _claimed(database) == [make.id_of()]


def test_a_deferred_row_says_until_when(database: Database) -> None:
    until = make.NOW + timedelta(days=3)
    with database.transaction() as session:
        make.subscriber(session, paused_until=until)
    (ada,) = _verdicts(database, "email\nada@example.org\n", claim=True)
    assert (ada["verdict"], ada["reason"], ada["until"]) == ("defer", "paused", until.isoformat())
    assert {ada[name] for name in LINK_COLUMNS} == {""}


def test_unknown_people_are_claimed_under_an_opt_out_policy(database: Database) -> None:
    bob = make.id_of("bob@example.org")
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    content = f"email,id\nada@example.org,\n,{bob}\n"
    ada, by_id = _verdicts(database, content, claim=True)
    assert [row["verdict"] for row in (ada, by_id)] == ["allow", "allow"]
    assert (ada["email"], by_id["email"]) == ("ada@example.org", "")
    assert set(_claimed(database)) == {make.id_of(), bob}
    with database.reading() as session:
        people = session.query(SubscriberRow)
        assert {each.email for each in people} == {"ada@example.org", None}


def test_a_person_named_twice_is_claimed_once(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, frequency=Frequency.MONTHLY)
    content = f"email,id\nADA@example.org,\n,{make.id_of()}\n"
    rows = _verdicts(database, content, claim=True)
    assert [row["verdict"] for row in rows] == ["allow", "deny"]
    assert _claimed(database) == [make.id_of()]


def test_a_crashed_mailing_gets_the_same_verdicts_when_repeated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_csv, "BATCH_SIZE", 10)
    with database.transaction() as session:
        for number in range(50):
            make.subscriber(session, f"p{number}@example.org", frequency=Frequency.WEEKLY)
    content = "email\n" + "".join(f"p{number}@example.org\n" for number in range(50))
    rows = read_csv(io.BytesIO(content.encode()))
    verdicts = MAILING.verdicts(rows, database, lambda: make.NOW, claim=True)
    for _ in range(25):
        next(verdicts)
    del verdicts
    assert len(_claimed(database)) == 30
    assert {row["verdict"] for row in _verdicts(database, content, claim=True)} == {"allow"}
    assert len(_claimed(database)) == 50


def test_a_claim_is_committed_before_its_verdict_is_yielded(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    rows = read_csv(io.BytesIO(b"email\nada@example.org\n"))
    next(MAILING.verdicts(rows, database, lambda: make.NOW, claim=True))
    assert _claimed(database) == [make.id_of()]


def test_an_unsubscribe_just_before_a_claim_is_honoured(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)

    def clock() -> datetime:  # It is read after the transaction has begun.
        if not database.is_sqlite:  # SQLite lets no other transaction in between
            with database.transaction() as session:
                make.unsubscribe(session)
        return make.NOW

    rows = read_csv(io.BytesIO(b"email\nada@example.org\n"))
    (row,) = MAILING.verdicts(rows, database, clock, claim=True)
    assert isinstance(row, Mapping)
    assert row["verdict"] == ("allow" if database.is_sqlite else "deny")


def test_a_release_removes_the_claims_of_the_named_people(database: Database) -> None:
    emails = [f"p{number}@example.org" for number in range(1200)]
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    everyone = "email\n" + "".join(f"{email}\n" for email in emails)
    _verdicts(database, everyone, claim=True)
    unsent = "email\n" + "".join(f"{email}\n" for email in [*emails[100:], "zoe@example.org"])
    assert _released(database, unsent) == 1100
    assert set(_claimed(database)) == {make.id_of(email) for email in emails[:100]}
    assert _released(database, unsent) == 0


def test_a_release_returns_unreadable_rows_as_refused(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    _verdicts(database, "email\nada@example.org\n", claim=True)
    content = b"email,id,name\n,nobody,\nada@example.org,,\n,,Zoe\n"
    results = list(MAILING.release(read_csv(io.BytesIO(content)), database, lambda: make.NOW))
    assert [row.line for row in results if isinstance(row, RefusedRow)] == [2, 4]
    assert [count for count in results if not isinstance(count, RefusedRow)] == [1]


def test_a_release_ignores_rows_that_were_not_allowed(database: Database) -> None:
    with database.transaction() as session:
        for name in ("ada", "bob", "cyd"):
            make.subscriber(session, f"{name}@example.org")
    people = ["ada@example.org", "bob@example.org", "cyd@example.org"]
    _verdicts(database, "email\n" + "\n".join(people), claim=True)
    content = 'email,verdict\nada@example.org,"Allow."\nbob@example.org,deny\ncyd@example.org,\n'
    assert _released(database, content) == 1
    assert set(_claimed(database)) == {make.id_of(person) for person in people[1:]}
    assert _released(database, "email\nbob@example.org\n") == 1


def test_the_verdicts_of_a_request_release_all_its_claims(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    content = "email\n" + "ada@example.org\nbob@example.org\n" * 2
    file = io.StringIO(newline="")
    writer = CsvWriter(file, audience_columns(["email"]), escape=False)
    for row in _verdicts(database, content, claim=True):
        writer.write(row)
    assert _released(database, file.getvalue()) == 2
    assert _claimed(database) == []
