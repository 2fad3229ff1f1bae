"""The rows of the report: what they are about, their rates, and what they are compared with."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from preference_center.core import audience, campaigns, report, topics
from preference_center.core.api_vocab import ReportBy
from preference_center.core.apply import apply
from preference_center.core.campaigns import Campaign
from preference_center.core.change import Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Change
from preference_center.core.errors import ReportRefusal, UndoRefusal, UnknownTopicError
from preference_center.core.report import ReportRequest, ReportRow
from preference_center.core.report_counts import LEFT, LEFT_BY
from preference_center.core.vocab import Event, Source
from preference_center.store import Database
from preference_center.store.tables import LedgerRow, SubscriptionRow, SuppressionRow
from tests.support import make
from tests.unit.core.test_apply import STEPS, changes_of

DAY = timedelta(days=1)
THREE = ("sqlite", "postgresql", "distributed")
ALL_ENGINES = pytest.mark.parametrize("database_url", THREE, indirect=True)


def load(database: Database, by: ReportBy, **selection: Any) -> list[ReportRow]:
    with database.reading() as session:
        return report.load(session, ReportRequest(by, **selection))


def mail(
    session: Session,
    campaign: str,
    people: Sequence[str],
    slug: str = "weekly-news",
    at: datetime = make.NOW,
) -> None:
    """Claim the emails of a mailing to subscribers of its topic."""
    for email in people:
        make.subscriber(session, email, slug)
    topic = topics.get(session, slug)
    verdicts = audience.claim(session, topic, campaign, map(make.id_of, people), at)
    assert all(each.allows for each in verdicts.values())


def people(count: int, name: str = "p") -> list[str]:
    return [f"{name}{number}@example.org" for number in range(count)]


def test_a_mailing_has_all_who_left_by_it_and_a_rate(database: Database) -> None:
    """Also those who left everything, and those of whom a mail system reports no campaign."""
    emails = people(40)
    with database.transaction() as session:
        mail(session, "47", emails)
        sources = [Source.PAGE, Source.ONE_CLICK, Source.PROVIDER, Source.COMPLAINT, Source.BOUNCE]
        for number, source in enumerate(sources):
            named = "47" if source in (Source.PAGE, Source.ONE_CLICK) else None
            slug = None if source is Source.COMPLAINT else "weekly-news"
            make.unsubscribe(
                session, emails[number], slug, source=source, campaign=named, at=make.NOW + DAY
            )
        make.unsubscribe(session, emails[9], None, campaign="47", at=make.NOW + DAY)
    for by in (ReportBy.MAILING, ReportBy.CAMPAIGN, ReportBy.TOPIC):
        (row,) = (each for each in load(database, by) if each.counts[LEFT])
        assert (row.counts["emailed"], row.counts[LEFT]) == (40, 6)
        assert row.counts["left_everything"] == 2
        assert [row.counts[LEFT_BY[each]] for each in sources] == [2, 1, 1, 1, 1]
        assert row.rate == 125.0  # five of forty: a bounce was not their own doing


def test_who_left_everything_counts_under_no_topic_if_two_have_a_mailing_of_the_name(
    database: Database,
) -> None:
    with database.transaction() as session:
        mail(session, "47", people(4))
        mail(session, "47", people(4, "o"), "offers")
        make.unsubscribe(session, "p1@example.org", None, campaign="47")
    (row,) = (each for each in load(database, ReportBy.MAILING) if each.counts[LEFT])
    assert (row.topic, row.campaign, row.rate) == ("", "47", None)
    (row,) = (each for each in load(database, ReportBy.CAMPAIGN) if each.counts[LEFT])
    assert (row.campaign, row.counts["emailed"], row.rate) == ("47", 8, 125.0)
    assert not any(each.counts[LEFT] for each in load(database, ReportBy.TOPIC, topic="offers"))


def test_a_campaign_without_claims_is_divided_by_its_number(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "p0@example.org")
        mail(session, "46", people(4))
        for name in ("46", "47"):
            sent = Campaign("weekly-news", name, make.NOW.date(), "Sender 1.0", 2000)
            campaigns.record(session, sent)
        make.unsubscribe(session, "p0@example.org", campaign="47")
    rows = {each.campaign: each for each in load(database, ReportBy.CAMPAIGN)}
    assert rows["46"].counts["emailed"] == 4
    assert (rows["47"].counts["emailed"], rows["47"].rate) == (2000, 0.5)
    (month,) = (each for each in load(database, ReportBy.MONTH) if each.month == "2026-11")
    assert month.counts["emailed"] == 2004
    assert load(database, ReportBy.CAMPAIGN, until=make.NOW - 9 * DAY, campaign="47") == []


def test_months_have_the_subscribers_at_their_end(database: Database) -> None:
    """A subscriber of two topics counts once, and those of one topic if it is selected."""
    september, october = make.NOW - 60 * DAY, make.NOW - 30 * DAY
    with database.transaction() as session:
        for number, email in enumerate(people(5)):
            topics_of = ("weekly-news", "offers")[: 1 + number % 2]
            make.subscriber(session, email, *topics_of, since=september)
        apply(session, [_left("p0@example.org", october)], october)
        apply(session, [_left("p1@example.org", make.NOW)], make.NOW)
        apply(session, [_left("p3@example.org", make.NOW, None)], make.NOW)

    def months(**selection: Any) -> list[tuple[str, int | None]]:
        return [(row.month, row.subscribers) for row in load(database, ReportBy.MONTH, **selection)]

    assert months() == [("2026-09", 5), ("2026-10", 4), ("2026-11", 3)]
    assert months(topic="offers") == [("2026-09", 2), ("2026-11", 1)]
    assert months(since=october, until=make.NOW - 10 * DAY) == [("2026-10", 4)]


def _left(email: str, at: datetime, slug: str | None = "weekly-news") -> Unsubscribe:
    return Unsubscribe(make.id_of(email), Target.of(slug), make.context(at=at))


def test_topics_have_their_subscribers_even_if_nothing_happened(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers", since=make.NOW - DAY)
        make.subscriber(session, "ben@example.org", "offers", since=make.NOW - DAY)
    rows = load(database, ReportBy.TOPIC, since=make.NOW + DAY)
    assert [(each.topic, each.subscribers) for each in rows] == [("offers", 2), ("weekly-news", 1)]


def test_months_and_mailings_are_compared_with_the_one_before(database: Database) -> None:
    with database.transaction() as session:
        for number, campaign in enumerate(("9", "10", "11")):
            at = make.NOW + (30 * number - 40) * DAY
            emails = people(10 * (number + 1), campaign)
            mail(session, campaign, emails, at=at)
            mail(session, f"{campaign}-offers", emails[:3], "offers", at=at)
            apply(
                session,
                [
                    Unsubscribe(
                        make.id_of(emails[0]),
                        Target.of("weekly-news"),
                        make.context(at=at, campaign=campaign),
                    )
                ],
                at,
            )
    for by in (ReportBy.MAILING, ReportBy.CAMPAIGN):
        rows = {each.campaign: each for each in load(database, by, compare=True)}
        before = {name: row.previous and row.previous.campaign for name, row in rows.items()}
        assert (before["9"], before["10"], before["11"]) == (None, "9", "10")
        assert (before["10-offers"], before["11-offers"]) == ("9-offers", "10-offers")
        cells = rows["11"].cells(ReportRequest(by, compare=True).columns)
        assert (cells["left_per_thousand"], cells["previous_left_per_thousand"]) == (33.33, 50.0)
    months = [each for each in load(database, ReportBy.MONTH, compare=True) if each.rate]
    assert [each.previous and each.previous.month for each in months][1:] == ["2026-10", "2026-11"]


def test_topics_are_compared_with_the_period_before(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, since=make.NOW - 99 * DAY)
        mail(session, "a", people(10), at=make.NOW - 8 * DAY)
        mail(session, "b", people(20, "q"), at=make.NOW - DAY)
    period = {"since": make.NOW - 7 * DAY, "until": make.NOW}
    (row,) = (each for each in load(database, ReportBy.TOPIC, compare=True, **period) if each.topic)
    assert row.previous is not None
    assert (row.counts["emailed"], row.previous.counts["emailed"]) == (20, 10)
    with pytest.raises(ReportRefusal):
        load(database, ReportBy.TOPIC, compare=True, since=make.NOW)


def test_the_highest_rate_comes_first(database: Database) -> None:
    with database.transaction() as session:
        for count in (5, 2, 9):
            mail(session, f"of-{count}", people(count, str(count)))
            make.unsubscribe(session, f"{count}0@example.org", campaign=f"of-{count}")
        make.unsubscribe(session, "other@example.org", campaign="unknown")
    rows = load(database, ReportBy.CAMPAIGN, by_rate=True)
    assert [each.campaign for each in rows][:3] == ["of-2", "of-5", "of-9"]
    assert rows[-1].rate is None


def test_an_unknown_topic_is_refused(database: Database) -> None:
    with pytest.raises(UnknownTopicError):
        load(database, ReportBy.MONTH, topic="nowhere")


@pytest.mark.integration
@ALL_ENGINES
@given(batches=st.lists(STEPS, max_size=3))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_rows_add_up_to_the_unsubscribes_and_subscribers_on_record(
    database: Database, batches: list[list[tuple[str, timedelta, tuple[Any, ...]]]]
) -> None:
    with database.transaction() as session:
        topics.ensure(session, {"weekly-news"}, make.NOW)
        campaigns.record(session, Campaign("weekly-news", "47", make.NOW.date(), "", 9))
    for steps in batches:
        _apply(database, changes_of(steps))
    with database.reading() as session:
        ended = select(func.count()).where(LedgerRow.event == Event.UNSUBSCRIBED)
        expected = session.scalars(ended).one()
        received = _subscribers(session)
    for by in ReportBy:
        rows = load(database, by)
        assert sum(each.counts[LEFT] for each in rows) == expected
        for row in rows:
            assert sum(row.counts[LEFT_BY[source]] for source in Source) == row.counts[LEFT]
    found = {each.topic: each.subscribers for each in load(database, ReportBy.TOPIC)}
    assert {topic: count for topic, count in found.items() if topic and count} == received


def _apply(database: Database, changes: Sequence[Change[Any]]) -> None:
    """Apply the changes in one transaction, or else each in its own; some may be refused."""
    try:
        with database.transaction() as session:
            apply(session, changes, make.NOW)
    except UndoRefusal:
        for change in changes if len(changes) > 1 else ():
            _apply(database, [change])


def _subscribers(session: Session) -> dict[str, int]:
    """Return how many receive each topic, from the subscriptions."""
    stopped = select(SuppressionRow.subscriber_id).where(
        SuppressionRow.subscriber_id == SubscriptionRow.subscriber_id
    )
    counts = select(SubscriptionRow.topic, func.count()).where(
        SubscriptionRow.status == "subscribed", ~stopped.exists()
    )
    found = session.execute(counts.group_by(SubscriptionRow.topic))
    return {row[0]: row[1] for row in found}


@ALL_ENGINES
def test_released_and_repeated_claims_are_not_counted_twice(database: Database) -> None:
    emails = people(3)
    with database.transaction() as session:
        mail(session, "47", emails)
        topic, ids = topics.get(session, "weekly-news"), list(map(make.id_of, emails))
        audience.claim(session, topic, "47", ids, make.NOW + DAY)
        assert audience.release(session, topic, "47", ids[:2], make.NOW + DAY) == 2
        audience.claim(session, topic, "47", ids[:1], make.NOW + 2 * DAY)
    for since, expected in ((None, 2), (make.NOW + DAY, 1)):
        (row,) = load(database, ReportBy.CAMPAIGN, since=since, campaign="47")
        assert row.counts["emailed"] == expected
