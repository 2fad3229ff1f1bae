"""Unsubscribe addresses, settings and ledger access for the tests of inbound email."""

from preference_center.links.mail_tokens import write_mailto
from preference_center.store import Database
from tests.support import make

U = f"{write_mailto(make.id_of(), 'weekly-news', (make.LINK_KEY,))}@in.example.org"
BEN = write_mailto(make.id_of("ben@example.org"), "weekly-news", (make.LINK_KEY,))


def settings_with_subscribers(database: Database) -> dict[str, str]:
    """Add two subscribers and return settings with an inbound domain."""
    with database.transaction() as session:
        make.topic(session)
        make.subscriber(session)
        make.subscriber(session, "ben@example.org")
    url = database.engine.url.render_as_string(hide_password=False)
    return make.environment(DATABASE_URL=url, INBOUND_DOMAIN="in.example.org")


def events(database: Database, email: str = "ada@example.org") -> list[tuple[str, str | None]]:
    """Return the ledger events of a subscriber after the subscription."""
    with database.reading() as session:
        return make.events(session, email)[1:]
