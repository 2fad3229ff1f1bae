"""Signing up in a real browser, with a real worker and a real mail server."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect

from preference_center.core import preferences, subscribers, topics
from preference_center.core.vocab import Scope
from preference_center.store import Database
from preference_center.store.upgrade import upgrade
from tests.support import make, processes, smtp

FORM = """<!doctype html><html lang="en"><title>Our site</title><body>
<form method="post" action="{base}/sign-up"><input name="email" value="{email}">
<input type="hidden" name="topic" value="weekly-news">
<input type="hidden" name="next" value="{site}/thanks"><button>Join</button></form>"""


@dataclass(frozen=True)
class Company:
    """A server and a worker, what its mail server has received, and its site."""

    base: str
    database: Database
    mail: smtp.Server
    site_port: int

    def link_to(self, email: str) -> str:
        """Return the link in the newest email to an address."""
        newest = [each for each in self.mail.emails if each.recipients == [email]][-1]
        text = newest.message.get_body(("plain",))
        assert text is not None
        found = re.search(rf"^{self.base}/c/[^\s#]+", text.get_content(), re.MULTILINE)
        assert found is not None
        return found[0]

    def wait_for_emails(self, email: str, count: int = 1) -> None:
        processes.wait_for(
            lambda: sum(each.recipients == [email] for each in self.mail.emails) >= count,
            f"{count} emails to {email}",
        )

    def received(self, email: str) -> set[str]:
        """Return the topics that an address receives."""
        with self.database.reading() as session:
            person, known = (
                subscribers.find(session, make.id_of(email)),
                topics.list_topics(session),
            )
            return {each.slug for each in known if preferences.receives(person, each)}


class _Site(BaseHTTPRequestHandler):
    """A company's own site: a page with a form, and a page that says thanks."""

    server: ThreadingHTTPServer

    def do_GET(self) -> None:
        base, _, email = self.path.partition("?base=")[2].partition("&email=")
        site = f"http://localhost:{self.server.server_port}"
        body = "<!doctype html><title>Thanks</title><h1>Thanks!</h1>"
        if base:
            body = FORM.format(base=base, email=email, site=site)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _site() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Yield a company whose site may post its form."""
    path: Path = tmp_path_factory.mktemp("company") / "test.db"
    port = processes.free_port()
    with smtp.server() as mail, _site() as site_port:
        settings = make.environment(
            DATABASE_URL=f"sqlite:///{path}",
            PUBLIC_URL=f"http://localhost:{port}",
            SMTP_URL=mail.url,
            MAIL_FROM="letters@example.org",
            SIGN_UP_ORIGINS=f"http://localhost:{site_port}",
        )
        with closing(make.database(f"sqlite:///{path}")) as database:
            upgrade(database)
            with database.transaction() as session:
                for slug in ("weekly-news", "offers"):
                    make.topic(session, slug)
            with processes.serving(settings, port), processes.working(settings):
                yield Company(f"http://localhost:{port}", database, mail, site_port)


def _sign_up(company: Company, page: Page, email: str, topic: str = "Weekly news") -> None:
    page.goto(f"{company.base}/sign-up?lang=en")
    page.get_by_label(topic).check()
    page.get_by_label("Email address").fill(email)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")


def _confirm(company: Company, page: Page, email: str) -> None:
    page.goto(f"{company.link_to(email)}?lang=en")
    page.get_by_role("button", name="Yes, send me Weekly news").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You’ll get Weekly news")


def test_a_new_person_signs_up_leaves_and_comes_back(company: Company, page: Page) -> None:
    email = "new@journeys.example"
    _sign_up(company, page, email)
    company.wait_for_emails(email)
    assert company.received(email) == set()
    _confirm(company, page, email)
    assert company.received(email) == {"weekly-news"}
    with company.database.transaction() as session:
        make.unsubscribe(session, email, None, source="complaint", at=datetime.now(UTC))
    page.goto(company.link_to(email))
    assert page.get_by_role("button", name="Yes").count() == 0  # The old link is used.
    _sign_up(company, page, email)
    company.wait_for_emails(email, 2)
    _confirm(company, page, email)
    assert company.received(email) == {"weekly-news"}


def test_a_scanner_that_opens_everything_signs_nobody_up(company: Company, page: Page) -> None:
    email = "scanned@journeys.example"
    _sign_up(company, page, email)
    company.wait_for_emails(email)
    link = company.link_to(email)
    for method in ("GET", "HEAD"):
        for url in (link, f"{link}#never", f"{link}?utm_source=x", f"{link}&lang=en"):
            urlopen(Request(url, method=method)).close()
    page.goto(link)
    for each in page.locator("main a").all():
        urlopen(str(each.evaluate("each => each.href"))).close()
    assert company.received(email) == set()
    with company.database.reading() as session:
        assert subscribers.find(session, make.id_of(email)) is None
    _confirm(company, page, email)


def test_never_email_me_ends_every_email(company: Company, page: Page) -> None:
    email = "never@journeys.example"
    _sign_up(company, page, email)
    company.wait_for_emails(email)
    page.goto(f"{company.link_to(email)}?lang=en#never")
    page.get_by_role("button", name="Never email me").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("We don’t email this address")
    _sign_up(company, page, email)
    _sign_up(company, page, "after@journeys.example")
    company.wait_for_emails("after@journeys.example")
    assert sum(each.recipients == [email] for each in company.mail.emails) == 1
    with company.database.reading() as session:
        assert {*make.found(session, email).suppressions} == {Scope.ADDRESS}


def test_a_listed_site_sends_at_once_and_shows_its_own_page(company: Company, page: Page) -> None:
    email, site = "listed@journeys.example", f"http://localhost:{company.site_port}"
    page.goto(f"{site}/?base={company.base}&email={email}")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thanks!")
    company.wait_for_emails(email)


def test_another_site_opens_our_page_and_one_more_press_sends(company: Company, page: Page) -> None:
    email, site = "other@journeys.example", f"http://127.0.0.1:{company.site_port}"
    page.goto(f"{site}/?base={company.base}&email={email}")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_label("Email address")).to_have_value(email)
    expect(page.get_by_label("Weekly news")).to_be_checked()
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")
    company.wait_for_emails(email)
