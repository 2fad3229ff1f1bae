"""`/api/docs` shows every endpoint and every kind of problem, and loads nothing."""

import re

import html5lib
import pytest

from preference_center.web.api.blueprint import OPERATIONS
from preference_center.web.api.problems import ProblemKind
from tests.support.site import Site
from tests.support.web_fixtures import SiteMaker


@pytest.fixture
def page(site: Site) -> str:
    answer = site.get("/api/docs")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    return answer.text


def test_each_operation_is_there_once(page: str) -> None:
    shown = re.findall(r'<article id="(\w+)">', page)
    assert sorted(shown) == sorted(each.view.__name__ for each in OPERATIONS)
    assert page.count("<code><wbr>/api<wbr>/v1<wbr>/links</code>") == 1


def test_the_type_of_each_problem_leads_to_it(page: str) -> None:
    ids = re.findall(r' id="([\w-]+)"', page)
    assert len(ids) == len(set(ids))
    assert {kind.code for kind in ProblemKind} <= set(ids)
    targets = set(re.findall(r'href="#([\w-]+)"', page))
    assert targets <= set(ids)


def test_members_have_types_descriptions_and_members(page: str) -> None:
    links = page[page.index('<article id="mint_links">') :].partition("</article>")[0]
    text = " ".join(re.sub(r"<[^>]+>", " ", links).split())
    assert "Scope: links" in text
    assert "recipients list of object, 1 to 1,000, required" in text
    assert "email text, 1 to 320 characters or null An email address, as it was given." in text
    assert "list_unsubscribe_post text id" not in text
    assert "404 unknown-topic" in text


def test_the_page_is_html_and_loads_nothing(page: str) -> None:
    html5lib.HTMLParser(strict=True).parse(page)
    assert re.findall(r"<(?:script|link|img|iframe|object)\b[^>]*>", page) == [
        '<link rel="icon" href="data:,">'
    ]
    assert "url(" not in page
    assert "@import" not in page


def test_its_sheets_are_allowed_by_their_hashes(site: Site) -> None:
    policy = site.get("/api/docs").headers["Content-Security-Policy"]
    assert len(re.findall("'sha256-", policy)) == 2
    assert "unsafe" not in policy
    assert len(re.findall("'sha256-", site.get("/nothing").headers["Content-Security-Policy"])) == 1


def test_the_page_is_in_english_below_any_path(site_with: SiteMaker) -> None:
    site = site_with(languages=("de",), public_url="https://example.org/mail")
    answer = site.get("/mail/api/docs", headers={"Accept-Language": "de"})
    assert '<html lang="en"' in answer.text
    assert 'href="/mail/api/v1/openapi.json"' in answer.text
    assert "https://example.org/mail" in answer.text
