"""A new link by email, with the same answer for known and unknown addresses (P8)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from preference_center.core import erasure
from preference_center.core.vocab import Scope, Source
from preference_center.web.limits import counted_as
from tests.support import make
from tests.support.page import Page
from tests.support.site import Site, link, path_in
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

FORM = "/sign-up"
BUTTON = "Email me a link"  # on other pages
OWN_BUTTON = "Email me my link"
HEADING = "Get Northwind Letters emails"
LABEL = "Email address"
WRONG = "Enter an email address, like name@example.org."
SENT = "If we can send email to that address, a link is on its way."
ADA = "ada@example.org"


def ask(site: Site, email: str = ADA, **request: Any) -> Any:
    return site.post(FORM, data={"email": email, "press": "link", "page": "own"}, **request)


@contextmanager
def statements(site: Site) -> Iterator[list[str]]:
    """Yield the statements that are sent to the database, without their values."""
    sent_statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent_statements.append(statement)

    event.listen(site.database.engine, "before_cursor_execute", note)
    try:
        yield sent_statements
    finally:
        event.remove(site.database.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("path", ["/u/x", "/p/x", "/r/x", "/c/x", link()[:-1]])
def test_the_page_of_a_broken_link_emails_a_new_one(site: Site, path: str) -> None:
    page = site.page(path, 400)
    assert page.heading == "This link doesn’t work"
    assert "Copy the whole link, or get a new one." in page.text
    assert "We’ll use it only to send the link." in page.text
    page.fill_in(LABEL, ADA)
    shown = site.press_and_follow(page, BUTTON)
    assert shown.heading == "Check your email"
    assert SENT in shown.text
    assert "Nothing after 10 minutes? Look in spam or write to help@example.org." in shown.text
    (message,) = site.emails()
    assert message["To"] == ADA
    fresh = site.page(path_in(message, "/p/"))
    assert fresh.heading == "Your email preferences"
    assert "For a•••@example.org" in fresh.text


def test_the_form_has_its_own_page(site: Site) -> None:
    page = site.page(FORM)
    assert page.heading == HEADING
    assert page.buttons == ["Sign up", OWN_BUTTON]
    field = page.field(LABEL)
    assert (field.get("type"), field.get("autocomplete")) == ("email", "email")
    page.fill_in(LABEL, ADA)
    assert site.press_and_follow(page, OWN_BUTTON).heading == "Check your email"


def test_without_a_contact_none_is_shown(site_with: SiteMaker) -> None:
    site = site_with(contact="")
    page = site.page("/sign-up/sent")
    assert "Nothing after 10 minutes? Look in spam." in page.text
    assert "write to" not in page.text


@pytest.mark.parametrize(
    "typed",
    [
        *("", " ", "ada", "ada@", "@example.org", "a b@example.org", "a@b@c.org"),
        *("ada@example.org, bob@example.org", "ada@example.org\nBcc: x@example.org", "a" * 400),
        *("Ada ada@example.org", '"><script>alert(1)</script>', "a" * 300 + "@example.org"),
    ],
)
def test_an_invalid_address_is_an_error_that_keeps_the_input(site: Site, typed: str) -> None:
    before = site.rows()
    page = Page(ask(site, typed), 400)
    assert page.title == f"Error: {HEADING} – Northwind Letters"
    assert page.links[WRONG] == "#email"
    field = page.field(LABEL)
    assert field.get("value", "").split() == typed.split()
    assert field.get("aria-invalid") == "true"
    messages = [each for each in page.root.iter() if each.get("id") == "email-problem"]
    assert "email-problem" in field.get("aria-describedby", "").split()
    assert "".join(messages[0].itertext()) == f"Error: {WRONG}"
    assert site.rows() == before


def test_a_nul_in_an_address_is_refused(site: Site) -> None:
    before = site.rows()
    assert ask(site, "ada\x00@example.org").status_code == 400
    assert site.rows() == before


@pytest.mark.parametrize(
    "typed", [" Ada@Example.ORG ", "<ADA@example.org>", "mailto:ada@example.org"]
)
def test_an_address_is_found_in_any_spelling(site: Site, typed: str) -> None:
    ask(site, typed)
    (message,) = site.emails()
    assert message["To"] == ADA


def test_the_answer_is_the_same_for_known_and_unknown_addresses(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(
            session, "bob@example.org", slug=None, scope=Scope.ADDRESS, source="import"
        )
        make.subscriber(session, "eve@example.org")
        erasure.erase(session, [make.id_of("eve@example.org")], Source.CLI, make.NOW)
    found = []
    for email in (ADA, "bob@example.org", "eve@example.org", "new@example.org"):
        with statements(site) as sent_statements:
            answer = ask(site, email)
        assert len(sent_statements) >= 2
        found.append((answer.status_code, dict(answer.headers), answer.text, sent_statements))
    assert [each == found[0] for each in found] == [True] * 4


def test_unknown_erased_and_suppressed_addresses_get_no_email(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(
            session, "bob@example.org", slug=None, scope=Scope.ADDRESS, source="import"
        )
        make.subscriber(session, "eve@example.org")
        erasure.erase(session, [make.id_of("eve@example.org")], Source.CLI, make.NOW)
        make.unsubscribe(session, "noted@example.org")  # by a link, without an address
    for email in ("bob@example.org", "eve@example.org", "new@example.org", "noted@example.org"):
        ask(site, email)
    assert site.emails() == []
    assert [row[4] for row in site.rows()["outbox"]] == ["dropped"] * 4
    assert site.subscriber("new@example.org") is None


def test_a_bounced_address_gets_the_requested_link(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce")
    ask(site)
    (message,) = site.emails()
    assert "Our emails to this address came back" in site.page(path_in(message, "/p/")).text


def test_a_subscriber_unsubscribed_from_all_gets_the_requested_link(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None)
    ask(site)
    (message,) = site.emails()
    assert message["Subject"] == "Your link to manage Northwind Letters emails"


def test_asking_changes_no_subscriber(site: Site) -> None:
    before = site.rows()
    ask(site)
    after = site.rows()
    assert {name for name in after if after[name] != before[name]} == {"outbox", "mailbox_requests"}


def test_an_address_gets_at_most_three_emails_a_day(site: Site) -> None:
    sent = []
    for hour in range(26):
        site.now = make.NOW + timedelta(hours=hour)
        origin = {"REMOTE_ADDR": f"192.0.2.{hour}"}
        assert ask(site, environ_overrides=origin).status_code == 303
        sent.append(len(site.emails()))
    assert sent[:24] == [1, 1, 1] + [0] * 21
    assert sum(sent) == 5


def test_pressing_twice_sends_one_email(site: Site) -> None:
    ask(site)
    ask(site)
    assert len(site.emails()) == 1


def test_an_origin_may_ask_ten_times_an_hour(site: Site) -> None:
    for n in range(10):
        assert ask(site, f"reader{n}@example.org").status_code == 303
    before = site.rows()
    refused = Page(ask(site, "reader10@example.org"), 429)
    assert refused.heading == "Please try again later"
    assert "Links already sent still work." in refused.text
    assert site.rows() == before
    assert site.post(link()).status_code == 200  # an unsubscribe is never limited


def test_an_invalid_address_does_not_count(site: Site) -> None:
    for _ in range(30):
        assert ask(site, "x").status_code == 400
    assert ask(site).status_code == 303


def test_each_origin_has_its_own_limit(site: Site) -> None:
    for n in range(20):
        origin = {"REMOTE_ADDR": f"192.0.2.{n % 2}"}
        assert ask(site, f"reader{n}@example.org", environ_overrides=origin).status_code == 303
    origin = {"REMOTE_ADDR": "192.0.2.1"}
    assert ask(site, environ_overrides=origin).status_code == 429
    assert ask(site, environ_overrides={"REMOTE_ADDR": "192.0.2.2"}).status_code == 303


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:3::1"),
        ("2001:db8:1:2::1", "2001:0DB8:1:2:0:0:0:2", "2001:db8:1:1:ffff:ffff:ffff:ffff"),
        ("fe80::1%eth0", "fe80::2%eth1", "fe80:0:0:1::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
        ("192.0.2.1:4711", "192.0.2.1", "192.0.2.2:4711"),
        ("[2001:db8::1]:4711", "2001:db8::2", "[2001:db8:0:1::1]:4711"),
        ("[::ffff:c000:201]:4711", "192.0.2.1:80", "192.0.2.3"),
        ("unknown", "unknown", "_hidden"),
        ("", "", "2001:db8::1"),
    ],
)
def test_one_network_counts_as_one_origin(one: str, same: str, other: str) -> None:
    assert counted_as(one) == counted_as(same) != counted_as(other)


def test_an_ipv6_network_shares_one_limit(site_with: SiteMaker) -> None:
    site = site_with(trusted_proxies=1)
    for n in range(10):
        headers = {"X-Forwarded-For": f"2001:db8:1:2::{n}"}
        assert ask(site, f"reader{n}@example.org", headers=headers).status_code == 303
    assert ask(site, headers={"X-Forwarded-For": "2001:db8:1:2:a:b:c:d"}).status_code == 429
    assert ask(site, headers={"X-Forwarded-For": "2001:db8:1:3::1"}).status_code == 303


def test_a_header_cannot_change_the_origin(site: Site) -> None:
    for n in range(11):
        headers = {"X-Forwarded-For": f"192.0.2.{n}", "X-Real-IP": f"192.0.2.{n}"}
        answer = ask(site, f"reader{n}@example.org", headers=headers)
    assert answer.status_code == 429


def test_the_header_of_a_trusted_proxy_names_the_origin(site_with: SiteMaker) -> None:
    site = site_with(trusted_proxies=1)
    for n in range(20):
        headers = {"X-Forwarded-For": f"192.0.2.{n % 2}"}
        assert ask(site, f"reader{n}@example.org", headers=headers).status_code == 303
    for spoofed in ("192.0.2.0", "198.51.100.7, 192.0.2.0"):
        assert ask(site, headers={"X-Forwarded-For": spoofed}).status_code == 429
    assert ask(site, headers={"X-Forwarded-For": "192.0.2.0, 192.0.2.9"}).status_code == 303


def test_the_address_of_the_origin_is_not_stored(site: Site) -> None:
    ask(site, environ_overrides={"REMOTE_ADDR": "203.0.113.77"})
    assert "203.0.113.77" not in str(site.rows())


def test_without_smtp_no_link_is_offered(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe()
    page = site.page("/u/x", 400)
    assert page.buttons == []
    assert "get a new one" not in page.text
    before = site.rows()
    assert site.get("/sign-up/sent").status_code == 404
    assert site.page(FORM, 404).heading == "Page not found"
    assert site.page("/", 404).buttons == []
    for email in (ADA, "x", ""):
        assert ask(site, email).status_code == 404
    assert site.rows() == before


def test_a_missing_page_offers_a_link(site: Site) -> None:
    page = site.page("/", 404)
    page.fill_in("Email address", ADA)
    assert site.press_and_follow(page, "Email me a link").heading == "Check your email"


def test_the_language_is_kept_and_can_be_switched(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "ar-XB"), public_url="https://mail.example.org/center")
    form = f"/center{FORM}"
    page = site.page(f"{form}?lang=ar-XB")
    path, data = page.form_of(page.buttons[-1])
    wrong = Page(site.post(path, data=data), 400)
    assert wrong.lang == ("ar-XB", "rtl")
    assert site.page(wrong.links["English"]).heading == HEADING
    asked = {"email": ADA, "press": "link", "page": "own"}
    sent = site.page(site.post(path, data=asked).location)
    assert sent.lang == ("ar-XB", "rtl")
    for _ in range(10):
        last = site.post(path, data=asked)
    assert site.page(Page(last, 429).links["English"]).heading == HEADING


def test_the_email_is_in_the_subscribers_language(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "de"))
    site.subscribe()
    with site.database.transaction() as session:
        make.set_details(session, ADA, locale="de")
    ask(site, headers={"Accept-Language": "en"})
    (message,) = site.emails()
    assert message["Content-Language"] == "de"
    assert site.page(path_in(message, "/p/")).lang == ("de", "ltr")
