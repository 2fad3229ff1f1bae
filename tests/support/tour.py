"""Every page in every state that somebody may find it in, one after another.

    for page in every_page(site, "?lang=de"): ...

The site is that of ada, bob and eve, who read two topics. It is worn out afterwards: the last
page is that of a database which is gone.
"""

from collections.abc import Iterator
from datetime import timedelta

from preference_center.core import topics
from preference_center.core.vocab import Scope
from tests.support import make
from tests.support.page import Page
from tests.support.site import Site, confirm, link, lose_database, path_in
from tests.support.site import receipt as receipt_of

ADA, BOB, EVE, NEW = (f"{name}@example.org" for name in ("ada", "bob", "eve", "new"))


def every_page(site: Site, query: str) -> Iterator[Page]:
    """Yield each page, read in the language that `query` switches to."""
    visit = _Visit(site, query)
    yield from _broken(visit)
    yield from _less(visit)
    yield from _preferences(visit)
    yield from _joining(visit)
    yield from _leaving(visit)
    yield from _ends(visit)


class _Visit:
    """A way round the site in one language."""

    def __init__(self, site: Site, query: str) -> None:
        self.site, self.query = site, query

    def get(self, path: str, status: int = 200) -> Page:
        path, mark, rest = path.partition("?")
        query = f"{self.query}&{rest}" if mark else self.query
        return self.site.page(path + query, status)

    def send(self, path: str, status: int, **data: str) -> Page:
        """Return the page that answers a form."""
        return Page(self.site.post(path + self.query, data=data), status)

    def do(self, path: str, **data: str) -> str:
        """Send a form and return the path that it leads to, less the language."""
        answer = self.site.post(path, data=data)
        assert answer.status_code == 303, answer.text
        return str(answer.location)


def _broken(visit: _Visit) -> Iterator[Page]:
    yield from (visit.get("/u/x", 400), visit.get("/nothing", 404), visit.get(receipt_of(99), 409))
    yield from (visit.get(f"{link()}/leave", 405), visit.get("/new-link"))
    yield visit.send("/new-link", 400, email="ada@")
    yield visit.get(visit.do("/new-link", email=ADA))
    yield visit.send(f"{link()}/leave", 413, scope="x" * 70_000)
    for _ in range(9):
        visit.do("/new-link", email=ADA)
    yield visit.send("/new-link", 429, email=ADA)


def _less(visit: _Visit) -> Iterator[Page]:
    path = link(email=BOB)
    yield from (visit.get(path), visit.send(f"{path}/less", 400))
    for choice in ("weekly", "monthly", "2-weeks"):
        receipt = visit.do(f"{path}/less", choice=choice)
        yield from map(visit.get, (receipt, f"{receipt}/undo", path))
    yield visit.get(visit.do(f"{receipt}/undo"))
    yield visit.get(receipt)


def _preferences(visit: _Visit) -> Iterator[Page]:
    for email in (BOB, NEW):
        yield visit.get(link("preferences", email))
    path = link("preferences", BOB)
    yield from (visit.send(f"{path}/leave", 400), visit.send(f"{path}/pause", 400))
    stale = {"topic": "weekly-news", "was-weekly-news": "every", "often-weekly-news": "weekly"}
    yield visit.send(f"{path}/save", 409, **stale)
    same = {"topic": "weekly-news", "was-weekly-news": "monthly", "on-weekly-news": "on"}
    yield visit.get(visit.do(f"{path}/save", **same, **{"often-weekly-news": "monthly"}))
    saved = visit.do(f"{path}/save", **same, **{"often-weekly-news": "every"})
    yield visit.get(saved)
    paused = visit.do(f"{path}/pause", length="1-month")
    yield from map(visit.get, (paused, f"{paused}/undo", path))
    resume = {"topic": "weekly-news", "was-weekly-news": "every", "on-weekly-news": "on"}
    yield visit.get(visit.do(f"{path}/save", **resume, **{"resume-weekly-news": "on"}))


def _joining(visit: _Visit) -> Iterator[Page]:
    site, path = visit.site, link("preferences", EVE)
    visit.do(f"{path}/leave", scope="topic", topic="weekly-news")
    off = {"topic": "weekly-news", "was-weekly-news": "off", "on-weekly-news": "on"}
    yield visit.get(visit.do(f"{path}/save", **off))
    (mail,) = (mail for mail in site.emails() if mail["To"] == EVE)
    asked = path_in(mail, "/c/")
    yield visit.get(asked)
    joined = visit.do(f"{asked}/join")
    yield from map(visit.get, (joined, f"{joined}/undo", asked))
    undone = visit.do(f"{joined}/undo")
    yield from map(visit.get, (joined, undone))
    yield visit.get(confirm("no-such-topic"), 410)
    overtaken = confirm(email=EVE, asked_at=make.NOW - timedelta(hours=1))
    yield visit.get(overtaken)
    why = "too_often=weekly-news&no_email=weekly-news&complained=weekly-news"
    yield visit.get(f"{path}?{why}")
    with site.database.transaction() as session:
        make.unsubscribe(session, EVE, slug=None, scope=Scope.ADDRESS, source="bounce")
    yield from map(visit.get, (asked, path))
    with site.database.transaction() as session:
        make.unsubscribe(session, EVE, source="complaint")
    yield from map(visit.get, (overtaken, path))


def _leaving(visit: _Visit) -> Iterator[Page]:
    yield from map(visit.get, (link(), link("preferences"), link(email=NEW)))
    yield visit.send(f"{link()}/leave", 400)
    topic = visit.do(f"{link()}/leave", scope="topic")
    everything = visit.do(f"{link(email=BOB)}/leave", scope="all")
    unknown = visit.do(f"{link(email=NEW)}/leave", scope="all")
    yield from map(visit.get, (topic, everything, unknown, f"{topic}/undo", f"{everything}/undo"))
    yield from (visit.send(f"{topic}/reason", 400), visit.get(link()))
    yield visit.send(f"{topic}/reason", 400, note="1" * 501)
    visit.do(f"{topic}/reason", code="never_signed_up")
    yield visit.get(topic)
    yield from (visit.get(link(email=BOB)), visit.get(link("preferences", BOB)))
    undone = visit.do(f"{topic}/undo")
    yield from map(visit.get, (topic, undone, f"{undone}/undo", f"{topic}/undo"))
    undone = visit.do(f"{everything}/undo")
    yield from map(visit.get, (everything, undone, f"{undone}/undo"))
    stop = visit.do(f"{link()}/leave", scope="topic")
    visit.do(f"{link()}/leave", scope="all")
    yield from (visit.get(stop), visit.get(f"{stop}/undo", 409))


def _ends(visit: _Visit) -> Iterator[Page]:
    with visit.site.database.transaction() as session:
        topics.archive(topics.get(session, "product-news"), make.NOW)
    archived = {"topic": "product-news", "was-product-news": "every", "on-product-news": "on"}
    yield visit.get(link(topic="product-news"))
    yield visit.send(f"{link('preferences', BOB)}/save", 409, **archived)
    late = visit.do(f"{link(email=NEW, topic='third')}/leave", scope="topic")
    visit.site.now += timedelta(days=31)
    yield from (visit.get(late), visit.get(f"{late}/undo", 410))
    lose_database(visit.site)
    yield visit.get(link(), 503)
