"""Imports add and stop, refuse by line, and never undo a stop, however often they run."""

import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from preference_center.core import erasure, ledger, subscribers
from preference_center.imports import Import
from preference_center.rows import RefusedRow, Row, read_csv
from preference_center.store import Database
from preference_center.store.tables import LedgerDetail, LedgerRow, OutboxRow, Subscriber
from tests import make

ADA = "ada@example.org"


def _import(database: Database, text: str, **changes: Any) -> tuple[Counter[str], list[RefusedRow]]:
    refused: list[RefusedRow] = []
    job = Import(database, make.IDENTITY_KEY, lambda: make.NOW, **changes)
    return job.run(read_csv(io.BytesIO(text.encode())), refused.append), refused


def _person(database: Database, email: str = ADA) -> Subscriber:
    with database.reading() as session:
        found = subscribers.find(session, make.person(email))
        assert found is not None
        return found


def _why(database: Database, text: str, **changes: Any) -> str:
    counts, refused = _import(database, text, **changes)
    assert (counts["refused"], len(refused), refused[0].line) == (1, 1, 2)
    return refused[0].why


def test_everything_a_row_says_is_kept(database: Database) -> None:
    _import(
        database,
        "email,topic,status,frequency,paused_until,locale,consent_at,consent_source,"
        "consent_wording,basis,acquired_from\nAda@Example.org,news,subscribed,weekly,2027-02-01,"
        "pt_BR,2026-01-02T03:04:05+01:00,form,I agree,consent,the fair\n",
    )
    ada = _person(database)
    news = ada.subscriptions["news"]
    assert (ada.email, ada.locale) == ("Ada@Example.org", "pt-BR")
    assert (news.status, news.frequency, news.basis) == ("subscribed", "weekly", "consent")
    assert news.paused_until == datetime(2027, 2, 1, tzinfo=UTC)
    assert news.consent_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert (news.consent_source, news.acquired_from) == ("form", "the fair")


@pytest.mark.parametrize("status", ["subscribed", "unconfirmed"])
@pytest.mark.parametrize(("slug", "reason"), [("news", "left"), (None, "everything")])
def test_an_import_never_undoes_a_stop(
    database: Database, status: str, slug: str | None, reason: str
) -> None:
    with database.transaction() as session:
        make.reader(session, ADA, "news")
        make.stop(session, slug=slug)
        before = make.events(session)
    counts, _ = _import(database, f"email,topic,status\n{ADA},news,{status}\n")
    assert counts == {"kept": 1}
    with database.reading() as session:
        assert make.events(session) == before


def test_stops_come_in_and_say_which_door_they_came_through(database: Database) -> None:
    text = f"email,topic,status,changed_at,changed_by\n{ADA},news,unsubscribed,2025-05-05,page\n"
    counts, _ = _import(database, text)
    news = _person(database).subscriptions["news"]
    assert counts == {"stopped": 1}
    assert (news.status, news.source) == ("unsubscribed", "page")
    assert news.changed_at == datetime(2025, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind", "source"),
    [("bounced", "address", "bounce"), ("complained", "all", "complaint")],
)
def test_bounces_and_complaints_stop_more_than_the_topic(
    database: Database, status: str, kind: str, source: str
) -> None:
    _import(database, f"email,topic,status\n{ADA},news,{status}\n")
    ada = _person(database)
    assert {stop.kind: stop.source for stop in ada.suppressions.values()} == {kind: source}
    assert ada.subscriptions["news"].status == "unsubscribed"


@pytest.mark.parametrize("status", ["subscribed", "unsubscribed", "bounced", "complained"])
def test_running_it_again_changes_nothing(database: Database, status: str) -> None:
    text = f"email,topic,status,changed_at\n{ADA},news,{status},2025-01-01\n"
    _import(database, text)
    with database.reading() as session:
        before = make.events(session)
    counts, _ = _import(database, text)
    assert counts == {"unchanged": 1}
    with database.reading() as session:
        assert make.events(session) == before


@pytest.mark.parametrize(
    ("minutes", "status"),
    [(-600, "unsubscribed"), (-1, "unsubscribed"), (0, "subscribed"), (1, "subscribed")],
)
def test_who_came_back_is_stopped_by_a_file_only_where_it_knows_an_older_stop(
    database: Database, minutes: int, status: str
) -> None:
    """An undo answers the stop that it undid, and no other (a suppression list is older)."""
    with database.transaction() as session:
        make.reader(session, ADA, "news")
        an_hour_ago = make.NOW - timedelta(hours=1)
        stop = make.stop(session, slug="news", at=an_hour_ago)
        make.undo(session, stop.seq, stop.seq, at=an_hour_ago + timedelta(minutes=2))
    at = (an_hour_ago + timedelta(minutes=minutes)).isoformat()
    _import(database, f"email,topic,status,changed_at\n{ADA},news,unsubscribed,{at}\n")
    assert _person(database).subscriptions["news"].status == status


@pytest.mark.parametrize("status", ["complained", "bounced"])
def test_an_undo_answers_no_complaint_and_no_bounce(database: Database, status: str) -> None:
    with database.transaction() as session:
        make.reader(session, ADA, "news")
        stop = make.stop(session, slug=None)
        make.undo(session, stop.seq, stop.seq)
    _import(database, f"email,topic,status,changed_at\n{ADA},news,{status},2025-01-01\n")
    assert _person(database).suppressions


def test_a_dry_run_counts_and_keeps_nothing(database: Database) -> None:
    text = f"email,topic\n{ADA},brand-new\nnobody,x\n"
    counts, refused = _import(database, text, dry_run=True)
    assert (counts["added"], len(refused)) == (1, 1)
    with database.reading() as session:
        assert session.query(Subscriber).count() == session.query(LedgerRow).count() == 0


def test_an_import_sends_no_mail(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, ADA, "news")
    _import(database, f"email,topic,status\n{ADA},news,unsubscribed\n")
    with database.reading() as session:
        assert session.query(OutboxRow).count() == 0


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ("email,topic\n,news", "neither an email nor an id"),
        ("email,topic\nnobody,news", "not an email address"),
        ("email,topic\nada@example.org,No Slug", "the topic is missing"),
        ("email\nada@example.org", "the topic is missing"),
        ("email,topic,status\nada@example.org,news,maybe", "status must be one of"),
        ("email,topic,frequency\nada@example.org,news,hourly", "frequency must be one of"),
        ("email,topic,paused_until\nada@example.org,news,next week", "paused_until is not a time"),
        ("email,topic,locale\nada@example.org,news,english!", "not a language tag"),
        ("email,topic,consent_at\nada@example.org,news,01/02/2026", "consent_at is not a time"),
        ("email,topic,consent_at\nada@example.org,news,2031-01-01", "lies in the future"),
        ("email,topic,changed_at\nada@example.org,news,0001-01-01T00:00+14:00", "is not a time"),
        ("email,topic,basis\nada@example.org,news," + "x" * 1001, "longer than 1000 characters"),
        ("id,topic\n7,news", "not a subscriber id"),
        (
            "id,email,topic\n" + str(make.person("bob@x.org")) + ",ada@x.org,news",
            "another identity",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_the_reason(
    database: Database, cells: str, why: str
) -> None:
    assert why in _why(database, cells + "\n")


def test_a_row_with_a_nul_or_half_a_character_is_refused(database: Database) -> None:
    refused: list[RefusedRow] = []
    cells = {"email": ADA, "topic": "news", "basis": "a\0b"}
    job = Import(database, make.IDENTITY_KEY, lambda: make.NOW)
    job.run([Row(1, cells)], refused.append)
    assert [row.why for row in refused] == ["a cell contains a NUL"]


def test_somebody_who_cannot_be_mailed_can_still_be_stopped(database: Database) -> None:
    counts, refused = _import(database, "email,topic,status\nnot an address,news,unsubscribed\n")
    assert (counts["stopped"], refused) == (1, [])
    stopped = _person(database, "not an address")
    assert stopped.email is None
    assert stopped.subscriptions["news"].status == "unsubscribed"


def test_rows_that_name_no_topic_get_the_one_given(database: Database) -> None:
    _import(database, f"email,topic\n{ADA},\n", default_topic="news")
    assert set(_person(database).subscriptions) == {"news"}


@pytest.mark.parametrize("status", ["subscribed", "unsubscribed", "complained"])
def test_nothing_more_is_learnt_about_who_was_erased(database: Database, status: str) -> None:
    with database.transaction() as session:
        erasure.erase(session, make.person(), "cli", make.NOW)
    text = f"email,topic,status,locale,acquired_from\n{ADA},news,{status},de,the fair\n"
    _import(database, text)
    ada = _person(database)
    assert (ada.email, ada.locale, dict(ada.subscriptions)) == (None, None, {})
    assert "all" in ada.suppressions


@pytest.mark.parametrize("kind", ["all", "topic"])
def test_an_erasure_elsewhere_erases_here(database: Database, kind: str) -> None:
    with database.transaction() as session:
        make.reader(session, ADA, "offers")
    text = f"email,id,kind,topic,erased_at\n,{make.person()},{kind},news,2026-01-01\n"
    counts, _ = _import(database, text, suppressions=True)
    ada = _person(database)
    assert counts == {"erased": 1}
    assert (ada.email, "offers" in ada.subscriptions) == (None, False)
    assert ada.erased_at == datetime(2026, 1, 1, tzinfo=UTC)
    with database.reading() as session:
        assert session.query(LedgerDetail).count() == 0
        assert list(ledger.verify(session)) == [None]


def test_a_thousand_rows_take_a_handful_of_statements(database: Database) -> None:
    counted = Counter[str]()
    event.listen(
        database.engine, "before_cursor_execute", lambda *args: counted.update([args[2][:6]])
    )
    rows = "".join(f"p{number}@example.org,news,I agree\n" for number in range(1000))
    assert _import(database, "email,topic,consent_wording\n" + rows)[0] == {"added": 1000}
    assert counted.total() < 20


def test_what_one_batch_refuses_does_not_hold_up_the_rest(database: Database) -> None:
    rows = [f"p{number}@example.org,news" for number in range(1500)]
    rows[3] = rows[1400] = "nobody,news"
    counts, refused = _import(database, "email,topic\n" + "\n".join(rows))
    assert counts == {"added": 1498, "refused": 2}
    assert [row.line for row in refused] == [5, 1402]


CELL = st.text(max_size=30)
COLUMNS = (
    *("id", "topic", "status", "frequency", "locale", "consent_at", "consent_wording", "basis"),
    *("paused_until", "changed_at", "changed_by", "kind", "since", "source", "erased_at"),
)


@given(
    cells=st.fixed_dictionaries(
        {"email": CELL},
        optional=dict.fromkeys(COLUMNS, CELL),
    ),
    stops=st.booleans(),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cells_are_taken_or_refused(
    database: Database, cells: dict[str, str], stops: bool
) -> None:
    row = {"topic": "news", "kind": "all", **cells}
    refused: list[RefusedRow] = []
    job = Import(database, make.IDENTITY_KEY, lambda: make.NOW, suppressions=stops)
    counts = job.run([Row(1, row)], refused.append)
    assert counts.total() == 1
    assert counts["refused"] == len(refused)
