"""The hold on a domain that suddenly reports many addresses as missing (M13)."""

import multiprocessing
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from preference_center.core import audience, domain_hold, subscribers, topics, verification
from preference_center.core.bounces import Authority, Bounce
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import TopicPolicy
from preference_center.store import Database, seals
from preference_center.store.tables import BounceCount, ClaimCount, SubscriberRow
from tests.support import make

DAY = timedelta(days=1)
EMAILS = [f"reader{number}@mail.example" for number in range(30)]
PROBABLE = BounceSeverity.PROBABLE


@pytest.mark.parametrize(
    ("failures", "before", "claimed", "held"),
    [
        (19, 0, None, False),
        (20, 0, None, True),
        (20, 0, 199, True),
        (20, 0, 200, False),
        (21, 0, 200, True),
        (19, 0, 20, False),
        # A first mailing to an old list: 8 % of 1,000.
        (80, 0, 1000, False),
        # Without claims: five times the usual, which is 100 in eleven days.
        (136, 100, None, False),
        (137, 100, None, True),
        # No claims, or only released ones, are no evidence.
        (20, 0, 0, True),
    ],
)
def test_a_domain_is_held_above_each_threshold(
    failures: int, before: int, claimed: int | None, held: bool
) -> None:
    assert domain_hold.exceeds(failures, before, claimed) is held


@pytest.fixture
def database(database: Database) -> Database:
    """Add a topic and its subscribers."""
    with database.transaction() as session:
        make.topic(session)
        for email in ("ada@example.org", *EMAILS):
            make.subscriber(session, email)
    return database


def fail(
    database: Database,
    emails: Iterable[str] = EMAILS,
    at: datetime = make.NOW,
    severity: BounceSeverity = BounceSeverity.PERMANENT,
    authority: Authority = "return-path",
    domain: str = "",
) -> list[str]:
    """Record a bounce of each address; return the effects."""
    effects: list[str] = []
    for email in emails:
        bounce = Bounce(severity, "5.1.1", at, authority, domain)
        with database.transaction() as session:
            effects.append(make.bounce(session, bounce, at, email))
    return effects


def suppressed(database: Database, emails: Iterable[str] = EMAILS) -> int:
    with database.reading() as session:
        found = (subscribers.find(session, make.id_of(email)) for email in emails)
        return sum(person is not None and bool(person.suppressions) for person in found)


def claim(database: Database, emails: Iterable[str], at: datetime = make.NOW) -> None:
    with database.transaction() as session:
        topic, ids = (
            topics.get(session, "weekly-news"),
            [make.id_of(each) for each in emails],
        )
        audience.claim(session, topic, at.isoformat(), ids, at)


def test_a_hold_removes_the_suppressions_that_led_to_it(database: Database) -> None:
    assert fail(database) == ["suppressed"] * 19 + ["quarantined"] * 11
    assert suppressed(database) == 0, "suppressions made before the hold are removed"
    assert fail(database, ["ada@example.org"]) == ["suppressed"], "another domain is not held"
    with database.reading() as session:
        assert make.events(session, EMAILS[0])[-2:] == [("unsubscribed", "all"), ("lifted", "all")]
        assert set(verification.verify(session)) == {None}


@pytest.mark.parametrize("authority", ["return-path", "provider"])
def test_dead_addresses_are_suppressed_at_the_next_mailing(
    database: Database, authority: Authority
) -> None:
    fail(database, authority=authority)
    assert fail(database, at=make.NOW + 7 * DAY, authority=authority) == ["suppressed"] * 30
    with database.reading() as session:
        person = subscribers.find(session, make.id_of(EMAILS[0]))
        assert person is not None
        assert set(person.suppressions) == {"all" if authority == "return-path" else "address"}


def test_a_fault_of_two_days_suppresses_no_daily_subscriber(database: Database) -> None:
    for hours in (0, 24, 47, 6 * 24):
        fail(database, at=make.NOW + timedelta(hours=hours), authority="provider")
        assert suppressed(database) == 0


def _fail_in_another_process(url: str, emails: list[str]) -> None:
    database = Database(url, (make.SERVER_KEY,))
    for _ in range(2):
        fail(database, emails)
    database.close()


@pytest.mark.integration
def test_a_hold_counts_bounces_from_several_processes(
    database: Database, database_url: str
) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(
            _fail_in_another_process, [(database_url, EMAILS[each::3]) for each in range(3)]
        )
    assert suppressed(database) == 0
    with database.reading() as session:
        assert session.scalars(select(BounceCount.count)).one() == 30
        assert set(verification.verify(session)) == {None}


def test_probable_bounces_count_towards_a_hold(database: Database) -> None:
    fail(database, EMAILS[:15], severity=PROBABLE)
    assert fail(database, EMAILS[15:]) == ["suppressed"] * 4 + ["quarantined"] * 11
    assert suppressed(database) == 0


def test_a_hold_prevents_confirmation_of_earlier_failures(database: Database) -> None:
    fail(database, EMAILS[:5], severity=PROBABLE)
    later = make.NOW + 10 * DAY
    fail(database, EMAILS[5:], at=later)
    assert fail(database, EMAILS[:5], at=later, severity=PROBABLE) == ["quarantined"] * 5
    assert suppressed(database) == 0


def test_a_hold_applies_to_addresses_that_are_not_on_record(database: Database) -> None:
    new = [f"new{number}@other.example" for number in range(25)]
    effects = fail(database, new, domain="other.example")
    assert effects == ["suppressed"] * 19 + ["quarantined"] * 6
    assert suppressed(database, new) == 0


def test_a_hold_removes_only_suppressions_by_bounces(database: Database) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, EMAILS[0], None)
        make.unsubscribe(session, EMAILS[1])
    fail(database, authority="provider")
    assert suppressed(database) == 1
    with database.reading() as session:
        opted_out, left_a_topic = (
            subscribers.find(session, make.id_of(each)) for each in EMAILS[:2]
        )
        assert opted_out is not None
        assert left_a_topic is not None
        assert set(opted_out.suppressions) == {"all"}
        assert left_a_topic.subscriptions["weekly-news"].status == "unsubscribed"


def test_failures_of_a_small_share_of_claims_do_not_cause_a_hold(database: Database) -> None:
    more = [f"more{number}@MAIL.example" for number in range(270)]
    with database.transaction() as session:
        subscribers.upsert_addresses(session, {make.id_of(each): each for each in more}, make.NOW)
        topics.get(session, "weekly-news").policy = TopicPolicy.OPT_OUT
    claim(database, [*EMAILS, *more])
    assert set(fail(database, at=make.NOW + DAY)) == {"suppressed"}
    assert suppressed(database) == 30
    assert fail(database, more[:1], make.NOW + DAY) == ["quarantined"]
    assert suppressed(database, [*EMAILS, *more]) == 0, "31 of 300 are too many"


def test_claims_are_counted_once_by_domain_and_day(database: Database) -> None:
    for _ in range(2):
        claim(database, [*EMAILS, "ada@example.org"])
    claim(database, EMAILS[:3], make.NOW + timedelta(hours=1))
    claim(database, EMAILS[:3], make.NOW + DAY)
    with database.transaction() as session:
        topics.get(session, "weekly-news").policy = TopicPolicy.OPT_OUT
        session.add(_subscriber_without_address())
        session.flush()
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "x", [make.id_of("none@example.org")], make.NOW)
    today = make.NOW.date()
    with database.reading() as session:
        counts = select(ClaimCount.domain, ClaimCount.day, ClaimCount.count)
        assert set(map(tuple, session.execute(counts))) == {
            ("mail.example", today, 33),
            ("mail.example", today + DAY, 3),
            ("example.org", today, 1),
        }


def _subscriber_without_address() -> SubscriberRow:
    return SubscriberRow(
        subscriber_id=make.id_of("none@example.org"),
        created_at=make.NOW,
        seq=0,
        head=seals.FIRST_HEAD,
    )


def test_counts_of_a_rare_domain_are_deleted(database: Database) -> None:
    claim(database, [*EMAILS, "ada@example.org"])
    fail(database, [*EMAILS, "ada@example.org"])
    with database.transaction() as session:
        domain_hold.forget_rare(session, {"mail.example", "example.org", ""})
    with database.reading() as session:
        for column in (ClaimCount.domain, BounceCount.domain):
            assert set(session.scalars(select(column))) == {"mail.example"}


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("ada@Example.ORG", "example.org"),
        ("ada@müller.example", "xn--mller-kva.example"),
        ("a@b@c.example", "c.example"),
        ("nobody", ""),
        ("", ""),
        ("ada@", ""),
    ],
)
def test_the_domain_is_extracted_from_an_address(email: str, domain: str) -> None:
    assert domain_hold.domain_of(email) == domain
