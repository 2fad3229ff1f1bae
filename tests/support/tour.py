"""Visits every page in every state that a visitor may see.

    for page in every_page(site, "?lang=de"): ...

The site has three subscribers of two topics: ada, bob and eve. It cannot be used afterwards, since
the last page is the one without a database.
"""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

from preference_center.core import topics
from preference_center.core.vocab import Scope
from tests.support import make
from tests.support.page import Page
from tests.support.signing_up import link_of, path_of, request
from tests.support.site import ASKED, Site, confirm, link, lose_database, path_in
from tests.support.site import receipt as receipt_of

ADA, BOB, EVE, NEW = (f"{name}@example.org" for name in ("ada", "bob", "eve", "new"))


def every_page(site: Site, query: str) -> Iterator[Page]:
    """Yield each page in the language that `query` switches to."""
    visit = _Visit(site, query)
    yield from _broken(visit)
    yield from _reduction(visit)
    yield from _preferences(visit)
    yield from _joining(visit)
    yield from _signing_up(visit)
    yield from _leaving(visit)
    yield from _ends(visit)


class _Visit:
    """Requests to the site in one language."""

    def __init__(self, site: Site, query: str) -> None:
        self.site, self.query = site, query

    def get(self, path: str, status: int = 200) -> Page:
        path, mark, rest = path.partition("?")
        query = f"{self.query}&{rest}" if mark else self.query
        return self.site.page(path + query, status)

    def send(self, path: str, status: int, **data: str) -> Page:
        """Post a form and return the page of the answer."""
        return Page(self.site.post(path + self.query, data=data), status)

    def post(self, path: str, **data: str) -> str:
        """Post a form and return the path of its redirect, without the language."""
        answer = self.site.post(path, data=data)
        assert answer.status_code == 303, answer.text
        return str(answer.location)


def _broken(visit: _Visit) -> Iterator[Page]:
    yield from (visit.get("/u/x", 400), visit.get("/nothing", 404), visit.get(receipt_of(99), 409))
    yield visit.get("/accessibility")
    yield from (visit.get(f"{link()}/leave", 405), visit.get("/sign-up"))
    yield visit.send("/sign-up", 400, email="ada@")
    yield visit.send("/sign-up", 400, email=ADA)
    yield visit.send("/sign-up", 200, email=ADA, topic="weekly-news")
    yield visit.get(visit.post("/sign-up", **ASKED))
    yield visit.send(f"{link()}/leave", 413, scope="x" * 70_000)
    for _ in range(9):
        visit.post("/sign-up", **ASKED)
    yield visit.send("/sign-up", 429, **ASKED)


def _reduction(visit: _Visit) -> Iterator[Page]:
    path = link(email=BOB)
    yield from (visit.get(path), visit.send(f"{path}/less", 400))
    for choice in ("weekly", "monthly", "2-weeks"):
        receipt = visit.post(f"{path}/less", choice=choice)
        yield from map(visit.get, (receipt, f"{receipt}/undo", path))
    yield visit.get(visit.post(f"{receipt}/undo"))
    yield visit.get(receipt)


def _preferences(visit: _Visit) -> Iterator[Page]:
    for email in (BOB, NEW):
        yield visit.get(link("preferences", email))
    path = link("preferences", BOB)
    yield visit.send(f"{path}/leave", 400)
    stale = {"topic": "weekly-news", "was-weekly-news": "every", "often-weekly-news": "weekly"}
    yield visit.send(f"{path}/save", 409, **stale)
    same = {"topic": "weekly-news", "was-weekly-news": "monthly", "on-weekly-news": "on"}
    yield visit.get(visit.post(f"{path}/save", **same, **{"often-weekly-news": "monthly"}))
    saved = visit.post(f"{path}/save", **same, **{"often-weekly-news": "every"})
    yield visit.get(saved)
    paused = visit.post(f"{path}/save", **same, pause="1-month")
    yield from (visit.get(paused), visit.get(path))
    receipt = receipt_of(len(visit.site.events(BOB)), email=BOB)
    yield from (visit.get(receipt), visit.get(f"{receipt}/undo"))
    yield visit.get(visit.post(f"{path}/language", **same, pause="3-months"))
    resume = {"topic": "weekly-news", "was-weekly-news": "every", "on-weekly-news": "on"}
    yield visit.get(visit.post(f"{path}/save", **resume, **{"resume-weekly-news": "on"}))


def _joining(visit: _Visit) -> Iterator[Page]:
    site, path = visit.site, link("preferences", EVE)
    visit.post(f"{path}/leave", scope="topic", topic="weekly-news")
    off = {"topic": "weekly-news", "was-weekly-news": "off", "on-weekly-news": "on"}
    yield visit.get(visit.post(f"{path}/save", **off))
    (message,) = (each for each in site.emails() if each["To"] == EVE)
    asked = path_in(message, "/c/")
    yield (page := visit.get(asked))
    yield visit.send(f"{asked}/join", 409)
    joined = visit.post(f"{asked}/join", wording=page.wording)
    yield from map(visit.get, (joined, f"{joined}/undo", asked))
    undone = visit.post(f"{joined}/undo")
    yield from map(visit.get, (joined, undone))
    yield visit.get(confirm("no-such-topic"), 410)
    superseded = confirm(email=EVE, asked_at=make.NOW - timedelta(hours=1))
    yield visit.get(superseded)
    refused = "too_often=weekly-news&no_email=weekly-news&complained=weekly-news"
    yield visit.get(f"{path}?{refused}")
    with site.database.transaction() as session:
        make.unsubscribe(session, EVE, slug=None, scope=Scope.ADDRESS, source="bounce")
    yield from map(visit.get, (asked, path))
    with site.database.transaction() as session:
        make.unsubscribe(session, EVE, source="complaint")
    yield from map(visit.get, (superseded, path))


def _signing_up(visit: _Visit) -> Iterator[Page]:
    site, email, later = visit.site, "else@example.org", visit.site.now + timedelta(seconds=1)
    with site.database.transaction() as session:
        one = path_of(request(session, email, at=site.now))
        both = path_of(request(session, email, "weekly-news", "product-news", at=later))
    yield from (visit.get("/sign-up/sent"), visit.get(one))
    yield (page := visit.get(both))
    yield visit.send(f"{both}/join", 409)
    visit.post(f"{both}/join", wording=page.wording)
    yield visit.get(one)
    visit.post(f"{link(email=email)}/leave", scope="all")
    yield from (visit.get(one), visit.get(link_of(make.id_of(NEW), uuid4()), 410))
    with site.database.transaction() as session:
        make.unsubscribe(session, email, source="complaint", at=later)
    yield visit.get(one)
    visit.post(f"{one}/never")
    yield visit.get(one)


def _leaving(visit: _Visit) -> Iterator[Page]:
    yield from map(visit.get, (link(), link("preferences"), link(email=NEW)))
    yield visit.send(f"{link()}/leave", 400)
    topic = visit.post(f"{link()}/leave", scope="topic")
    everything = visit.post(f"{link(email=BOB)}/leave", scope="all")
    unknown = visit.post(f"{link(email=NEW)}/leave", scope="all")
    yield from map(visit.get, (topic, everything, unknown, f"{topic}/undo", f"{everything}/undo"))
    yield visit.get(link())
    yield visit.send(f"{topic}/reason", 400, note="1" * 501)
    for receipt in (topic, everything):
        for code in ("never_signed_up", "changed_address", "too_many"):
            visit.post(f"{receipt}/reason", code=code)
            yield visit.get(receipt)
    visit.post(f"{topic}/reason", code="other", note="Bye!")
    yield visit.get(topic)
    yield from (visit.get(link(email=BOB)), visit.get(link("preferences", BOB)))
    undone = visit.post(f"{topic}/undo")
    yield from map(visit.get, (topic, undone, f"{undone}/undo", f"{topic}/undo"))
    undone = visit.post(f"{everything}/undo")
    yield from map(visit.get, (everything, undone, f"{undone}/undo"))
    first = visit.post(f"{link()}/leave", scope="topic")
    visit.post(f"{link()}/leave", scope="all")
    yield from (visit.get(first), visit.get(f"{first}/undo", 409))


def _ends(visit: _Visit) -> Iterator[Page]:
    with visit.site.database.transaction() as session:
        topics.archive(topics.get(session, "product-news"), make.NOW)
    archived = {"topic": "product-news", "was-product-news": "every", "on-product-news": "on"}
    yield visit.get(link(topic="product-news"))
    yield visit.send(f"{link('preferences', BOB)}/save", 409, **archived)
    late = visit.post(f"{link(email=NEW, topic='third')}/leave", scope="topic")
    visit.site.now += timedelta(days=31)
    yield from (visit.get(late), visit.get(f"{late}/undo", 410))
    lose_database(visit.site)
    yield visit.get(link(), 503)
