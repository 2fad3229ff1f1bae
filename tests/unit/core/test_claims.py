"""Claims: what a cap counts, what a crash repeats and what a cancelled mailing gives back."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import audience, subscribers, subscriptions, topics
from preference_center.core.errors import TopicRefusal
from preference_center.core.vocab import Frequency, Pause
from preference_center.store import Database
from preference_center.store.tables import Claim
from tests.support import make

ADA = "ada@example.org"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CAPS = [
    (Frequency.WEEKLY, timedelta(days=6, hours=12)),
    (Frequency.MONTHLY, timedelta(days=27, hours=12)),
]
WEEKLY = CAPS[0][1]


def _capped(
    session: Session, frequency: Frequency = Frequency.WEEKLY, email: str = ADA, *slugs: str
) -> None:
    """Add somebody who gets topics at most as often as `frequency` says."""
    for subscription in make.reader(session, email, *slugs).subscriptions.values():
        subscription.frequency = frequency
    session.flush()


def _claim(
    session: Session, campaign: str, at: datetime = make.NOW, slug: str = "weekly-news"
) -> audience.Verdict:
    person = make.person()
    return audience.claim(session, topics.get(session, slug), campaign, [person], at)[person]


def _answer(session: Session, campaign: str, at: datetime = make.NOW) -> str:
    return _claim(session, campaign, at).verdict


def _release(
    session: Session, campaign: str, at: datetime = make.NOW, slug: str = "weekly-news"
) -> int:
    return audience.release(session, topics.get(session, slug), campaign, [make.person()], at)


def _ada(session: Session) -> Any:
    return subscribers.lock(session, make.person(), make.NOW)


@pytest.mark.parametrize(("frequency", "gap"), CAPS)
def test_a_cap_holds_to_the_minute(
    database: Database, frequency: Frequency, gap: timedelta
) -> None:
    with database.transaction() as session:
        _capped(session, frequency)
        assert _answer(session, "one") == "allow"
        early = _claim(session, "two", make.NOW + gap - MINUTE)
        assert early == audience.Verdict("defer", "frequency", make.NOW + gap, ADA)
        assert _answer(session, "two", make.NOW + gap) == "allow"


@pytest.mark.parametrize(("frequency", "gap"), CAPS)
def test_who_was_deferred_is_allowed_at_the_time_that_was_named(
    database: Database, frequency: Frequency, gap: timedelta
) -> None:
    with database.transaction() as session:
        _capped(session, frequency)
        _claim(session, "one")
        until = _claim(session, "two", make.NOW + gap / 2).until
        assert until is not None
        assert _answer(session, "two", until) == "allow"


def test_who_has_no_cap_is_allowed_every_time(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        for minute in range(3):
            assert _answer(session, f"c{minute}", make.NOW + minute * MINUTE) == "allow"


def test_a_letter_that_jitters_by_minutes_reaches_a_weekly_reader_every_week(
    database: Database,
) -> None:
    jitter = random.Random(7)
    with database.transaction() as session:
        _capped(session)
        for week in range(26):
            at = make.NOW + week * 7 * DAY + jitter.uniform(-1, 1) * HOUR
            assert _answer(session, f"w{week}", at) == "allow"


def test_a_letter_every_fourth_week_reaches_a_monthly_reader_every_time(
    database: Database,
) -> None:
    jitter = random.Random(7)
    with database.transaction() as session:
        _capped(session, Frequency.MONTHLY)
        for month in range(12):
            at = make.NOW + month * 28 * DAY + jitter.uniform(-1, 1) * HOUR
            assert _answer(session, f"m{month}", at) == "allow"


def test_what_is_sent_before_somebody_asks_for_less_counts(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        _claim(session, "one")
        topic = topics.get(session, "weekly-news")
        subscriptions.reduce_or_pause(
            session, _ada(session), topic, Frequency.WEEKLY, make.context(at=make.NOW + HOUR)
        )
        found = _claim(session, "two", make.NOW + DAY)
        assert (found.reason, found.until) == ("frequency", make.NOW + WEEKLY)


def test_only_the_last_mail_counts(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _claim(session, "two", make.NOW + 7 * DAY)
        until = make.NOW + 7 * DAY + WEEKLY
        assert _claim(session, "three", make.NOW + 8 * DAY).until == until


def test_topics_are_counted_apart(database: Database) -> None:
    with database.transaction() as session:
        _capped(session, Frequency.WEEKLY, ADA, "weekly-news", "offers")
        assert _claim(session, "one", slug="weekly-news").verdict == "allow"
        assert _claim(session, "two", slug="offers").verdict == "allow"
        assert _claim(session, "two", slug="weekly-news").verdict == "defer"


def test_people_are_counted_apart(database: Database) -> None:
    bob = make.person("bob@example.org")
    with database.transaction() as session:
        _capped(session)
        _capped(session, Frequency.WEEKLY, "bob@example.org")
        _claim(session, "one")
        topic = topics.get(session, "weekly-news")
        found = audience.claim(session, topic, "two", [make.person(), bob], make.NOW)
        assert (found[make.person()].verdict, found[bob].verdict) == ("defer", "allow")


def test_who_is_not_allowed_is_not_counted(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _claim(session, "two", make.NOW + HOUR)
        make.stop(session, at=make.NOW + HOUR)
        _claim(session, "three", make.NOW + 30 * DAY)
        assert [claim.campaign for claim in session.query(Claim)] == ["one"]


def test_asking_without_a_claim_counts_nothing(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        topic = topics.get(session, "weekly-news")
        for _ in range(2):
            found = audience.check(session, topic, "one", {make.person(): ADA}, make.NOW)
            assert found[make.person()].verdict == "allow"
        assert session.query(Claim).count() == 0


def test_asking_without_a_claim_sees_what_others_claimed(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        topic = topics.get(session, "weekly-news")
        found = audience.check(session, topic, "two", {make.person(): ADA}, make.NOW)
        assert found[make.person()] == audience.Verdict(
            "defer", "frequency", make.NOW + WEEKLY, ADA
        )


@pytest.mark.parametrize("frequency", ["every", "weekly", "monthly"])
def test_a_campaign_that_asks_again_gets_the_same_answer_counted_once(
    database: Database, frequency: Frequency
) -> None:
    with database.transaction() as session:
        _capped(session, frequency)
        first = _claim(session, "one")
        assert _claim(session, "one", make.NOW + HOUR) == first
        assert _claim(session, "one", make.NOW + 3 * DAY) == first
        assert session.query(Claim).one().claimed_at == make.NOW
        assert _answer(session, "two", make.NOW + WEEKLY) == (
            "defer" if frequency == "monthly" else "allow"
        )


def test_a_campaign_that_asks_again_leaves_out_whom_another_has_mailed_since(
    database: Database,
) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _claim(session, "two", make.NOW + 7 * DAY)
        found = _claim(session, "one", make.NOW + 8 * DAY)
        assert (found.reason, found.until) == ("frequency", make.NOW + 7 * DAY + WEEKLY)


def test_a_campaign_that_asks_again_hears_what_was_chosen_since(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        topic, later = topics.get(session, "weekly-news"), make.NOW + HOUR
        subscriptions.reduce_or_pause(
            session, _ada(session), topic, Pause.TWO_WEEKS, make.context(at=later)
        )
        assert _claim(session, "one", later).reason == "paused"
        make.stop(session, at=later)
        assert _claim(session, "one", later).reason == "unsubscribed"


def test_a_pause_defers_until_it_ends(database: Database) -> None:
    with database.transaction() as session:
        until = make.NOW + 14 * DAY
        make.reader(session).subscriptions["weekly-news"].paused_until = until
        session.flush()
        assert _claim(session, "one") == audience.Verdict("defer", "paused", until, ADA)
        assert _answer(session, "one", until - MINUTE) == "defer"
        assert session.query(Claim).count() == 0
        assert _answer(session, "one", until) == "allow"


def test_a_cap_holds_when_a_pause_has_ended(database: Database) -> None:
    with database.transaction() as session:
        _capped(session, Frequency.MONTHLY)
        _claim(session, "one")
        _ada(session).subscriptions["weekly-news"].paused_until = make.NOW + 14 * DAY
        session.flush()
        assert _claim(session, "two", make.NOW + DAY).reason == "paused"
        assert _claim(session, "two", make.NOW + 15 * DAY).until == make.NOW + CAPS[1][1]


@pytest.mark.parametrize(
    ("slug", "reason"), [("weekly-news", "unsubscribed"), (None, "suppressed")]
)
def test_a_stop_beats_a_pause_and_a_cap(database: Database, slug: str | None, reason: str) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _ada(session).subscriptions["weekly-news"].paused_until = make.NOW + 14 * DAY
        make.stop(session, slug=slug)
        assert _claim(session, "two") == audience.Verdict("deny", reason, email=ADA)


def test_what_is_released_was_never_counted(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        assert _release(session, "one", make.NOW + HOUR) == 1
        assert _answer(session, "two", make.NOW + HOUR) == "allow"


def test_what_is_released_is_given_back_once(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        assert [_release(session, "one"), _release(session, "one")] == [1, 0]


def test_a_release_gives_back_that_campaign_on_that_topic_alone(database: Database) -> None:
    with database.transaction() as session:
        _capped(session, Frequency.EVERY, ADA, "weekly-news", "offers")
        for campaign, slug in [("one", "weekly-news"), ("two", "weekly-news"), ("one", "offers")]:
            _claim(session, campaign, slug=slug)
        _release(session, "one")
        held = session.query(Claim).filter(Claim.released_at.is_(None))
        assert {(claim.campaign, claim.topic) for claim in held} == {
            ("two", "weekly-news"),
            ("one", "offers"),
        }


def test_an_earlier_mail_counts_again_when_the_last_one_is_released(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _claim(session, "two", make.NOW + 7 * DAY)
        _release(session, "two", make.NOW + 7 * DAY)
        assert _answer(session, "three", make.NOW + WEEKLY) == "allow"


def test_what_is_released_and_claimed_again_counts_anew(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _release(session, "one", make.NOW + HOUR)
        assert _answer(session, "one", make.NOW + 5 * DAY) == "allow"
        assert _claim(session, "two", make.NOW + 7 * DAY).until == make.NOW + 5 * DAY + WEEKLY


def test_what_was_released_is_not_kept_for_the_campaign(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _release(session, "one")
        _claim(session, "two")
        assert _answer(session, "one", make.NOW + HOUR) == "defer"


def test_nobody_is_claimed_on_an_archived_topic(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
        with pytest.raises(TopicRefusal, match="archived"):
            _claim(session, "one")


def test_what_an_archived_topic_claimed_can_be_given_back(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        _claim(session, "one")
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
        assert _release(session, "one") == 1
