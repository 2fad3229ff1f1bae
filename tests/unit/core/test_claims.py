"""Claims: how they count towards frequency caps, are repeated and are released."""

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from preference_center.core import audience, topics
from preference_center.core.errors import TopicRefusal
from preference_center.core.vocab import Decision, DecisionReason, Frequency, Pause
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
    """Add a subscriber whose topics are capped at `frequency`."""
    make.subscriber(session, email, *slugs, frequency=frequency)


def _claim(
    session: Session, campaign: str, at: datetime = make.NOW, slug: str = "weekly-news"
) -> audience.Verdict:
    person = make.id_of()
    return audience.claim(session, topics.get(session, slug), campaign, [person], at)[person]


def _verdict(session: Session, campaign: str, at: datetime = make.NOW) -> str:
    return _claim(session, campaign, at).decision


def _release(
    session: Session, campaign: str, at: datetime = make.NOW, slug: str = "weekly-news"
) -> int:
    return audience.release(session, topics.get(session, slug), campaign, [make.id_of()], at)


def _pause(session: Session, until: datetime) -> None:
    with make.drafted(session) as draft:
        draft.subscriber.subscriptions["weekly-news"].paused_until = until


@pytest.mark.parametrize(("frequency", "gap"), CAPS)
def test_a_cap_is_exact_to_the_minute(
    database: Database, frequency: Frequency, gap: timedelta
) -> None:
    with database.transaction() as session:
        _capped(session, frequency)
        assert _verdict(session, "one") == "allow"
        early = _claim(session, "two", make.NOW + gap - MINUTE)
        assert early == audience.Verdict(
            Decision.DEFER, DecisionReason.FREQUENCY, make.NOW + gap, ADA
        )
        assert _verdict(session, "two", make.NOW + gap) == "allow"


@pytest.mark.parametrize(("frequency", "gap"), CAPS)
def test_a_deferred_email_is_allowed_at_the_named_time(
    database: Database, frequency: Frequency, gap: timedelta
) -> None:
    with database.transaction() as session:
        _capped(session, frequency)
        _claim(session, "one")
        until = _claim(session, "two", make.NOW + gap / 2).until
        assert until is not None
        assert _verdict(session, "two", until) == "allow"


def test_a_subscriber_without_a_cap_is_always_allowed(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        for minute in range(3):
            assert _verdict(session, f"c{minute}", make.NOW + minute * MINUTE) == "allow"


def test_a_weekly_cap_allows_a_weekly_mailing_with_jitter(
    database: Database,
) -> None:
    jitter = random.Random(7)
    with database.transaction() as session:
        _capped(session)
        for week in range(26):
            at = make.NOW + week * 7 * DAY + jitter.uniform(-1, 1) * HOUR
            assert _verdict(session, f"w{week}", at) == "allow"


def test_a_monthly_cap_allows_a_four_weekly_mailing_with_jitter(
    database: Database,
) -> None:
    jitter = random.Random(7)
    with database.transaction() as session:
        _capped(session, Frequency.MONTHLY)
        for month in range(12):
            at = make.NOW + month * 28 * DAY + jitter.uniform(-1, 1) * HOUR
            assert _verdict(session, f"m{month}", at) == "allow"


def test_emails_claimed_before_a_reduction_count_towards_the_cap(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        _claim(session, "one")
        make.reduce(session, Frequency.WEEKLY, at=make.NOW + HOUR)
        found = _claim(session, "two", make.NOW + DAY)
        assert (found.reason, found.until) == ("frequency", make.NOW + WEEKLY)


def test_only_the_latest_claim_counts(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _claim(session, "two", make.NOW + 7 * DAY)
        until = make.NOW + 7 * DAY + WEEKLY
        assert _claim(session, "three", make.NOW + 8 * DAY).until == until


def test_each_topic_is_counted_separately(database: Database) -> None:
    with database.transaction() as session:
        _capped(session, Frequency.WEEKLY, ADA, "weekly-news", "offers")
        assert _claim(session, "one", slug="weekly-news").decision == "allow"
        assert _claim(session, "two", slug="offers").decision == "allow"
        assert _claim(session, "two", slug="weekly-news").decision == "defer"


def test_each_subscriber_is_counted_separately(database: Database) -> None:
    bob = make.id_of("bob@example.org")
    with database.transaction() as session:
        _capped(session)
        _capped(session, Frequency.WEEKLY, "bob@example.org")
        _claim(session, "one")
        topic = topics.get(session, "weekly-news")
        found = audience.claim(session, topic, "two", [make.id_of(), bob], make.NOW)
        assert (found[make.id_of()].decision, found[bob].decision) == ("defer", "allow")


def test_a_deferred_or_denied_email_is_not_claimed(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _claim(session, "two", make.NOW + HOUR)
        make.unsubscribe(session, at=make.NOW + HOUR)
        _claim(session, "three", make.NOW + 30 * DAY)
        assert [claim.campaign for claim in session.query(Claim)] == ["one"]


def test_a_check_without_a_claim_counts_nothing(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        topic = topics.get(session, "weekly-news")
        for _ in range(2):
            found = audience.check(session, topic, "one", {make.id_of(): ADA}, make.NOW)
            assert found[make.id_of()].decision == "allow"
        assert session.query(Claim).count() == 0


def test_a_check_without_a_claim_sees_existing_claims(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        topic = topics.get(session, "weekly-news")
        found = audience.check(session, topic, "two", {make.id_of(): ADA}, make.NOW)
        assert found[make.id_of()] == audience.Verdict(
            Decision.DEFER, DecisionReason.FREQUENCY, make.NOW + WEEKLY, ADA
        )


@pytest.mark.parametrize("frequency", ["every", "weekly", "monthly"])
def test_a_repeated_claim_gets_the_same_verdict_and_counts_once(
    database: Database, frequency: Frequency
) -> None:
    with database.transaction() as session:
        _capped(session, frequency)
        first = _claim(session, "one")
        assert _claim(session, "one", make.NOW + HOUR) == first
        assert _claim(session, "one", make.NOW + 3 * DAY) == first
        assert session.query(Claim).one().claimed_at == make.NOW
        assert _verdict(session, "two", make.NOW + WEEKLY) == (
            "defer" if frequency == "monthly" else "allow"
        )


def test_a_repeated_claim_respects_a_newer_claim_of_another_campaign(
    database: Database,
) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _claim(session, "two", make.NOW + 7 * DAY)
        found = _claim(session, "one", make.NOW + 8 * DAY)
        assert (found.reason, found.until) == ("frequency", make.NOW + 7 * DAY + WEEKLY)


def test_a_repeated_claim_respects_a_newer_choice(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        later = make.NOW + HOUR
        make.reduce(session, Pause.TWO_WEEKS, at=later)
        assert _claim(session, "one", later).reason == "paused"
        make.unsubscribe(session, at=later)
        assert _claim(session, "one", later).reason == "unsubscribed"


def test_a_pause_defers_until_it_ends(database: Database) -> None:
    with database.transaction() as session:
        until = make.NOW + 14 * DAY
        make.subscriber(session, paused_until=until)
        assert _claim(session, "one") == audience.Verdict(
            Decision.DEFER, DecisionReason.PAUSED, until, ADA
        )
        assert _verdict(session, "one", until - MINUTE) == "defer"
        assert session.query(Claim).count() == 0
        assert _verdict(session, "one", until) == "allow"


def test_a_cap_still_applies_after_a_pause_has_ended(database: Database) -> None:
    with database.transaction() as session:
        _capped(session, Frequency.MONTHLY)
        _claim(session, "one")
        _pause(session, make.NOW + 14 * DAY)
        assert _claim(session, "two", make.NOW + DAY).reason == "paused"
        assert _claim(session, "two", make.NOW + 15 * DAY).until == make.NOW + CAPS[1][1]


@pytest.mark.parametrize(
    ("slug", "reason"), [("weekly-news", "unsubscribed"), (None, "suppressed")]
)
def test_an_unsubscribe_takes_precedence_over_a_pause_and_a_cap(
    database: Database, slug: str | None, reason: str
) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _pause(session, make.NOW + 14 * DAY)
        make.unsubscribe(session, slug=slug)
        assert _claim(session, "two") == audience.Verdict(
            Decision.DENY, DecisionReason(reason), email=ADA
        )


def test_a_released_claim_does_not_count(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        assert _release(session, "one", make.NOW + HOUR) == 1
        assert _verdict(session, "two", make.NOW + HOUR) == "allow"


def test_a_claim_is_released_once(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        assert [_release(session, "one"), _release(session, "one")] == [1, 0]


def test_a_release_affects_only_its_campaign_and_topic(database: Database) -> None:
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


def test_releasing_the_latest_claim_makes_the_earlier_one_count(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _claim(session, "two", make.NOW + 7 * DAY)
        _release(session, "two", make.NOW + 7 * DAY)
        assert _verdict(session, "three", make.NOW + WEEKLY) == "allow"


def test_a_claim_repeated_after_its_release_counts_from_then_on(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _release(session, "one", make.NOW + HOUR)
        assert _verdict(session, "one", make.NOW + 5 * DAY) == "allow"
        assert _claim(session, "two", make.NOW + 7 * DAY).until == make.NOW + 5 * DAY + WEEKLY


def test_a_released_claim_is_not_reserved_for_its_campaign(database: Database) -> None:
    with database.transaction() as session:
        _capped(session)
        _claim(session, "one")
        _release(session, "one")
        _claim(session, "two")
        assert _verdict(session, "one", make.NOW + HOUR) == "defer"


def test_a_claim_on_an_archived_topic_is_refused(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
        with pytest.raises(TopicRefusal, match="archived"):
            _claim(session, "one")


def test_a_claim_can_be_released_after_its_topic_is_archived(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        _claim(session, "one")
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
        assert _release(session, "one") == 1
