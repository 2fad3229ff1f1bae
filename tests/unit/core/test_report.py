"""The report counts the subscribers' own actions by topic and campaign."""

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import event, insert, text
from sqlalchemy.orm import Session

from preference_center.core import (
    audience,
    erasure,
    page_views,
    reasons,
    report,
    topics,
)
from preference_center.core.report import ReportRequest
from preference_center.core.report_counts import (
    EMAILED,
    LEFT,
    LEFT_BY,
    LEFT_EVERYTHING,
    REASONS,
)
from preference_center.core.stayed import Stayed, stayed
from preference_center.core.vocab import (
    OWN_SOURCES,
    Event,
    Frequency,
    Pause,
    ReasonCode,
    Scope,
    Source,
)
from preference_center.store import Database, sets
from preference_center.store.tables import LedgerCount, LedgerRow, SubscriberRow
from tests.support import make

ADA = "ada@example.org"
DAY, MOMENT = timedelta(days=1), timedelta.resolution
_SHOWN = (*report.EVENT_COLUMNS, *REASONS)
ALL_THREE = {"paused": 1, "left": 1, "left_after_less": 1}


def _report(database: Database, **selection: Any) -> dict[tuple[str, str], dict[str, int]]:
    """Return the nonzero counts by topic and campaign, without those of each source."""
    with database.reading() as session:
        lines = report.load(session, ReportRequest(**selection))
    shown = {(each.topic, each.campaign): _only(each.counts, _SHOWN) for each in lines}
    return {key: counts for key, counts in shown.items() if counts}


def _only(counts: Counter[str], columns: Iterable[str]) -> dict[str, int]:
    return {name: counts[name] for name in columns if counts[name]}


def _counts(database: Database, column: str, **selection: Any) -> dict[tuple[str, ...], int]:
    """Return one column of the report, without zeros, by the key of each row."""
    request = ReportRequest(**selection)
    with database.reading() as session:
        lines = report.load(session, request)
    keys = report.KEYS[request.by]
    return {
        tuple(getattr(each, name) for name in keys): each.counts[column]
        for each in lines
        if each.counts[column]
    }


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _reduce(session: Session, choice: Frequency | Pause, email: str = ADA, **changes: Any) -> None:
    assert make.reduce(session, choice, email, **{"campaign": "47"} | changes).changed


def test_each_action_counts_under_its_topic_and_campaign(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        make.subscriber(session, "ben@example.org", "weekly-news", "offers")
        _reduce(session, Frequency.WEEKLY)
        _reduce(session, Pause.TWO_WEEKS)
        _reduce(session, Pause.TWO_WEEKS, slug="offers", campaign="48")
        make.unsubscribe(session, slug="offers", campaign="49", source="one-click")
        make.unsubscribe(session, "ben@example.org", None, campaign="47", source="mailto")
        page_views.add(session, {page_views.key(make.NOW, "offers", "47"): 7})
    assert _report(database) == {
        ("offers", "47"): {"opened": 7},
        ("offers", "48"): {"paused": 1, "left_after_less": 1},
        ("offers", "49"): {"left": 1},
        ("weekly-news", "47"): {"reduced": 1, "paused": 1},
        ("", "47"): {"left": 1},
    }


def test_a_higher_frequency_is_not_a_reduction(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        _reduce(session, Frequency.MONTHLY, campaign="1")
        assert make.set_frequency(session, Frequency.WEEKLY, campaign="2").changed
    assert _report(database) == {("weekly-news", "1"): {"reduced": 1}}


def test_an_undo_counts_under_the_campaign_of_the_change_it_undoes(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        for campaign, slug in (("47", "weekly-news"), ("48", None)):
            change = make.unsubscribe(session, slug=slug, campaign=campaign)
            make.undo(session, change.last_seq, change.last_seq)
    assert _report(database) == {
        ("weekly-news", "47"): {"left": 1, "undone": 1},
        ("", "48"): {"left": 1, "undone": 1},
    }


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_joining_a_topic_again_counts_as_coming_back(database: Database, slug: str | None) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        make.unsubscribe(session, slug=slug, campaign="47")
        make.start_topic(session, ADA, at=make.NOW + DAY)
    counted = _report(database)
    assert counted.pop((slug or "", "47")) == {"left": 1}
    assert counted == {("weekly-news", ""): {"came_back": 1}}


@pytest.mark.parametrize("source", Source)
def test_every_unsubscribe_counts_by_its_source(database: Database, source: Source) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        make.unsubscribe(session, source=source, campaign="47")
        make.unsubscribe(session, slug=None, source=source, campaign="47")
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source=source, campaign="47")
    with database.reading() as session:
        everything, news = report.load(session, ReportRequest(campaign="47"))[::-1]
    left_by = LEFT_BY[source]
    assert news.counts == {LEFT: 1, left_by: 1}
    assert everything.counts == {LEFT: 2, left_by: 2, LEFT_EVERYTHING: 2}


@pytest.mark.parametrize("source", sorted(set(Source) - set(OWN_SOURCES)))
def test_other_actions_count_only_if_subscribers_made_them(
    database: Database, source: Source
) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        _reduce(session, Pause.TWO_WEEKS, source=source)
    assert _report(database) == {}


def test_actions_of_an_erased_subscriber_still_count(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        _reduce(session, Pause.TWO_WEEKS)
        make.unsubscribe(session, campaign="47")
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    assert _report(database) == {
        ("weekly-news", "47"): {"paused": 1, "left": 1},
        ("", ""): {"left": 1},  # by the erasure
    }


def test_the_slots_of_all_writers_are_summed(database: Database) -> None:
    day = make.NOW.date()
    with database.transaction() as session:
        same = (day, "offers", "47", Event.UNSUBSCRIBED, Scope.TOPIC, Source.PAGE)
        sets.insert(session, LedgerCount, [(*same, slot, slot + 1) for slot in range(3)])
    assert _report(database) == {("offers", "47"): {"left": 6}}


Action = Callable[[Session], object]
LEFT_AFTER_LESS: list[tuple[str, Action, int]] = [
    ("the topic", lambda s: make.unsubscribe(s, at=make.NOW + 3 * DAY), 1),
    ("everything", lambda s: make.unsubscribe(s, slug=None, at=make.NOW + 3 * DAY), 1),
    ("on another campaign", lambda s: make.unsubscribe(s, at=make.NOW + DAY, campaign="99"), 1),
    ("on the last day", lambda s: make.unsubscribe(s, at=make.NOW + 30 * DAY), 1),
    ("a moment later", lambda s: make.unsubscribe(s, at=make.NOW + 30 * DAY + DAY / 86400), 0),
    ("another topic", lambda s: make.unsubscribe(s, slug="offers", at=make.NOW + DAY), 0),
    ("by a complaint", lambda s: make.unsubscribe(s, source="complaint", at=make.NOW + DAY), 0),
    ("never", lambda _: None, 0),
]


@pytest.mark.parametrize(
    ("left", "count"), [case[1:] for case in LEFT_AFTER_LESS], ids=[c[0] for c in LEFT_AFTER_LESS]
)
def test_an_unsubscribe_within_thirty_days_counts_as_left_after_less(
    database: Database, left: Action, count: int
) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        _reduce(session, Pause.TWO_WEEKS)
        left(session)
    assert _report(database)["weekly-news", "47"].get("left_after_less", 0) == count


def test_an_earlier_unsubscribe_reported_later_is_not_after_less(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        _reduce(session, Pause.TWO_WEEKS)
        earlier = make.NOW - DAY
        assert make.unsubscribe(
            session, source="mailto", campaign="46", occurred_at=earlier
        ).changed
    counted = _report(database)
    assert counted["weekly-news", "46"] == {"left": 1}
    assert counted["weekly-news", "47"] == {"paused": 1}


def test_left_after_less_counts_a_person_once_per_campaign(database: Database) -> None:
    with database.transaction() as session:
        for email in (ADA, "ben@example.org"):
            make.subscriber(session, email)
            _reduce(session, Frequency.WEEKLY, email)
            _reduce(session, Pause.TWO_WEEKS, email)
            _reduce(session, Frequency.MONTHLY, email, campaign="48")
            change = make.unsubscribe(session, email, at=make.NOW + DAY)
            make.undo(session, change.last_seq, change.last_seq, email, at=make.NOW + 2 * DAY)
            make.unsubscribe(session, email, None, at=make.NOW + 3 * DAY)
    counted = _report(database)
    assert counted["weekly-news", "47"] == {"reduced": 2, "paused": 2, "left_after_less": 2}
    assert counted["weekly-news", "48"] == {"reduced": 2, "left_after_less": 2}


def test_people_with_alternating_changes_count_once_each(database: Database) -> None:
    people = (ADA, "ben@example.org")
    with database.transaction() as session:
        for email in people:
            make.subscriber(session, email)
        choices: list[Frequency | Pause] = [Frequency.WEEKLY, Frequency.MONTHLY, Pause.TWO_WEEKS]
        for hour, choice in enumerate(choices):
            for email in people:
                _reduce(session, choice, email, at=make.NOW + hour * timedelta(hours=1))
        for email in people:
            make.unsubscribe(session, email, at=make.NOW + DAY, campaign="48")
    counted = _report(database, since=make.NOW)  # found by time, so the people alternate
    assert counted["weekly-news", "47"] == {"reduced": 4, "paused": 2, "left_after_less": 2}


def test_an_unsubscribe_that_was_undone_is_not_left_after_less(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        _reduce(session, Pause.TWO_WEEKS)
        for slug in ("weekly-news", None):
            left = make.unsubscribe(session, slug=slug, at=make.NOW + DAY)
            make.undo(session, left.first_seq, left.last_seq, at=make.NOW + DAY)
    assert "left_after_less" not in _report(database)["weekly-news", "47"]


def test_left_after_less_includes_unsubscribes_after_the_period(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        _reduce(session, Pause.TWO_WEEKS)
        make.unsubscribe(session, at=make.NOW + 5 * DAY, campaign="48")
    before = _report(database, until=make.NOW + DAY)
    assert before == {("weekly-news", "47"): {"paused": 1, "left_after_less": 1}}
    assert _report(database, since=make.NOW + DAY) == {("weekly-news", "48"): {"left": 1}}


def test_a_report_can_be_limited_to_a_topic_or_a_campaign(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        for slug, campaign in (("weekly-news", "47"), ("offers", "48")):
            change = make.unsubscribe(session, slug=slug, campaign=campaign)
            reasons.record(session, make.id_of(), change.last_seq, ReasonCode.OTHER, "", make.NOW)
            page_views.add(session, {page_views.key(make.NOW, slug, campaign): 1})
        make.unsubscribe(session, slug=None, campaign="48")
    one = {"left": 1, "reason_other": 1, "opened": 1}
    assert _report(database, topic="weekly-news") == {("weekly-news", "47"): one}
    assert _report(database, campaign="48") == {("offers", "48"): one, ("", "48"): {"left": 1}}
    assert _report(database, topic="offers", campaign="47") == {}


def test_a_period_selects_changes_by_the_time_of_recording(database: Database) -> None:
    with database.transaction() as session:
        for number in range(3):
            email, at = f"p{number}@example.org", make.NOW + number * DAY
            make.subscriber(session, email)
            earlier = make.NOW - 9 * DAY
            make.unsubscribe(session, email, at=at, occurred_at=earlier, campaign=str(number))
    midnight = _midnight(make.NOW + DAY)
    selected = _report(database, since=midnight, until=midnight + DAY)
    assert selected == {("weekly-news", "1"): {"left": 1}}


def test_changes_count_by_the_days_that_a_period_overlaps(database: Database) -> None:
    midnight = _midnight(make.NOW)
    with database.transaction() as session:
        for number in range(3):
            email, at = f"p{number}@example.org", midnight + number * DAY
            make.subscriber(session, email)
            _reduce(session, Pause.TWO_WEEKS, email, at=at + DAY / 2, campaign=str(number))
            make.unsubscribe(session, email, at=at + DAY - MOMENT, campaign=str(number))

    def days(**selection: datetime) -> str:
        found = _report(database, **selection)
        assert all(each == ALL_THREE for each in found.values())
        return "".join(campaign for _, campaign in found)

    assert (days(since=midnight + DAY), days(since=midnight + 2 * DAY - MOMENT)) == ("12", "12")
    assert (days(until=midnight + DAY), days(until=midnight + DAY + MOMENT)) == ("0", "01")
    # The same time, in a zone where it is another day.
    elsewhere = (midnight + DAY).astimezone(timezone(timedelta(hours=-1)))
    assert (days(since=elsewhere), days(until=elsewhere)) == ("12", "0")


def test_page_views_count_by_the_days_that_a_period_overlaps(database: Database) -> None:
    days = [_midnight(make.NOW) + number * DAY for number in range(3)]
    with database.transaction() as session:
        page_views.add(session, {page_views.key(day, "news", "47"): 1 for day in days})

    def opened(**selection: datetime) -> int:
        return sum(counts["opened"] for counts in _report(database, **selection).values())

    middle = days[1] + DAY / 2
    assert (opened(since=middle), opened(until=middle), opened(since=days[1])) == (2, 2, 2)
    assert opened(until=days[1]) == opened(since=days[2]) == 1
    assert opened(since=days[1], until=days[2]) == 1


@pytest.mark.parametrize("anonymized", [False, True])
def test_reasons_count_by_week_whether_anonymized_or_not(
    database: Database, anonymized: bool
) -> None:
    with database.transaction() as session:
        for number in range(6):
            email = f"p{number}@example.org"
            make.subscriber(session, email)
            change = make.unsubscribe(session, email, campaign="47", at=make.NOW - 60 * DAY)
            code = list(ReasonCode)[number % 2]
            reasons.record(session, make.id_of(email), change.last_seq, code, "", make.NOW)
        if anonymized:
            make.anonymize_reasons(session, make.NOW + 91 * DAY)
    expected = {("weekly-news", "47"): {"reason_too_many": 3, "reason_not_relevant": 3}}
    monday = reasons.week_of(make.NOW)
    assert _report(database, since=make.NOW + timedelta(hours=1)) == expected
    assert monday == (make.NOW - 6 * DAY).date()
    assert _report(database, since=make.NOW + 2 * DAY) == {}


def test_every_line_has_every_column_and_topics_are_sorted(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "b", "a-b", "a")
        for slug in ("b", "a-b", "a", None):
            for campaign in ("2", "1"):
                change = make.unsubscribe(session, slug=slug, campaign=campaign)
                make.undo(session, change.last_seq, change.last_seq)
    with database.reading() as session:
        cells = [
            line.cells(ReportRequest().columns) for line in report.load(session, ReportRequest())
        ]
    assert {tuple(row) for row in cells} == {ReportRequest().columns}
    keys = [(row["topic"], row["campaign"]) for row in cells if row["campaign"]]
    assert keys == [(slug, campaign) for slug in ("a", "a-b", "b", "") for campaign in "12"]


def _add_many(database: Database, people: int) -> None:
    """Add people who each paused and unsubscribed, spread over twenty campaigns."""
    with database.transaction() as session:
        make.topic(session)
        ids = [make.id_of(f"{number}@example.org") for number in range(people)]
        known = {"seq": 2, "head": bytes(32), "created_at": make.NOW}
        session.execute(insert(SubscriberRow), [{"subscriber_id": each, **known} for each in ids])
        same: dict[str, Any] = {
            "scope": "topic",
            "topic": "weekly-news",
            "source": "page",
            "digest": bytes(32),
        }
        same |= {"occurred_at": make.NOW, "recorded_at": make.NOW, "hash": bytes(32)}
        rows = [
            {"subscriber_id": each, "seq": seq, "event": what, "campaign": str(at % 20), **same}
            for at, each in enumerate(ids)
            for seq, what in ((1, "paused"), (2, "unsubscribed"))
        ]
        session.execute(insert(LedgerRow), rows)


@pytest.mark.integration
def test_a_report_takes_seven_statements_and_constant_memory(database: Database) -> None:
    _add_many(database, 6_000)
    statements: list[str] = []
    with database.reading() as session:
        event.listen(
            database.engine, "before_cursor_execute", lambda *args: statements.append(args[2])
        )
        tracemalloc.start()
        lines = report.load(session, ReportRequest())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert [line.counts["left_after_less"] for line in lines] == [300] * 20
    assert sum(statement.startswith("SELECT") for statement in statements) == 7
    assert peak < 2_000_000  # a batch of rows at a time


def test_a_period_is_found_by_an_index(database: Database) -> None:
    _add_many(database, 50)
    plans: list[str] = []

    def explain(*args: Any) -> None:
        connection, _, statement, parameters = args[:4]
        if "ledger" in statement:
            kind = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
            cursor = connection.connection.cursor()
            cursor.execute(f"{kind} {statement}", parameters)
            plans.append(" ".join(str(row) for row in cursor.fetchall()))

    if not database.is_sqlite:
        with database.transaction() as session:
            session.execute(text("ANALYZE ledger, ledger_counts"))
    event.listen(database.engine, "before_cursor_execute", explain)
    with database.reading() as session:
        if not database.is_sqlite:
            session.execute(text("SET LOCAL enable_seqscan = off"))
        # A period without rows, so that the planner's choice is stable for so small a table.
        report.load(session, ReportRequest(since=make.NOW + 10 * DAY, until=make.NOW + 11 * DAY))
    counts, stream = plans
    assert "pk_ledger_counts" in counts or "sqlite_autoindex_ledger_counts_1" in counts
    # PostgreSQL has one that holds only the rows of those who asked for less.
    assert ("ix_ledger_recorded_at" if database.is_sqlite else "ix_ledger_asked_for_less") in stream


def test_who_took_less_instead_of_leaving(database: Database) -> None:
    """Each person counts once for a topic; complaints, imports and other topics do not count."""
    with database.transaction() as session:
        for name in ("ada", "ben", "cleo", "dana"):
            make.subscriber(session, f"{name}@example.org", "weekly-news", "offers")
        _reduce(session, Frequency.WEEKLY)
        _reduce(session, Pause.TWO_WEEKS, campaign="48")
        make.unsubscribe(session, ADA, at=make.NOW + DAY)
        _reduce(session, Frequency.MONTHLY, "ben@example.org")
        make.unsubscribe(session, "cleo@example.org", campaign="47", source="one-click")
        make.unsubscribe(session, "dana@example.org", source="complaint")
        make.unsubscribe(session, "dana@example.org", None)
        _reduce(session, Pause.TWO_WEEKS, "ben@example.org", slug="offers")
        make.unsubscribe(session, "ben@example.org", None, at=make.NOW + 31 * DAY)
    with database.reading() as session:
        assert stayed(session) == {
            "weekly-news": Stayed(came=3, took_less=2, left_later=1),
            "offers": Stayed(came=1, took_less=1, left_later=0),
        }


def test_claimed_emails_are_counted_unless_they_were_released(database: Database) -> None:
    emails = [f"{name}@example.org" for name in ("ada", "ben", "cleo")]
    ids = [make.id_of(email) for email in emails]
    with database.transaction() as session:
        for email in emails:
            make.subscriber(session, email)
        topic = topics.get(session, "weekly-news")
        for campaign in ("47", "48"):
            audience.claim(session, topic, campaign, ids, make.NOW)
        audience.release(session, topic, "48", ids[:1], make.NOW)
    assert _counts(database, EMAILED) == {("weekly-news", "47"): 3, ("weekly-news", "48"): 2}
