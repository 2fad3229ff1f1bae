"""A site under test, and a page as a person sees it: its words, buttons and links.

Every page that is looked at is checked on the way: valid HTML5, one heading, a title that
repeats it, a language, no id twice, no script, nothing from elsewhere.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import html5lib
from sqlalchemy import select
from werkzeug.test import TestResponse

from preference_center import create_app
from preference_center.links import Link, Minter, Purpose, Receipt, write_link, write_receipt
from preference_center.store import Database
from preference_center.store.tables import Base
from tests import make

ORIGIN = "https://mail.example.org"
BRAND = "Northwind Letters"
Rows = dict[str, list[tuple[Any, ...]]]


class Site:
    """The application on one database, with a clock that a test can set."""

    def __init__(self, database_url: str, **settings: Any) -> None:
        self.now: datetime = make.NOW
        self.settings = make.settings(database_url=database_url, **settings)
        self.app = create_app(self.settings, clock=lambda: self.now)
        self.client = self.app.test_client(use_cookies=False)

    @property
    def database(self) -> Database:
        found: Database = self.app.extensions["preference_center"].database
        return found

    def close(self) -> None:
        self.database.close()

    def open(self, method: str, path: str, **request: Any) -> TestResponse:
        return self.client.open(path, method=method, base_url=ORIGIN, **request)

    def get(self, path: str, **request: Any) -> TestResponse:
        return self.open("GET", path, **request)

    def post(self, path: str, **request: Any) -> TestResponse:
        return self.open("POST", path, **request)

    def page(self, path: str, status: int = 200, **request: Any) -> "Page":
        """Return the page at `path`, checked."""
        return Page(self.get(path, **request), status)

    def press(self, page: "Page", button: str, status: int = 303) -> TestResponse:
        """Post the form of a page's button, as a browser would."""
        path, data = page.form_of(button)
        response = self.post(path, data=data)
        assert response.status_code == status, response.text
        return response

    def press_and_follow(self, page: "Page", button: str) -> "Page":
        """Press a button and return the page it leads to."""
        return self.page(self.press(page, button).location)

    def enrol(
        self, *emails: str, topics: tuple[str, ...] = ("weekly-news", "product-news")
    ) -> None:
        """Add the topics, public, and let each person read all of them."""
        with self.database.transaction() as session:
            for slug in topics:
                make.topic(session, slug)
            for email in emails or ("ada@example.org",):
                make.reader(session, email, *topics)

    def rows(self) -> Rows:
        """Return every row of every table."""
        with self.database.reading() as session:
            return {
                table.name: sorted(map(tuple, session.execute(select(table))), key=repr)
                for table in Base.metadata.sorted_tables
            }

    def stops(self, email: str = "ada@example.org") -> list[Any]:
        """Return what one person's ledger says was stopped: topics, and `all`."""
        table = Base.metadata.tables["ledger"]
        columns = select(table.c.topic, table.c.scope).where(
            table.c.subscriber_id == make.person(email), table.c.event == "unsubscribed"
        )
        with self.database.reading() as session:
            return [topic or scope for topic, scope in session.execute(columns)]


def link(
    purpose: Purpose = "unsubscribe",
    email: str = "ada@example.org",
    topic: str = "weekly-news",
    campaign: str = "2026-47",
) -> str:
    """Return the path of a link of one person."""
    signed = Link(make.NOW.date(), make.person(email), topic, campaign)
    return f"/{purpose[0]}/{write_link(purpose, signed, [make.LINK_KEY])}"


def receipt(first: int, last: int | None = None, email: str = "ada@example.org") -> str:
    """Return the path of the receipt of some ledger rows of one person."""
    rows = Receipt(make.NOW.date(), make.person(email), first, last or first)
    return f"/r/{write_receipt(rows, [make.SERVER_KEY])}"


def minter() -> Minter:
    return make.minter()


class Page:
    """A page as it is seen. Making one checks it."""

    def __init__(self, response: TestResponse, status: int = 200) -> None:
        assert response.status_code == status, (response.status, response.text[:2000])
        assert response.content_type == "text/html; charset=utf-8"
        self.html = response.text
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        self.root: Element = parser.parse(self.html)
        self._check()

    @property
    def lang(self) -> tuple[str | None, str | None]:
        return self.root.get("lang"), self.root.get("dir")

    @property
    def heading(self) -> str:
        return words(self._one("h1"))

    @property
    def title(self) -> str:
        return words(self._one("title"))

    @property
    def text(self) -> str:
        return words(self._one("main"))

    @property
    def all_text(self) -> str:
        """Return everything a person reads or hears, labels included."""
        labels = [each.get("aria-label") or each.get("alt") or "" for each in self.root.iter()]
        return " ".join([words(self._one("body")), *labels])

    @property
    def buttons(self) -> list[str]:
        return [words(button) for button in self._one("main").iter("button")]

    @property
    def links(self) -> dict[str, str]:
        return {words(each): each.get("href", "") for each in self.root.iter("a")}

    def form_of(self, button: str) -> tuple[str, dict[str, str]]:
        """Return where a button posts to, and what."""
        for form in self.root.iter("form"):
            for each in form.iter("button"):
                if words(each) == button:
                    fields = [*form.iter("input"), each]
                    named = {str(field.get("name")): field for field in fields if field.get("name")}
                    data = {name: field.get("value", "") for name, field in named.items()}
                    return form.get("action", ""), data
        raise AssertionError(f"no button {button!r} among {self.buttons}")

    def _one(self, tag: str) -> Element:
        (found,) = self.root.iter(tag)
        return found

    def _check(self) -> None:
        assert self.title.removeprefix("Error: ") == f"{self.heading} – {BRAND}" or not self._ltr
        assert self.lang[0]
        assert not list(self.root.iter("script"))
        ids = [each.get("id") for each in self.root.iter() if each.get("id")]
        assert len(ids) == len(set(ids))
        for form in self.root.iter("form"):
            assert form.get("method") == "post"
        for each in self.root.iter():
            assert not {"style", "onclick", "onload"} & set(each.attrib)
            for source in filter(None, (each.get("src"), each.get("action"))):
                assert not urlsplit(source).netloc
        assert not re.search(r"\bNone\b|Undefined", self.text)

    @property
    def _ltr(self) -> bool:
        return self.root.get("dir") == "ltr"


def words(element: Element) -> str:
    """Return the text of an element as it is read."""
    return " ".join("".join(element.itertext()).split())


def every_route(site: Site) -> Iterator[tuple[str, str]]:
    """Yield each route's path, its link a good one, and the methods it has."""
    good = {"/u/": link(), "/p/": link("preferences"), "/r/": receipt(1)}
    for rule in site.app.url_map.iter_rules():
        path = rule.rule
        for prefix, real in good.items():
            path = path.replace(f"{prefix}<link>", real)
        yield path, ",".join(sorted(rule.methods or ()))
