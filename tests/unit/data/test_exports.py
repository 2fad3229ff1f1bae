"""Exports can be imported again unchanged, in either order."""

import csv
import io
import os
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from preference_center.core import audience, erasure, reasons, subscriptions, topics
from preference_center.core.vocab import (
    Decision,
    Frequency,
    Pause,
    Scope,
    Source,
    Status,
    TopicPolicy,
)
from preference_center.data import exports
from preference_center.data.import_columns import PREFERENCES, SUPPRESSIONS
from preference_center.data.import_records import Rules
from preference_center.data.imports import Import
from preference_center.data.tabular import RefusedRow, read_csv, read_json_lines
from preference_center.store import Database
from preference_center.store.tables import (
    AnonymizedReason,
    Base,
    KeyCheck,
    SubscriberRow,
    SubscriptionRow,
)
from tests.support import make

pytestmark = pytest.mark.every_engine

HOSTILE = [
    "'=1+1",
    "''",
    "bye;=cmd",
    "a;'b",
    'x,"=1',
    "＝1",
    "=cmd|' /C calc'!A0",
    '"a","b"\r\nc',
    "\tx",
    "\r",
    "\u2028",
    "é\u0301",
]
FORMATS = ["csv", "jsonl"]
ORDERS = [("preferences", "suppressions"), ("suppressions", "preferences")]


def _export(database: Database, what: str, file_format: str = "csv", **selection: Any) -> bytes:
    file, kind = io.BytesIO(), exports.KINDS[what]
    with database.reading() as session:
        exports.Export(kind, exports.Filter(**selection), file_format).write(session, file)
    return file.getvalue()


def _import(database: Database, content: bytes, file_format: str) -> None:
    refused: list[RefusedRow] = []
    read: Callable[..., Any] = read_csv if file_format == "csv" else read_json_lines
    job = Import(database, Rules(make.IDENTITY_KEY), lambda: make.NOW, create_topics=True)
    job.run(read(io.BytesIO(content)), refused.append)
    assert refused == []


def _clear(database: Database) -> None:
    with database.transaction() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != KeyCheck.__tablename__:
                session.execute(delete(table))


def _cells(content: bytes, *columns: str) -> list[tuple[str, ...]]:
    rows = read_csv(io.BytesIO(content))
    return [
        tuple(row.cells[name] for name in columns)
        for row in rows
        if not isinstance(row, RefusedRow)
    ]


def _add_people(session: Session) -> None:
    """Add one person of each kind."""
    for number, cell in enumerate(HOSTILE):
        fields: Any = dict.fromkeys(("acquired_from", "consent_source", "basis"), cell)
        make.subscriber(session, f"'+{number}=h@example.org", **fields)
    for name in ("left", "all", "bounced", "complained", "both", "erased", "twice"):
        make.subscriber(session, f"{name}@example.org", "weekly-news", "offers")
        make.set_details(session, f"{name}@example.org", locale="pt-BR")
    make.unsubscribe(session, "left@example.org", source="one-click", campaign="2026-47")
    make.unsubscribe(session, "all@example.org", None)
    make.unsubscribe(session, "bounced@example.org", None, Scope.ADDRESS, source="bounce")
    make.unsubscribe(session, "complained@example.org", None, source="complaint")
    make.unsubscribe(session, "both@example.org", source="mailto")
    make.unsubscribe(session, "both@example.org", None, source="complaint")
    make.unsubscribe(
        session, "both@example.org", None, Scope.ADDRESS, at=make.NOW + timedelta(hours=1)
    )
    make.unsubscribe(session, "twice@example.org", None, at=make.NOW - timedelta(days=9))
    make.unsubscribe(session, "twice@example.org", "offers", at=make.NOW - timedelta(days=2))
    make.unsubscribe(session, "stranger@example.org")  # known only by id
    make.unsubscribe(session, "nobody@example.org", None)
    make.subscriber(session, "unconfirmed@example.org", status=Status.UNCONFIRMED)
    erasure.erase(session, [make.id_of("erased@example.org")], Source.CLI, make.NOW)
    make.unsubscribe(session, "erased@example.org", "offers", at=make.NOW + timedelta(hours=1))
    for name in ("capped", "paused", "both-less", "less-then-all"):
        make.subscriber(session, f"{name}@example.org")
        if name != "paused":
            make.reduce(session, Frequency.MONTHLY, f"{name}@example.org")
        if name != "capped":
            make.reduce(session, Pause.TWO_WEEKS, f"{name}@example.org")
    make.unsubscribe(session, "less-then-all@example.org", None)
    for name in ("came-back", "came-back-and-left"):
        make.subscriber(session, f"{name}@example.org")
        _say_nothing(session, f"{name}@example.org")
    make.unsubscribe(session, "came-back-and-left@example.org", None)


def _say_nothing(session: Session, email: str) -> None:
    """Record that silence means no for a person, as after a return."""
    mine = SubscriberRow.subscriber_id == make.id_of(email)
    session.execute(update(SubscriberRow).where(mine).values(explicit_from=1))


@pytest.mark.parametrize(
    ("what", "columns"), [("preferences", PREFERENCES), ("suppressions", SUPPRESSIONS)]
)
def test_an_export_has_the_columns_that_import_reads(what: str, columns: tuple[str, ...]) -> None:
    assert exports.KINDS[what].columns == columns


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("order", ORDERS)
def test_a_round_trip_through_an_empty_database_changes_no_byte(
    database: Database, file_format: str, order: tuple[str, str]
) -> None:
    with database.transaction() as session:
        _add_people(session)
    files = {what: _export(database, what, file_format) for what in order}
    _clear(database)
    for what in order:
        _import(database, files[what], file_format)
    assert {what: _export(database, what, file_format) for what in order} == files
    for what in order:
        _import(database, files[what], file_format)
    assert {what: _export(database, what, file_format) for what in order} == files


def test_a_suppressions_export_of_one_topic_makes_the_round_trip(database: Database) -> None:
    with database.transaction() as session:
        _add_people(session)
    file = _export(database, "suppressions", topic="offers")
    _clear(database)
    _import(database, file, "csv")
    assert _export(database, "suppressions", topic="offers") == file


TEXT = st.text(max_size=12) | st.sampled_from(HOSTILE)
TEXTS = TEXT.filter(lambda text: "\0" not in text)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2026, 11, 22)).map(  # noqa: DTZ001
    lambda at: at.replace(tzinfo=make.NOW.tzinfo)
)
UNSUBSCRIBES = st.fixed_dictionaries(
    {
        "slug": st.sampled_from(["weekly-news", "offers", None]),
        "scope": st.sampled_from(["all", "address"]),
        "source": st.sampled_from(["page", "one-click", "bounce", "complaint", "cli", "import"]),
        "occurred_at": TIMES,
    }
)
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "known": st.booleans(),
            "erased": st.booleans(),
            "explicit": st.booleans(),
            "unsubscribes": st.lists(UNSUBSCRIBES, max_size=3),
        },
        optional={
            "cell": TEXTS,
            "locale": st.sampled_from(["de", "ar", "pt-BR"]),
            "frequency": st.sampled_from(list(Frequency)),
            "paused_until": TIMES.map(lambda at: at + timedelta(days=400)),
        },
    ),
    max_size=4,
)


def _build(session: Session, people: list[dict[str, Any]]) -> None:
    for number, person in enumerate(people):
        email = f"p{number}@example.org"
        if person["known"]:
            make.subscriber(session, email)
            make.subscriber(
                session,
                email,
                "offers",
                acquired_from=person.get("cell", ""),
                frequency=person.get("frequency", Frequency.EVERY),
                paused_until=person.get("paused_until"),
            )
            make.set_details(session, email, locale=person.get("locale"))
        if person["erased"]:
            erasure.erase(session, [make.id_of(email)], Source.CLI, make.NOW)
        for changes in person["unsubscribes"]:
            make.unsubscribe(session, email, **changes)
        if person["explicit"] and not person["erased"]:
            _say_nothing(session, email)


@pytest.mark.integration
@given(people=PEOPLE, file_format=st.sampled_from(FORMATS), order=st.sampled_from(ORDERS))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_subscribers_make_the_round_trip(
    database: Database, people: list[dict[str, Any]], file_format: str, order: tuple[str, str]
) -> None:
    _clear(database)
    with database.transaction() as session:
        _build(session, people)
    files = {what: _export(database, what, file_format) for what in order}
    _clear(database)
    for what in order:
        _import(database, files[what], file_format)
    assert {what: _export(database, what, file_format) for what in order} == files


def test_silence_still_means_no_after_a_move(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.subscriber(session, "bob@example.org")
        _say_nothing(session, "ada@example.org")
    file = _export(database, "preferences")
    assert sorted(_cells(file, "email", "silence")) == [
        ("ada@example.org", "no"),
        ("bob@example.org", ""),
    ]
    _clear(database)
    _import(database, file, "csv")
    with database.transaction() as session:
        make.topic(session, "digest", policy=TopicPolicy.OPT_OUT)
        topic = topics.get(session, "digest")
        people = {make.id_of(each): each for each in ("ada@example.org", "bob@example.org")}
        verdicts = audience.check(session, topic, "2026-47", people, make.NOW)
    decisions = {people[each]: found.decision for each, found in verdicts.items()}
    assert decisions == {"ada@example.org": Decision.DENY, "bob@example.org": Decision.ALLOW}


def test_a_global_unsubscribe_is_exported_for_each_topic(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        make.unsubscribe(session, slug=None)
    file = _export(database, "preferences")
    assert _cells(file, "topic", "status", "changed_at", "changed_by") == [
        ("offers", "unsubscribed", make.NOW.isoformat(), "page"),
        ("weekly-news", "unsubscribed", make.NOW.isoformat(), "page"),
    ]


def test_no_csv_cell_runs_as_a_formula(database: Database) -> None:
    with database.transaction() as session:
        _add_people(session)
    file = _export(database, "preferences").decode()
    for separator in ",;\t|":
        rows = csv.reader(io.StringIO(file, newline=""), delimiter=separator)
        cells = [cell for row in rows for cell in row]
        assert cells
        assert not [cell for cell in cells if cell.lstrip("\r\n").startswith(tuple("=+-@＝\t"))]


def test_csv_for_excel_only_adds_a_byte_order_mark(database: Database) -> None:
    with database.transaction() as session:
        _add_people(session)
    file, kind = io.BytesIO(), exports.KINDS["preferences"]
    with database.reading() as session:
        exports.Export(kind, exports.Filter(), "csv", mark=True).write(session, file)
    assert file.getvalue() == b"\xef\xbb\xbf" + _export(database, "preferences")


@pytest.mark.parametrize("what", sorted(exports.KINDS))
@pytest.mark.parametrize("file_format", FORMATS)
def test_an_empty_database_exports_an_empty_file(
    database: Database, what: str, file_format: str
) -> None:
    header = ",".join(exports.KINDS[what].columns) + "\r\n" if file_format == "csv" else ""
    assert _export(database, what, file_format) == header.encode()


def test_the_ledger_export_has_the_stated_source_until_erasure(database: Database) -> None:
    text = "email,topic,status,changed_by\nada@example.org,news,unsubscribed,phone\n"
    _import(database, text.encode(), "csv")
    cells = _cells(_export(database, "ledger"), "source", "stated_source")
    assert cells == [("import", "changed_by: phone")]
    with database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    assert ("import", "") in _cells(_export(database, "ledger"), "source", "stated_source")


@pytest.mark.parametrize("what", ["preferences", "ledger"])
def test_an_export_can_be_limited_to_one_topic(database: Database, what: str) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
    assert _cells(_export(database, what, topic="offers"), "topic") == [("offers",)]


def test_an_undo_of_several_topics_is_exported_for_each(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        first, last = make.unsubscribe(session), make.unsubscribe(session, slug="offers")
        make.undo(session, first.last_seq, last.last_seq)
    for slug in ("weekly-news", "offers"):
        assert ("undone",) in _cells(_export(database, "ledger", topic=slug), "event")


def test_frequencies_and_pauses_are_exported(database: Database) -> None:
    with database.transaction() as session:
        _add_people(session)
    rows = _cells(_export(database, "preferences"), "email", "frequency", "paused_until")
    until = subscriptions.paused_until(Pause.TWO_WEEKS, make.NOW, UTC).isoformat()
    assert {row for row in rows if row[1:] != ("every", "")} == {
        ("capped@example.org", "monthly", ""),
        ("paused@example.org", "every", until),
        ("both-less@example.org", "monthly", until),
        ("less-then-all@example.org", "monthly", until),
    }


def _add_reason(session: Session, number: int, at: datetime = make.NOW, **changes: Any) -> None:
    email, campaign = f"p{number}@example.org", changes.get("campaign", f"2026-{number % 2}")
    change = make.unsubscribe(session, email, changes.get("slug", "weekly-news"), campaign=campaign)
    code, note = changes.get("code", "too_many"), changes.get("note", "")
    reasons.record(session, make.id_of(email), change.last_seq, code, note, at)


def _anonymize(session: Session) -> None:
    """Anonymize every reason on record."""
    make.anonymize_reasons(session, make.NOW + timedelta(days=91))


def test_reasons_name_no_person_and_have_one_order_on_both_engines(database: Database) -> None:
    notes = ["b", "", "a_", "a-", "\u00e9", "=1+1", "B", "a"]
    with database.transaction() as session:
        for number, note in enumerate(notes):
            if number == 4:
                _anonymize(session)
            slug = "weekly-news" if number % 3 else None
            code = "other" if number % 4 else "no_longer_interested"
            _add_reason(session, number, slug=slug, code=code, note=note)
    rows = _cells(_export(database, "reasons"), *exports.KINDS["reasons"].columns)
    assert rows == sorted(rows, key=lambda row: [cell.encode() for cell in row])
    assert sorted(row[-1] for row in rows) == sorted(notes)
    assert {row[0] for row in rows} == {"2026-11-16"}
    # Only four reasons are anonymized: too few to keep their campaign.
    assert sum(row[2] == "" for row in rows) == 4


def test_no_reason_runs_as_a_formula(database: Database) -> None:
    with database.transaction() as session:
        _add_reason(session, 1, note="=HYPERLINK(1)")
    assert b",'=HYPERLINK(1)\r\n" in _export(database, "reasons")
    assert b'"=HYPERLINK(1)"' in _export(database, "reasons", "jsonl")


@pytest.mark.parametrize("anonymized", [False, True])
def test_reasons_are_exported_by_whole_weeks(database: Database, anonymized: bool) -> None:
    monday = datetime(2026, 11, 16, tzinfo=make.NOW.tzinfo)
    with database.transaction() as session:
        for number in range(3):
            _add_reason(session, number, monday + timedelta(weeks=number - 1, days=3), slug="news")
        if anonymized:
            _anonymize(session)
    week, day, moment = timedelta(weeks=1), timedelta(days=1), timedelta(microseconds=1)

    def weeks(**selection: Any) -> list[str]:
        return [row[0] for row in _cells(_export(database, "reasons", **selection), "week")]

    assert weeks() == ["2026-11-09", "2026-11-16", "2026-11-23"]
    assert weeks(since=monday) == weeks(since=monday + 6 * day) == ["2026-11-16", "2026-11-23"]
    assert weeks(since=monday - moment) == weeks()
    assert weeks(until=monday) == ["2026-11-09"]
    assert weeks(until=monday + moment) == weeks(until=monday + week)
    assert weeks(since=monday, until=monday + week) == ["2026-11-16"]


def test_reasons_of_one_topic_exclude_global_unsubscribes(database: Database) -> None:
    with database.transaction() as session:
        for number, slug in enumerate(["news", "offers", None]):
            _add_reason(session, number, slug=slug)
    assert _cells(_export(database, "reasons", topic="news"), "topic") == [("news",)]


@pytest.mark.parametrize("what", ["ledger", "preferences", "suppressions"])
def test_since_is_inclusive_and_until_is_exclusive(database: Database, what: str) -> None:
    hour = timedelta(hours=1)
    with database.transaction() as session:
        for number in range(3):
            email, at = f"p{number}@example.org", make.NOW + number * hour
            make.subscriber(session, email, since=at)
            make.unsubscribe(session, email, None, at=at)
    everything = len(_cells(_export(database, what), "id"))
    selected = _export(database, what, since=make.NOW + hour, until=make.NOW + 2 * hour)
    assert set(_cells(selected, "id")) == {(str(make.id_of("p1@example.org")),)}
    assert len(_cells(selected, "id")) == everything / 3


def test_a_global_unsubscribe_counts_as_a_change_of_each_topic(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
    assert _cells(_export(database, "preferences", since=make.NOW), "topic") == []
    with database.transaction() as session:
        make.unsubscribe(session, slug=None)
    assert len(_cells(_export(database, "preferences", since=make.NOW), "topic")) == 2


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_an_erasure_after_an_unsubscribe_is_a_change(database: Database, slug: str | None) -> None:
    later = make.NOW + timedelta(hours=1)
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, slug=slug)
        erasure.erase(session, [make.id_of()], Source.CLI, later)
    content = _export(database, "suppressions", since=later)
    assert _cells(content, "email", "kind", "erased_at") == [("", "all", later.isoformat())]


def test_rows_are_ordered_by_id_and_topic_on_both_engines(database: Database) -> None:
    with database.transaction() as session:
        for slug in ("b-1", "b", "b1", "-b", "0"):
            make.subscriber(session, "ada@example.org", slug)
            make.subscriber(session, "bob@example.org", slug)
    keys = _cells(_export(database, "preferences"), "id", "topic")
    assert keys == sorted(keys)


def _add_many(database: Database, count: int) -> None:
    with database.transaction() as session:
        make.topic(session, "news")
        people = [
            {"subscriber_id": UUID(int=number), "seq": 0, "head": bytes(32), "created_at": make.NOW}
            for number in range(count)
        ]
        session.execute(insert(SubscriberRow), people)
        held = {"topic": "news", "status": "subscribed", "frequency": "every", "source": "import"}
        held |= {"basis": "x" * 200, "acquired_from": "", "consent_source": ""}
        at = {"changed_at": make.NOW, "updated_at": make.NOW}
        ids = [{"subscriber_id": person["subscriber_id"]} for person in people]
        session.execute(insert(SubscriptionRow), [{**each, **held, **at} for each in ids])
        given = {"week": make.NOW.date(), "code": "other", "note": "x" * 400}
        session.execute(insert(AnonymizedReason), [{"id": uuid4(), **given} for _ in ids])


@pytest.mark.integration
@pytest.mark.parametrize("what", ["preferences", "reasons"])
def test_memory_use_does_not_grow_with_the_number_of_rows(database: Database, what: str) -> None:
    _add_many(database, 6_000)
    counts: list[int] = []
    tracemalloc.start()
    with database.reading() as session, Path(os.devnull).open("wb") as file:
        kind = exports.KINDS[what]
        exports.Export(kind, exports.Filter(), "csv").write(session, file, counts.append)
    assert sum(counts) == 6_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000  # all rows at once take 6 to 7 MB, one batch at a time 2 to 2.5
