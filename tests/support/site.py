"""A site under test, its records, and links to its pages.

page = site.page(link())
page.choose("At most once a week")
receipt = site.press_and_follow(page, "Do this instead")
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from sqlalchemy import event, select
from werkzeug.test import TestResponse

from preference_center import create_app
from preference_center.core import page_views, subscribers, topics
from preference_center.core.apply import share_commits
from preference_center.core.state import Subscriber
from preference_center.links.minter import Link, Purpose, write_link
from preference_center.links.server import (
    ACCOUNT_LIFETIME,
    Account,
    Confirm,
    Receipt,
    write_account,
    write_confirm,
    write_receipt,
)
from preference_center.store import Database
from preference_center.store.tables import Base, PageView
from preference_center.web.services import Services
from tests.support import mailer, make
from tests.support.page import Page

ORIGIN = "https://mail.example.org"
# The two buttons of the page that a link in an email of weekly-news opens.
THIS, ALL = "Unsubscribe from Weekly news", "Unsubscribe from everything"
MY_DATA = "See, download or delete my data"  # The last button of the preferences page.
# The form by which someone asks for their preferences link.
ASKED = {"email": "ada@example.org", "press": "link", "page": "own"}
Rows = dict[str, list[tuple[Any, ...]]]


class Site:
    """The application on one database, with a clock that a test can set."""

    def __init__(self, database_url: str, **settings: Any) -> None:
        self.now: datetime = make.NOW
        self.settings = make.settings(database_url=database_url, **settings)
        self.app = create_app(self.settings, clock=lambda: self.now)
        self.client = self.app.test_client(use_cookies=False)
        self._first_database = self.database

    @property
    def services(self) -> Services:
        found: Services = self.app.extensions["preference_center"]
        return found

    @property
    def database(self) -> Database:
        return self.services.database

    def close(self) -> None:
        if self.services.spool is not None:
            self.services.spool.stop()
        for counter in (self.services.page_views, self.services.inbound_counts):
            counter.flush()  # into the first database, even if a test has lost it
        for database in (self._first_database, self.database, self.services.export_database):
            database.close()

    def open(self, method: str, path: str, **request: Any) -> TestResponse:
        return self.client.open(path, method=method, base_url=ORIGIN, **request)

    def get(self, path: str, **request: Any) -> TestResponse:
        return self.open("GET", path, **request)

    def post(self, path: str, **request: Any) -> TestResponse:
        return self.open("POST", path, **request)

    def page(self, path: str, status: int = 200, **request: Any) -> Page:
        """Return the page at `path`, after its checks."""
        return Page(self.get(path, **request), status)

    def press(self, page: Page, button: str, status: int = 303) -> TestResponse:
        """Send the form of a page's button, as a browser would."""
        path, data = page.form_of(button)
        response = self.post(path, data=data)
        assert response.status_code == status, response.text
        return response

    def press_and_follow(self, page: Page, button: str) -> Page:
        """Press a button and return the next page."""
        return self.page(self.press(page, button).location)

    def emails(self) -> list[EmailMessage]:
        """Let a worker send the emails that are due now, and return them."""
        sender = mailer.Mailer(self.database, settings=self.settings)
        sender.send_due(self.now - make.NOW)
        return sender.sent

    def subscribe(
        self, *emails: str, topics: tuple[str, ...] = ("weekly-news", "product-news")
    ) -> None:
        """Add public topics, and subscribe each address to all of them."""
        with self.database.transaction() as session:
            for slug in topics:
                make.topic(session, slug)
            for email in emails or ("ada@example.org",):
                make.subscriber(session, email, *topics)

    def add_topic(self, slug: str, **changes: Any) -> None:
        with self.database.transaction() as session:
            make.topic(session, slug, **changes)

    def archive(self, slug: str) -> None:
        with self.database.transaction() as session:
            topics.archive(topics.get(session, slug), self.now)

    def rows(self) -> Rows:
        """Return every row of every table except the page views, which contain no subscriber."""
        with self.database.reading() as session:
            return {
                table.name: sorted(map(tuple, session.execute(select(table))), key=repr)
                for table in Base.metadata.sorted_tables
                if table.name != "page_views"
            }

    def page_views(self) -> dict[page_views.Key, int]:
        """Return the page views counted so far, by day, topic and campaign."""
        self.services.page_views.flush()
        with self.database.reading() as session:
            found = session.scalars(select(PageView))
            return {(each.day, each.topic, each.campaign): each.count for each in found}

    def events(self, email: str = "ada@example.org") -> list[tuple[str, str | None]]:
        """Return one subscriber's ledger events, each with its topic or scope."""
        with self.database.reading() as session:
            return make.events(session, email)

    def subscriber(self, email: str = "ada@example.org") -> Subscriber | None:
        """Return the record of one subscriber."""
        with self.database.reading() as session:
            return subscribers.find(session, make.id_of(email))

    def subscriptions(self, email: str = "ada@example.org") -> dict[str, tuple[Any, ...]]:
        """Return one subscriber's topics: status, frequency and end of a pause of each."""
        found = self.subscriber(email)
        return {
            slug: (each.status, each.frequency, each.paused_until)
            for slug, each in sorted(found.subscriptions.items() if found else ())
        }

    def locale(self, email: str = "ada@example.org") -> str | None:
        """Return the recorded language of one subscriber."""
        found = self.subscriber(email)
        return found.locale if found else None

    def unsubscribed(self, email: str = "ada@example.org") -> list[Any]:
        """Return the topics and scopes of one subscriber's unsubscribes, in ledger order."""
        table = Base.metadata.tables["ledger"]
        columns = select(table.c.topic, table.c.scope).where(
            table.c.subscriber_id == make.id_of(email), table.c.event == "unsubscribed"
        )
        with self.database.reading() as session:
            return [topic or scope for topic, scope in session.execute(columns)]


@contextmanager
def counted(site: Site) -> Iterator[list[str]]:
    """Yield the statements that are sent to the database, without BEGIN and SET."""
    site.services.languages.refresh()  # Some pages otherwise ask which texts are published.
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "SET")):
            statements.append(statement)

    event.listen(site.database.engine, "before_cursor_execute", note)
    yield statements
    event.remove(site.database.engine, "before_cursor_execute", note)


def link(
    purpose: Purpose = "unsubscribe",
    email: str = "ada@example.org",
    topic: str = "weekly-news",
    campaign: str = "2026-47",
) -> str:
    """Return the path of a link of one subscriber."""
    signed = Link(make.NOW.date(), make.id_of(email), topic, campaign)
    return f"/{purpose[0]}/{write_link(purpose, signed, [make.LINK_KEY])}"


def receipt(first: int, last: int | None = None, email: str = "ada@example.org") -> str:
    """Return the path of the receipt of some ledger rows of one subscriber."""
    rows = Receipt(make.NOW.date(), make.id_of(email), first, last or first)
    return f"/r/{write_receipt(rows, [make.SERVER_KEY])}"


def confirm(
    topic: str = "weekly-news", email: str = "ada@example.org", asked_at: datetime = make.NOW
) -> str:
    """Return the path of a confirm link, as emailed to one subscriber to start a topic."""
    signed = Confirm(asked_at.date(), make.id_of(email), topic, asked_at)
    return f"/c/{write_confirm(signed, [make.SERVER_KEY])}"


def account(email: str = "ada@example.org", key: str = make.SERVER_KEY) -> str:
    """Return the path of an account link, as emailed to one subscriber at NOW."""
    signed = Account(make.NOW.date(), make.id_of(email), make.NOW + ACCOUNT_LIFETIME)
    return f"/a/{write_account(signed, [key])}"


def path_in(message: EmailMessage, page: str, end: str = "") -> str:
    """Return the path of the only link to `page`, like `/c/`, in an email, that ends with `end`."""
    pattern = rf"^{ORIGIN}({page}[^/#\s]+{end})$"
    (found,) = re.findall(pattern, mailer.plain(message), re.MULTILINE)
    return str(found)


def lose_database(site: Site) -> None:
    """Point the site at a database that does not exist."""
    site.close()
    gone = "sqlite:////no/such/folder/x.db"
    if not site.database.is_sqlite:
        gone = "postgresql+psycopg://nobody@127.0.0.1:9/nothing"
    use_database(site, Database(gone, (make.SERVER_KEY,)))


def use_database(site: Site, database: Database) -> None:
    """Point the site at `database`."""
    object.__setattr__(site.services, "database", database)
    shared: Any = share_commits(database, lambda: site.now)
    object.__setattr__(site.services, "unsubscribes", shared)


def every_route(site: Site) -> Iterator[tuple[str, str]]:
    """Yield the path of each route, with valid values of its variables, and its methods."""
    good = {
        "/u/<signed:link>": link(),
        "/p/<signed:link>": link("preferences"),
        "/r/<signed:link>": receipt(1),
        "/c/<signed:link>": confirm(),
        "/a/<signed:link>": account(),
        "<slug>": "weekly-news",
        "<int:number>": "1",
    }
    for rule in site.app.url_map.iter_rules():
        path = rule.rule
        for variable, real in good.items():
            path = path.replace(variable, real)
        path = re.sub("<uuid:[a-z_]+>", str(make.id_of()), path)
        yield path, ",".join(sorted(rule.methods or ()))
