"""The figures say what the ledger says, for the days of their span."""

from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from preference_center.core import (
    campaigns,
    domain_hold,
    page_views,
    processes,
    reasons,
    report,
    rollups,
)
from preference_center.core.apply import apply_one
from preference_center.core.campaigns import Campaign
from preference_center.core.change import Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.errors import UndoRefusal, UnknownTopicError
from preference_center.core.figures import checks, daily, kept, mailings, overview
from preference_center.core.figures import reasons as why
from preference_center.core.figures.checks import Check, CheckName
from preference_center.core.figures.mailings import (
    ASKED,
    ASKED_EVERYTHING,
    UNSUBSCRIBED,
    MailingOrder,
)
from preference_center.core.figures.period import Period, Span
from preference_center.core.figures.reasons import NoteFilter, NotePage
from preference_center.core.report import ReportRequest
from preference_center.core.report_counts import LEFT, LEFT_BY
from preference_center.core.staff import audit, members
from preference_center.core.staff_vocab import AuditAction, StaffRole
from preference_center.core.vocab import RATED_SOURCES, Frequency, Pause, ReasonCode, Source
from preference_center.store import Database
from tests.support import make
from tests.unit.core.test_apply import STEPS, changes_of

DAY = timedelta(days=1)
ADA, BEN, CYD = "ada@example.org", "ben@example.org", "cyd@example.org"
WEEK, QUARTER = Period(Span.WEEK, make.NOW), Period(Span.QUARTER, make.NOW)
LATER = Period(Span.YEAR, make.NOW + 200 * DAY)


def _leave(session: Session, email: str, at: datetime, source: str = "page", **changes: Any) -> int:
    """Unsubscribe from weekly-news, and return the number of the ledger row."""
    context = make.context(Source(source), at, **changes)
    change = Unsubscribe(make.id_of(email), Target.of("weekly-news"), context)
    return apply_one(session, change, at).last_seq


def _say(session: Session, email: str, at: datetime, code: ReasonCode, note: str = "") -> None:
    make.subscriber(session, email)
    reasons.record(session, make.id_of(email), _leave(session, email, at), code, note, at)


def test_a_period_is_whole_days_and_today() -> None:
    assert WEEK.today == date(2026, 11, 22)
    assert (WEEK.days[0], WEEK.days[-1], len(WEEK.days)) == (WEEK.first, WEEK.today, 8)
    assert WEEK.first - WEEK.before == 7 * DAY


@pytest.mark.integration
@given(batches=st.lists(STEPS, max_size=3))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_mailings_say_what_the_report_says(
    database: Database, batches: list[list[tuple[str, timedelta, tuple[Any, ...]]]]
) -> None:
    for steps in batches:
        for change in changes_of(steps):
            with suppress(UndoRefusal), database.transaction() as session:
                apply_one(session, change, make.NOW)
    _assert_as_the_report(database, LATER)


def _assert_as_the_report(database: Database, period: Period) -> None:
    with database.reading() as session:
        read = mailings.read(session, period)
        assert why.load(session, period, mailings.asked(read)) == why.load(session, period)
        found = {each.key: each.counts for each in read}
        rows = report.load(session, ReportRequest(since=period.since, less=False))
    expected = {(row.topic, row.campaign): row.counts for row in rows}
    for key, counts in found.items():
        left = sum(expected[key][LEFT_BY[each]] for each in RATED_SOURCES)
        del counts[ASKED], counts[ASKED_EVERYTHING]
        assert counts == {**{name: expected[key][name] for name in counts}, UNSUBSCRIBED: left}
    assert found.keys() >= {key for key, counts in expected.items() if counts[LEFT]}


def test_the_net_change_is_that_of_the_whole_days(database: Database) -> None:
    with database.transaction() as session:
        for place, email in enumerate((ADA, BEN, CYD, "dan@example.org")):
            make.subscriber(session, email, since=make.NOW - (20 - place) * DAY)
        _leave(session, ADA, make.NOW - 8 * DAY)  # in the span before
        _leave(session, BEN, make.NOW - 2 * DAY, "one-click")
        _leave(session, CYD, make.NOW, "bounce")  # today
    with database.reading() as session:
        found = daily.load(session, WEEK)
    net = (found.total.net, found.before.net, found.net_today, found.subscribers)
    assert net == (-1, -1, -1, 1)
    assert (found.total.left, found.before.left, found.today.left) == (1, 1, 0)
    assert (found.total.bounced, found.today.bounced) == (0, 1)
    assert [each.subscribers for each in found.days] == [3, 3, 3, 3, 3, 2, 2, 1]
    assert dict(found.channels) == {Source.ONE_CLICK: 1, Source.BOUNCE: 1}


def test_mailings_come_by_date_or_by_rate(database: Database) -> None:
    sizes = {"1": 400, "2": 4000, "3": 299, "4": None}
    with database.transaction() as session:
        make.topic(session)
        for name, sent in sizes.items():
            day = WEEK.first + int(name) * DAY
            campaigns.record(session, Campaign("weekly-news", name, day, "shop", sent))
        for place, name in enumerate("122344"):
            email = f"p{place}@example.org"
            make.subscriber(session, email)
            _leave(session, email, make.NOW - DAY, campaign=name)
        _leave(session, "x@example.org", make.NOW - DAY, campaign="sign-up")
        long_ago = WEEK.first - 9 * DAY
        campaigns.record(session, Campaign("weekly-news", "0", long_ago, "shop", 500))
        for name in "02":
            make.unsubscribe(session, f"all{name}@example.org", None, campaign=name)
    with database.reading() as session:
        by_rate = mailings.load(session, WEEK, None, MailingOrder.RATE)
        by_left = mailings.load(session, WEEK, None, MailingOrder.LEFT)
        by_date = mailings.load(session, WEEK, "weekly-news", MailingOrder.DATE)
        with pytest.raises(UnknownTopicError):
            mailings.load(session, WEEK, "unknown", MailingOrder.DATE)
        without = mailings.without_claims(session, mailings.read(session, WEEK))
    _assert_as_the_report(database, WEEK)
    assert [each.campaign for each in by_rate.shown][:2] == ["1", "2"]
    assert [each.campaign for each in by_left.shown][:2] == ["2", "4"]
    assert [each.campaign for each in by_date.shown] == ["3", "2", "1", "4", "0"]
    assert [each.left for each in by_date.shown] == [1, 3, 1, 2, 1]
    assert [each.rate is None for each in by_rate.shown] == [False, False, True, True, True]
    assert by_rate.others[UNSUBSCRIBED] == 1
    assert [each.campaign for each in without] == ["4"]
    assert [each.campaign for each in mailings.costliest(by_date.shown, 1)] == ["1"]


def test_a_mailing_shows_when_how_and_why(database: Database) -> None:
    first = make.NOW - 40 * DAY
    with database.transaction() as session:
        make.topic(session)
        campaigns.record(session, Campaign("weekly-news", "47", first.date(), "shop", 500))
        for place, days in enumerate((0, 0, 2, 35)):
            email = f"p{place}@example.org"
            make.subscriber(session, email)
            seq = _leave(session, email, first + days * DAY, campaign="47")
            reasons.record(session, make.id_of(email), seq, ReasonCode.OTHER, "", first)
        everything = make.context(Source.ONE_CLICK, first + DAY, campaign="47")
        apply_one(session, Unsubscribe(make.id_of(ADA), Target.of(None), everything), first)
    with database.reading() as session:
        found = mailings.one(session, QUARTER, "weekly-news", "47")
        assert mailings.one(session, QUARTER, "weekly-news", "48") is None
        assert mailings.one(session, QUARTER, "", "47") is None
    assert found is not None
    assert [number for _, number in found.days] == [2, 1, 1, *[0] * 28]
    assert (found.days[0][0], found.later) == (first.date(), 1)
    assert found.channels == [(Source.PAGE, 4), (Source.ONE_CLICK, 1)]
    assert found.reasons == [(ReasonCode.OTHER, 4)]
    assert found.mailing.left == 5


def test_reasons_count_by_topic_with_those_who_were_asked(database: Database) -> None:
    with database.transaction() as session:
        _say(session, ADA, make.NOW - DAY, ReasonCode.TOO_MANY)
        _say(session, BEN, make.NOW - 9 * DAY, ReasonCode.OTHER)
        for email, source in ((CYD, "one-click"), ("dan@example.org", "complaint")):
            make.subscriber(session, email)
            _leave(session, email, make.NOW, source)
    with database.reading() as session:
        week, quarter = why.load(session, WEEK), why.load(session, QUARTER)
    assert [(each.topic, each.answers, each.left) for each in week.topics] == [
        ("weekly-news", 1, 2)
    ]
    assert quarter.total.ranked == [(ReasonCode.TOO_MANY, 1), (ReasonCode.OTHER, 1)]
    assert quarter.total.answer_rate == pytest.approx(2 / 3)
    assert week.names == {"weekly-news": "Weekly news"}


def test_an_anonymized_reason_counts_by_its_week(database: Database) -> None:
    with database.transaction() as session:
        _say(session, ADA, make.NOW - 100 * DAY, ReasonCode.OTHER, "Old.")
        make.anonymize_reasons(session, make.NOW)
        year = Period(Span.YEAR, make.NOW)
        assert [why.load(session, each).total.answers for each in (QUARTER, year)] == [0, 1]
        staff, _ = members.invite(session, "eve@example.org", StaffRole.SUPPORT, make.NOW, by=None)
        notes = why.read_notes(session, year, NoteFilter(), None, by=staff.id).notes
    assert [(each.text, each.topic) for each in notes] == [("Old.", "weekly-news")]


def test_notes_come_in_pages_and_reading_them_is_recorded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(why, "NOTES", 2)
    wrote = [ReasonCode.OTHER, ReasonCode.TOO_MANY, ReasonCode.OTHER, ReasonCode.OTHER]
    with database.transaction() as session:
        for place, code in enumerate(wrote):
            _say(
                session, f"p{place}@example.org", make.NOW - 3 * place * DAY, code, f"Note {place}."
            )
        _say(session, ADA, make.NOW, ReasonCode.OTHER)  # without a note
        staff, _ = members.invite(session, "eve@example.org", StaffRole.SUPPORT, make.NOW, by=None)

        def read(after: str | None, *wanted: Any) -> NotePage:
            return why.read_notes(session, QUARTER, NoteFilter(*wanted), after, by=staff.id)

        first = read(None)
        second = read(first.following)
        other = read(None, "weekly-news", ReasonCode.TOO_MANY)
        assert read("nonsense").notes == first.notes
        assert not read(None, "").notes
        entries = audit.read(session, 9, staff_id=staff.id)
    assert (len(first.notes), len(second.notes)) == (2, 2)
    weeks = [each.week for each in (*first.notes, *second.notes)]
    assert weeks == sorted(weeks, reverse=True)
    assert {each.text for each in (*first.notes, *second.notes)} == {
        f"Note {place}." for place in range(4)
    }
    assert second.following is None
    assert str(make.id_of("p1@example.org")) not in (first.following or "")
    assert [each.text for each in other.notes] == ["Note 1."]
    assert {each.action for each in entries} == {AuditAction.NOTES_READ}
    assert entries[2].details == {"days": 90, "topic": "weekly-news", "reason": "too_many"}


def test_who_asked_for_less_is_followed(database: Database) -> None:
    asked = make.NOW - 40 * DAY
    with database.transaction() as session:
        for email, days in ((ADA, None), (BEN, 20), (CYD, 31)):
            make.subscriber(session, email)
            make.reduce(session, Frequency.MONTHLY, email, at=asked)
            make.reduce(session, Pause.TWO_WEEKS, email, at=asked + DAY)
            if days is not None:
                _leave(session, email, asked + days * DAY)
        make.subscriber(session, "eve@example.org")
        make.reduce(session, Frequency.MONTHLY, "eve@example.org", at=asked)
        for days in (5, 6):  # She undoes both, and is still here.
            at = asked + days * DAY
            left = make.unsubscribe(session, "eve@example.org", at=at)
            make.undo(session, left.first_seq, left.last_seq, "eve@example.org", at=at)
        make.subscriber(session, "dan@example.org")
        make.reduce(session, Frequency.MONTHLY, "dan@example.org", at=make.NOW - 20 * DAY)
    with database.reading() as session:
        found = [(each.days, each.asked, each.stayed) for each in kept.load(session, make.NOW)]
    assert found == [(30, 4, 3), (90, 0, 0)]


def _checked(database: Database) -> dict[CheckName, Check]:
    with database.reading() as session:
        found = checks.load(session, mailings.read(session, WEEK), make.NOW)
    assert {each.name for each in found} == set(CheckName)
    return {each.name: each for each in found}


def test_an_empty_installation_has_no_troubles(database: Database) -> None:
    assert not any(each.is_bad for each in _checked(database).values())


def test_troubles_are_found(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        _leave(session, ADA, make.NOW - 2 * DAY, campaign="47")
        process = processes.Process(uuid4(), "host", 1)
        processes.report(session, process, lambda: processes.Waiting(3, make.NOW - DAY))
        domain_hold.add_failures(session, ["example.net"] * 30 + ["example.com"], make.NOW)
    found = _checked(database)
    bad = {name for name, each in found.items() if each.is_bad}
    assert bad == {
        CheckName.UNFETCHED,
        CheckName.SPOOLED,
        CheckName.UNNUMBERED,
        CheckName.HOLDS,
        CheckName.NO_CLAIMS,
    }
    assert found[CheckName.UNFETCHED].age == 2 * DAY
    assert (found[CheckName.SPOOLED].count, found[CheckName.SPOOLED].age) == (3, DAY)
    assert found[CheckName.HOLDS].names == ("example.net",)
    assert found[CheckName.NO_CLAIMS].names == ("47",)


def test_the_overview_has_all_figures(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        page_views.add(session, {page_views.key(make.NOW, "offers", "47"): 7})
    with database.reading() as session:
        found = overview.load(session, WEEK)
    assert (found.opened, found.daily.subscribers) == (7, 1)
    every = {Frequency.EVERY: 1}
    assert found.receiving == [("offers", every), ("weekly-news", every)]


def test_folded_counts_say_the_same(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, since=make.NOW - 9 * DAY)
        _leave(session, ADA, make.NOW - 2 * DAY)
        make.subscriber(session, BEN, since=make.NOW)
    with database.reading() as session:
        before = overview.load(session, WEEK)
    with database.transaction() as session:
        rollups.fold(session, make.NOW)
    with database.reading() as session:
        assert overview.load(session, WEEK) == before
