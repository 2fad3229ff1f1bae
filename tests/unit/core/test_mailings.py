"""The mailing that an unsubscribe answers, where a mail system names none."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import audience, ledger, topics
from preference_center.core.bounces import Bounce
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import Source
from preference_center.store import Database
from tests.support import make

DAY = timedelta(days=1)
UNNAMED = [Source.MAILTO, Source.COMPLAINT, Source.PROVIDER]


def _fill(session: Session) -> None:
    """Claim emails of two topics on three days."""
    make.subscriber(session, "ada@example.org", "weekly-news", "offers")
    for slug, campaign, days in (
        ("weekly-news", "old", 40),
        ("weekly-news", "46", 8),
        ("weekly-news", "47", 1),
        ("offers", "sale", 0),
    ):
        topic, at = topics.get(session, slug), make.NOW - days * DAY
        assert audience.claim(session, topic, campaign, [make.id_of()], at)[make.id_of()].allows


def _campaign(session: Session) -> str | None:
    return ledger.load(session, make.id_of(), 1)[-1].campaign


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "distributed"], indirect=True)
@pytest.mark.parametrize(
    ("slug", "change", "expected"),
    [
        ("weekly-news", {}, "47"),
        (None, {}, "sale"),
        ("weekly-news", {"occurred_at": make.NOW - 2 * DAY}, "46"),
        ("weekly-news", {"occurred_at": make.NOW - 9 * DAY}, None),
        ("weekly-news", {"campaign": "given"}, "given"),
    ],
)
@pytest.mark.parametrize("source", UNNAMED)
def test_the_newest_mailing_before_an_unsubscribe_counts(
    database: Database, source: Source, slug: str | None, change: dict[str, Any], expected: str
) -> None:
    with database.transaction() as session:
        _fill(session)
        make.unsubscribe(session, slug=slug, source=source, **change)
        assert _campaign(session) == expected


@pytest.mark.parametrize("topic", ["weekly-news", None])
def test_a_bounce_counts_for_its_mailing(database: Database, topic: str | None) -> None:
    bounce = Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, "provider", topic=topic)
    with database.transaction() as session:
        _fill(session)
        make.bounce(session, bounce)
        assert _campaign(session) == ("47" if topic else "sale")


@pytest.mark.parametrize("source", sorted(set(Source) - {*UNNAMED, Source.BOUNCE}))
def test_other_sources_name_their_campaign_or_have_none(database: Database, source: Source) -> None:
    with database.transaction() as session:
        _fill(session)
        make.unsubscribe(session, source=source)
        assert _campaign(session) is None


def test_a_released_email_was_not_sent(database: Database) -> None:
    with database.transaction() as session:
        _fill(session)
        topic = topics.get(session, "weekly-news")
        audience.release(session, topic, "47", [make.id_of()], make.NOW)
        make.unsubscribe(session, source=Source.MAILTO)
        assert _campaign(session) == "46"
