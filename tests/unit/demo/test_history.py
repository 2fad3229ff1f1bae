"""The half-year of the demo: reproducible, complete, in the past and consistent."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from preference_center.core import audience, report, subscribers, topics, verification
from preference_center.core.figures import overview
from preference_center.core.figures.checks import CheckName
from preference_center.core.figures.period import Period, Span
from preference_center.core.report import ReportRequest
from preference_center.core.stayed import Stayed
from preference_center.core.vocab import Source
from preference_center.demo import campaign, company, history, readers
from preference_center.demo.inbox import inbox_folder
from preference_center.demo.summary import NEWEST, by_topic, load
from preference_center.i18n import Languages
from preference_center.links.minter import Minter
from preference_center.settings.reader import LANGUAGES
from preference_center.store import Database
from preference_center.store.tables import Base, Claim, LedgerRow, OutboxRow, Reason
from preference_center.store.upgrade import upgrade
from tests.support import make

pytestmark = pytest.mark.integration

SLUGS = [new.slug for new in company.TOPICS]
FEW = company.people()[:100]


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """Yield an empty database like the demo's."""
    with demo_database(sqlite_template, tmp_path) as empty:
        yield empty


@pytest.fixture(scope="module")
def made(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Yield the half-year of many people, for tests that only read."""
    with demo_database(sqlite_template, tmp_path_factory.mktemp("made")) as database:
        history.fill(database, make.minter(), company.people(), make.NOW)
        yield database


@contextmanager
def demo_database(template: Path, folder: Path) -> Iterator[Database]:
    shutil.copy(template, folder / "demo.db")
    database = make.database(f"sqlite:///{folder / 'demo.db'}")
    yield database
    database.close()


def fill(database: Database, minter: Minter | None = None) -> dict[str, datetime]:
    return history.fill(database, minter or make.minter(), FEW, make.NOW)


def count(database: Database, table: type[Base]) -> int:
    with database.reading() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def report_rows(database: Database) -> list[report.ReportRow]:
    with database.reading() as session:
        return report.load(session, ReportRequest())


def test_the_history_is_the_same_with_other_keys(
    database: Database, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fill(database)
    with demo_database(sqlite_template, tmp_path_factory.mktemp("other")) as other:
        fill(other, make.minter(identity_key="another-identity-key-9zX3cV6bN1mK8"))
        assert report_rows(database) == report_rows(other)


def test_the_history_is_written_completely_or_not_at_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, calls = audience.claim, Counter[str]()

    def failing(*arguments: Any) -> Any:
        calls["claim"] += 1
        if calls["claim"] == 20:
            raise KeyboardInterrupt
        return claim(*arguments)

    monkeypatch.setattr(audience, "claim", failing)
    with pytest.raises(KeyboardInterrupt):
        fill(database)
    assert count(database, LedgerRow) == 0
    assert fill(database)


def test_a_second_start_adds_nothing(database: Database) -> None:
    assert set(fill(database)) == set(SLUGS)
    before = [count(database, table) for table in (LedgerRow, Claim)]
    later = make.NOW + timedelta(days=40)
    assert history.fill(database, make.minter(), FEW, later) == {}
    assert [count(database, table) for table in (LedgerRow, Claim)] == before


def test_every_event_is_within_the_half_year(made: Database) -> None:
    begin = make.NOW - timedelta(weeks=history.WEEKS + 1)
    with made.reading() as session:
        for column in (LedgerRow.recorded_at, Claim.claimed_at):
            oldest, newest = session.execute(select(func.min(column), func.max(column))).one()
            assert begin < oldest < newest < make.NOW
        assert set(verification.verify(session)) == {None}


def test_past_changes_send_no_email(made: Database) -> None:
    assert count(made, OutboxRow) == 0


def test_old_reasons_are_anonymized(made: Database) -> None:
    with made.reading() as session:
        oldest = session.scalars(select(func.min(Reason.given_at))).one()
    assert oldest is None or oldest >= make.NOW - make.RETENTION.reason_identities


def test_every_kind_of_event_occurs(made: Database) -> None:
    happened = report.total(report_rows(made))
    assert {context for context in report.EVENT_COLUMNS if not happened[context]} == set()
    with made.reading() as session:
        events = set(session.scalars(select(LedgerRow.event).distinct()))
        sources = set(session.scalars(select(LedgerRow.source).distinct()))
    assert events >= {"subscribed", "unconfirmed", "unsubscribed", "reduced", "paused", "undone"}
    assert events >= {"resubscribed", "resumed"}
    assert sources >= {"import", "page", "one-click", "bounce"}


def test_the_reader_gets_every_topic_at_first(made: Database) -> None:
    with made.reading() as session:
        for slug in SLUGS:
            found = topics.get(session, slug)
            checked = audience.check(session, found, "next", {make.id_of(): ""}, make.NOW)
            assert checked[make.id_of()].decision == "allow"


def test_a_folder_of_an_older_version_is_updated(database: Database) -> None:
    """It had two topics without a cadence or German name; the reader had unsubscribed from one."""
    with database.transaction() as session:
        make.subscriber(session, company.READER, "weekly-news", "product-news")
        make.unsubscribe(session, company.READER, "weekly-news")
    fill(database)
    with database.reading() as session:
        known = {topic.slug: topic for topic in topics.list_topics(session)}
        reader = subscribers.find(session, make.id_of())
    assert known["weekly-news"].cadence == "weekly"
    assert topics.name(known["weekly-news"], "de") == "Wochenbrief"
    assert reader is not None
    status = {slug: each.status for slug, each in reader.subscriptions.items()}
    assert status == dict.fromkeys(SLUGS, "subscribed") | {"weekly-news": "unsubscribed"}


def test_a_renamed_topic_keeps_its_name(database: Database) -> None:
    fill(database)
    with database.transaction() as session:
        topics.describe(topics.get(session, "offers"), "de", "Schnäppchen", "")
    fill(database)
    with database.reading() as session:
        assert topics.name(topics.get(session, "offers"), "de") == "Schnäppchen"


def test_the_demo_has_every_language(database: Database, tmp_path: Path) -> None:
    assert company.settings_in(tmp_path, 8000).languages == tuple(LANGUAGES)
    fill(database)
    with database.reading() as session:
        for topic in topics.list_topics(session):
            assert set(topic.texts) == set(LANGUAGES)
            assert all(text.description for text in topic.texts.values())


def test_the_inbox_has_one_email_of_each_topic_for_the_demos_url(tmp_path: Path) -> None:
    settings = company.settings_in(tmp_path, 8000)
    database = Database(
        settings.database_url,
        settings.server_keys,
        identity_key=settings.identity_key,
        link_keys=settings.link_keys,
    )
    upgrade(database)
    latest = fill(database, settings.minter())
    languages = Languages.of(settings)
    sender = campaign.Sender(settings, database, languages, tmp_path)
    emails = inbox_folder(tmp_path)
    sender.send_first(latest, make.NOW)
    first = {f"{slug}-{latest[slug]:%Y-%m-%d}" for slug in SLUGS}
    assert {path.stem for path in emails.iterdir()} == first
    sender.send_first({}, make.NOW)
    assert {path.stem for path in emails.iterdir()} == first
    elsewhere = replace(settings, public_url="http://localhost:8001")
    campaign.Sender(elsewhere, database, languages, tmp_path).send_first({}, make.NOW)
    assert {path.stem for path in emails.iterdir()} == first | {
        f"{slug}-{make.NOW:%Y-%m-%d}" for slug in SLUGS
    }
    database.close()


def test_planned_events_run_in_order() -> None:
    schedule, done = readers.Schedule(), []
    for hours in (3, 1, 2):
        schedule.plan(make.NOW + timedelta(hours=hours), lambda at: done.append(at))
    schedule.plan(make.NOW, lambda at: schedule.plan(at + timedelta(hours=1.5), done.append))
    schedule.run_until(make.NOW + timedelta(hours=3))
    assert done == [make.NOW + timedelta(hours=hours) for hours in (1, 1.5, 2)]


def test_the_report_lists_the_newest_mailings_and_sums_the_others() -> None:
    days = [f"2026-{month:02}-{day:02}" for month in (9, 10) for day in range(1, 9)]
    named = [report.ReportRow("offers", day, Counter(left=1)) for day in days]
    lines = [report.ReportRow("offers", "", Counter(came_back=2)), *named]
    everything = report.ReportRow("", "2026-10-08", Counter(left=1, reason_too_many=1))
    offers, last = by_topic([*lines, everything], {"offers": Stayed(20, 4, 1)}, {})
    assert [line.campaign for line in offers.newest] == days[::-1][:NEWEST]
    assert (offers.older, offers.older_counts) == (4, Counter(left=4))
    assert (offers.columns, offers.total) == (["left", "came_back"], Counter(left=16, came_back=2))
    assert offers.without == Counter(came_back=2)
    assert (last.slug, last.reasons) == ("", [("too_many", 1)])
    assert (offers.stayed, last.stayed) == (Stayed(20, 4, 1), Stayed(0, 0, 0))


def test_the_console_finds_no_trouble_but_the_feed(made: Database) -> None:
    """The demo's own sequencer numbers the events of its history."""
    with made.reading() as session:
        found = overview.load(session, Period(Span.QUARTER, make.NOW))
    assert [each.name for each in found.troubles] == [CheckName.UNNUMBERED]
    assert found.costliest
    assert [each.asked > 0 for each in found.kept] == [True, True]


def test_the_report_counts_people_and_emails(made: Database) -> None:
    with made.reading() as session:
        summary, claims = load(session), count(made, Claim)
    topics_of = [each for each in summary.reports if each.slug]
    assert sum(each.total["emailed"] for each in topics_of) == claims
    for each in topics_of:
        less = each.total["reduced"] + each.total["paused"]
        assert each.stayed.left_later <= each.total["left_after_less"]
        assert 0 < each.stayed.took_less <= less
        assert each.stayed.took_less < each.stayed.came <= less + each.total["left"]
        assert each.share_of_emails("left") == each.total["left"] / each.total["emailed"]
        assert each.share_of_emails("opened") is None
    assert any(each.notes for each in topics_of)
    assert summary.stayed.came == sum(each.stayed.came for each in topics_of)


def test_the_progress_of_the_history_is_reported(database: Database) -> None:
    reported: list[tuple[int, int]] = []
    history.fill(database, make.minter(), FEW, make.NOW, lambda *each: reported.append(each))
    total = len(list(history.mailings(make.NOW)))
    assert reported == [(done, total) for done in range(total)]


def test_the_page_counts_only_those_who_chose_to_leave(made: Database) -> None:
    """Complaints and bounces end consent, but were not chosen by the subscriber."""
    own: tuple[Source, ...] = (Source.PAGE, Source.ONE_CLICK)
    with made.reading() as session:
        left = select(func.count()).where(LedgerRow.event == "unsubscribed")
        every_source = session.scalars(left).one()
        chosen = session.scalars(left.where(LedgerRow.source.in_(own))).one()
        shown = load(session).reports
    assert report.total(report_rows(made))["left"] == every_source
    assert sum(each.total["left"] for each in shown) == chosen < every_source
