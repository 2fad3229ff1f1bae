"""The page of a sign-up's link: one press starts what was asked for, once."""

from datetime import timedelta
from pathlib import Path

import pytest

from preference_center.core import erasure, sign_ups, topics
from preference_center.core.vocab import Scope, Source
from tests.support import make
from tests.support.outage import down
from tests.support.page import Page
from tests.support.processes import wait_for
from tests.support.signing_up import path_of, request
from tests.support.site import Site, confirm, link, path_in
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

NEW, ADA = "new@example.org", "ada@example.org"
YES, SEVERAL, NEVER = "Yes, send me Weekly news", "Yes, send me these emails", "Never email me"
HOUR = timedelta(hours=1)
FORM = "By signing up, you ask us to email you what you have chosen here. "
FORM += "You can unsubscribe at any time."


def asked(site: Site, email: str = NEW, *slugs: str) -> str:
    """Return the path of the link of a sign-up."""
    with site.database.transaction() as session:
        return path_of(request(session, email, *slugs, at=site.now))


def test_one_press_starts_what_was_asked_for(site: Site) -> None:
    page = site.page(asked(site))
    assert page.heading == "Start getting Weekly news?"
    assert "For n•••@example.org" in page.text
    assert "asked for on 22 November 2026. It is waiting for your confirmation." in page.text
    assert page.buttons == [YES, NEVER]
    joined = site.press_and_follow(page, YES)
    assert joined.heading == "You’ll get Weekly news"
    assert "Your topics: Weekly news" in joined.text
    assert site.subscriptions(NEW) == {"weekly-news": ("subscribed", "every", None)}
    site.now += timedelta(minutes=3)
    assert "You’ll get Weekly news" in [str(each["Subject"]) for each in site.emails()]


def test_several_topics_are_listed_and_started(site: Site) -> None:
    page = site.page(asked(site, NEW, "weekly-news", "product-news"))
    assert page.heading == "Start getting these emails?"
    assert "Product news Weekly news This was asked for" in page.text
    assert page.buttons == [SEVERAL, NEVER]
    joined = site.press_and_follow(page, SEVERAL)
    assert joined.heading == "Your email preferences have changed"
    assert [*site.subscriptions(NEW)] == ["product-news", "weekly-news"]


def test_what_both_pages_said_is_on_record(site: Site) -> None:
    form = site.page("/sign-up")
    form.tick("Weekly news")
    form.tick("Product news")
    form.fill_in("Email address", NEW)
    site.press(form, "Sign up")
    (message,) = site.emails()
    site.press(site.page(path_in(message, "/c/")), SEVERAL)
    agreed = f"{FORM}\n{SEVERAL}: Product news, Weekly news"
    assert sorted(row[1] for row in site.rows()["wordings"]) == sorted([FORM, agreed])
    (digest,) = (row[0] for row in site.rows()["wordings"] if row[1] == agreed)
    found = site.subscriber(NEW)
    assert found is not None
    held = found.subscriptions["weekly-news"]
    assert held.consent_wording == digest
    assert held.consent_source == "sign-up at https://mail.example.org/sign-up"


def test_a_text_that_has_changed_is_shown_again(site: Site) -> None:
    page = site.page(asked(site))
    with site.database.transaction() as session:
        topics.describe(topics.get(session, "weekly-news"), "en", "Daily news", "")
    before = site.rows()
    shown = Page(site.press(page, YES, 409), 409)
    assert "The text of this page has changed since you opened it." in shown.text
    assert site.rows() == before
    assert site.press_and_follow(shown, "Yes, send me Daily news").heading == (
        "You’ll get Daily news"
    )


def test_a_scanner_that_opens_everything_changes_nothing(site: Site) -> None:
    site.post("/sign-up", data={"email": NEW, "topic": "weekly-news", "page": "own"})
    (message,) = site.emails()
    path = path_in(message, "/c/")
    before = site.rows()
    for method in ("GET", "HEAD", "OPTIONS"):
        for end in ("", "/join", "/never", "/again", "?join=1"):
            site.open(method, path + end, headers={"Purpose": "prefetch"})
    for target in site.page(path).links.values():
        site.get(target)
    assert site.rows() == before
    assert site.press_and_follow(site.page(path), YES).heading == "You’ll get Weekly news"


def test_a_link_works_once(site: Site) -> None:
    path = asked(site)
    page = site.page(path)
    site.press(page, YES)
    again = site.press(page, YES)
    assert again.location == path
    shown = site.page(path)
    assert shown.heading == "You get everything that you asked for"
    site.now += HOUR
    site.post(f"{link(email=NEW)}/leave", data={"scope": "all"})
    shown = site.press_and_follow(page, YES)
    assert shown.heading == "This link no longer starts anything"
    assert site.page(shown.links["sign up again"]).buttons[0] == "Sign up"


def test_an_undone_sign_up_does_not_start_again(site: Site) -> None:
    path = asked(site)
    joined = site.press_and_follow(site.page(path), YES)
    site.press(joined, "Undo")
    assert site.page(path, 410).heading == "This link was used or has expired"


@pytest.mark.parametrize("purged", [False, True])
def test_a_link_expires_after_seven_days(site: Site, purged: bool) -> None:
    path = asked(site)
    page = site.page(path)
    site.now += timedelta(days=7)
    if purged:
        with site.database.transaction() as session:
            assert make.purge(session, "sign-ups", site.now) == 1
    before = site.rows()
    expired = site.page(path, 410)
    assert expired.heading == "This link was used or has expired"
    assert expired.buttons == [NEVER]
    assert site.press(page, YES).location == path
    assert site.rows() == before


def test_a_complaint_after_the_request_wins(site: Site) -> None:
    path = asked(site, ADA, "product-news")
    with site.database.transaction() as session:
        make.unsubscribe(session, ADA, None, source="complaint")
    shown = site.page(path)
    assert shown.heading == "This link no longer starts anything"
    assert "reported as spam" in shown.text
    assert "sign up again" in shown.links


def test_an_erased_person_can_start_anew(site: Site) -> None:
    with site.database.transaction() as session:
        erasure.erase(session, [make.id_of(ADA)], Source.CLI, make.NOW)
    site.now += HOUR
    path = asked(site, ADA)
    assert site.press_and_follow(site.page(path), YES).heading == "You’ll get Weekly news"
    found = site.subscriber(ADA)
    assert found is not None
    assert (found.email, found.erased_at) == (ADA, None)


# Never email me.


@pytest.mark.parametrize("expired", [False, True])
def test_never_email_me_stops_every_email(site: Site, expired: bool) -> None:
    path = asked(site)
    site.now += timedelta(days=20 if expired else 0)
    done = site.press_and_follow(site.page(path, 410 if expired else 200), NEVER)
    assert done.heading == "We don’t email this address"
    assert done.links["help@example.org"] == "mailto:help@example.org"
    assert done.buttons == []
    found = site.subscriber(NEW)
    assert found is not None
    assert (found.email, {*found.suppressions}) == (None, {Scope.ADDRESS})  # only the fingerprint
    site.now += HOUR
    site.post("/sign-up", data={"email": NEW, "topic": "weekly-news", "page": "own"})
    assert site.emails() == []
    assert site.post(f"{path}/join").location == path


def test_pressing_never_twice_changes_nothing_more(site: Site) -> None:
    path = asked(site)
    site.post(f"{path}/never")
    before = site.rows()
    assert site.post(f"{path}/never").status_code == 303
    assert site.rows() == before


def test_the_page_says_if_account_messages_end_too(site_with: SiteMaker) -> None:
    site = site_with(account_messages=True)
    site.subscribe()
    assert "This includes receipts and account messages." in site.page(asked(site)).text


def test_never_is_kept_while_the_database_is_down(site_with: SiteMaker, tmp_path: Path) -> None:
    site = site_with(spool_dir=tmp_path)
    site.subscribe()
    spool, path = site.services.spool, asked(site)
    assert spool is not None
    wait_for(lambda: spool.state().accepts, "a registration")
    with down(site.database):
        assert Page(site.post(f"{path}/never"), 202).heading == "We’ve recorded that"
    wait_for(lambda: spool.state().rows == 0, "a replay")
    assert site.unsubscribed(NEW) == ["address"]


def test_a_confirm_link_of_a_topic_stops_nothing(site: Site) -> None:
    before = site.rows()
    assert site.post(f"{confirm('product-news')}/never").status_code == 400
    assert site.rows() == before


def test_a_link_of_another_sign_up_or_purpose_starts_nothing(site: Site) -> None:
    path = asked(site)
    before = site.rows()
    assert site.get(f"/c/{path[3:-1]}").status_code == 400
    for prefix in ("/u/", "/p/", "/r/"):
        assert site.get(prefix + path[3:]).status_code == 400
    with site.database.reading() as session:
        mine = make.id_of(NEW)
        assert sign_ups.newest(session, mine, site.now, site.now) is not None
        other = sign_ups.find(session, make.id_of(ADA), make.id_of(), site.now)
    assert other is None
    assert site.rows() == before
