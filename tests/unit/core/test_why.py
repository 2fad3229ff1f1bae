"""Why a person was emailed: the consent on record when a sender was allowed to."""

from datetime import timedelta

from preference_center.core import audience, topics, why
from preference_center.core.vocab import Frequency
from preference_center.core.why import AllowedEmail
from preference_center.store import Database
from preference_center.store.tables import Claim
from tests.support import make

DAY = timedelta(days=1)


def explained(database: Database) -> list[AllowedEmail]:
    with database.reading() as session:
        return why.explain(session, make.id_of(), 10)


def claim(database: Database, campaign: str, at: timedelta, slug: str = "weekly-news") -> None:
    with database.transaction() as session:
        topic = topics.get(session, slug)
        audience.claim(session, topic, campaign, [make.id_of()], make.NOW + at)


def test_the_newest_consent_before_the_email_is_named(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, acquired_from="a fair")
    claim(database, "one", -5 * DAY)
    with database.transaction() as session:
        make.unsubscribe(session, at=make.NOW - 4 * DAY)
        make.start_topic(session, at=make.NOW - 3 * DAY, wording="Yes, send me Weekly news")
    claim(database, "two", -2 * DAY)
    with database.transaction() as session:
        make.unsubscribe(session, slug=None, at=make.NOW - DAY)
    two, one = explained(database)
    assert (two.campaign, one.campaign) == ("two", "one")
    assert two.consent is not None
    assert one.consent is not None
    assert (two.consent.source, two.consent.at) == ("page", make.NOW - 3 * DAY)
    assert two.consent.wording == "Yes, send me Weekly news"
    assert one.consent.source == "import"
    assert one.consent.stated["acquired_from"] == "a fair"
    assert (two.left_at, one.left_at) == (make.NOW - DAY, make.NOW - 4 * DAY)


def test_a_cap_is_no_new_consent(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Frequency.WEEKLY, at=make.NOW - 3 * DAY)
    claim(database, "one", -2 * DAY)
    (one,) = explained(database)
    assert one.consent is not None
    assert one.consent.source == "import"
    assert one.left_at is None


def test_silence_is_consent_to_an_opt_out_topic(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news")
        make.topic(session, "notices", policy="opt_out")
    claim(database, "one", -DAY, "notices")
    (one,) = explained(database)
    assert one.consent is None
    assert one.by_default


def test_without_a_record_it_says_so(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        session.add(
            Claim(
                subscriber_id=make.id_of(),
                topic="weekly-news",
                campaign="old",
                claimed_at=make.NOW - 401 * DAY,
                released_at=make.NOW - 400 * DAY,
                received=1,
            )
        )
    (old,) = explained(database)
    assert (old.consent, old.by_default) == (None, False)
    assert old.released_at == make.NOW - 400 * DAY
