"""A person asks for their data by email, sees it, takes it, complains and erases it.

A real server, a worker, an SMTP server and a browser. A scanner opens every link of the email.
"""

import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select

from preference_center.core import personal_data
from preference_center.store import Database
from preference_center.store.tables import Base
from tests.integration.journeys.stage import account, link
from tests.support import make, processes, smtp

ADA = "ada@example.org"
EXPIRED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(database_url: str, database: Database) -> Iterator[tuple[dict[str, str], smtp.Server]]:
    """Yield the environment of a company with one subscriber, and its SMTP server."""
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "product-news", acquired_from="a fair")
    with smtp.server() as mail:
        yield (
            make.environment(
                DATABASE_URL=database_url,
                SMTP_URL=mail.url,
                MAIL_FROM="letters@example.org",
                CONTACT="help@example.org",
                BRAND_NAME="Northwind Letters",
            ),
            mail,
        )


def rows(database: Database) -> dict[str, list[str]]:
    with database.reading() as session:
        tables = [each for each in Base.metadata.sorted_tables if each.name != "page_views"]
        return {each.name: sorted(map(repr, session.execute(select(each)))) for each in tables}


def emailed(mail: smtp.Server, number: int) -> Any:
    """Return an email once it has arrived."""
    processes.wait_for(lambda: len(mail.emails) > number, "the email")
    return mail.emails[number].message


def scan(url: str) -> bytes:
    """Open a URL with GET and HEAD, as a scanner does, and return what it gets."""
    found = b""
    for method in ("HEAD", "GET"):
        for path in ("", "/see", "/take", "/erase", "/complain"):
            try:
                with urlopen(Request(url + path, method=method)) as answer:
                    found += answer.read()
            except HTTPError as error:
                assert error.code == 405  # noqa: PT017 (the others succeed)
                found += error.read()
    return found


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_person_gets_and_erases_their_data(
    settings: tuple[dict[str, str], smtp.Server],
    database: Database,
    context: BrowserContext,
    tmp_path: Path,
) -> None:
    (variables, mail), page = settings, context.new_page()
    with processes.serving(variables) as base, processes.working(variables):
        page.goto(base + link("preferences", ADA))
        page.get_by_role("button", name="See, download or delete my data").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")
        text = emailed(mail, 0).get_body(("plain",)).get_content()
        (url,) = (line for line in text.splitlines() if "/a/" in line)
        url = base + urlsplit(url).path

        processes.wait_for(lambda: "'sent'" in repr(_states(database)), "the end of the sending")
        before = rows(database)
        scanned = scan(url)
        assert b"a\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2@example.org" in scanned
        assert ADA.encode() not in scanned
        assert b"Weekly news" not in scanned
        assert rows(database) == before

        page.goto(url)
        page.get_by_role("button", name="See what we hold").click()
        expect(page.locator("main")).to_contain_text(ADA)
        expect(page.locator("main")).to_contain_text("Where the address is from: a fair.")
        page.get_by_role("link", name="Back to your data").first.click()
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download my data").click()
        waiting.value.save_as(file := tmp_path / "copy.zip")
        with zipfile.ZipFile(file) as archive, database.reading() as session:
            for name, section in personal_data.SECTIONS.items():
                held = list(personal_data.rows(session, section, make.id_of()))
                assert json.loads(archive.read(f"json/{name}.json")) == held

        page.get_by_role("link", name="Complain about how we use your data").click()
        page.get_by_label("What went wrong?").fill("You sold my address.")
        page.get_by_role("button", name="Send complaint").click()
        expect(page.locator(".said")).to_contain_text("We’ve received your complaint.")
        complaint = emailed(mail, 1)
        assert (complaint["To"], complaint["Reply-To"]) == ("help@example.org", ADA)
        assert "You sold my address." in complaint.get_body(("plain",)).get_content()

        page.get_by_role("link", name="Delete my data").click()
        page.get_by_role("button", name="Delete my data").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your data is deleted")
        page.get_by_role("button", name="See what we hold").click()
        expect(page.locator("main")).to_contain_text("No address is on record.")
        expect(page.locator("main")).not_to_contain_text(ADA)
        page.goto(base + link("preferences", ADA))
        expect(page.locator("main")).not_to_contain_text("a•••@example.org")
        page.goto(base + account(ADA, EXPIRED))
        expect(page.get_by_role("heading", level=1)).to_have_text("This link has expired")
        page.get_by_role("button", name="Email me a new link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")
        processes.wait_for(lambda: "dropped" in repr(_states(database)), "the end of the request")
        assert len(mail.emails) == 2


def _states(database: Database) -> list[str]:
    with database.reading() as session:
        return [
            str(row.state.value)
            for row in session.execute(select(Base.metadata.tables["outbox"].c.state))
        ]
