"""The confirm page: only a link emailed to the address starts a topic."""

from datetime import timedelta

import pytest

from preference_center.core import erasure, topics
from preference_center.core.vocab import Scope, Source
from preference_center.links.server import Confirm, write_confirm
from tests.support import make
from tests.support.site import Site, confirm, link, path_in, receipt

pytestmark = pytest.mark.pages

YES = "Yes, send me Science"
PREFERENCES = "All your email preferences"
ADA = "ada@example.org"


@pytest.fixture
def site(site: Site) -> Site:
    """Return a site with a third topic, to which ada does not subscribe."""
    with site.database.transaction() as session:
        topics.describe(make.topic(session, "science"), "en", "Science", "Once a quarter.")
    return site


def statuses(site: Site) -> dict[str, str]:
    person = site.subscriber()
    return {slug: each.status for slug, each in person.subscriptions.items()} if person else {}


def test_the_page_asks_before_it_starts_a_topic(site: Site) -> None:
    before = site.rows()
    page = site.page(confirm("science"))
    assert page.heading == "Start getting Science?"
    assert "For a•••@example.org" in page.text
    assert "Once a quarter." in page.text
    assert page.buttons == [YES]
    assert "asked for on 22 November 2026. It is waiting for your confirmation." in page.text
    assert "Didn’t ask for this? Close this page and nothing will come." in page.text
    assert site.page(page.links["All your email preferences"]).heading == "Your email preferences"
    assert site.rows() == before


def test_one_press_starts_the_topic(site: Site) -> None:
    joined = site.press_and_follow(site.page(confirm("science")), YES)
    assert joined.heading == "You’ll get Science"
    assert "Your topics: Product news Science Weekly news" in joined.text
    assert joined.buttons == ["Undo", "Unsubscribe from Science"]
    assert statuses(site)["science"] == "subscribed"
    assert site.events()[-1] == ("subscribed", "science")


def test_the_exact_wording_of_the_consent_is_recorded(site: Site) -> None:
    site.press(site.page(confirm("science")), YES)
    (wording,) = site.rows()["wordings"]
    assert wording[1] == YES
    (row,) = [row for row in site.rows()["subscriptions"] if "science" in row]
    assert {make.NOW, "confirm link", wording[0], "consent"} <= set(row)


def test_the_wording_is_recorded_in_the_language_of_the_page(site: Site) -> None:
    page = site.page(f"{confirm('science')}?lang=de")
    site.press(page, page.buttons[0])
    (wording,) = site.rows()["wordings"]
    assert wording[1] == page.buttons[0] != YES


def test_pressing_twice_starts_the_topic_once(site: Site) -> None:
    page = site.page(confirm("science"))
    site.press(page, YES)
    again = site.press(page, YES)
    assert again.location == confirm("science")
    shown = site.page(again.location)
    assert shown.heading == "You get Science"
    assert "There is nothing more to do." in shown.text
    assert shown.buttons == []
    assert site.events().count(("subscribed", "science")) == 1


def test_starting_a_topic_can_be_undone(site: Site) -> None:
    joined = site.press_and_follow(site.page(confirm("science")), YES)
    undone = site.press_and_follow(joined, "Undo")
    assert undone.heading == "Everything is as it was"
    assert "science" not in statuses(site)
    assert "Science" not in undone.text
    assert undone.buttons == []


def test_undoing_a_resubscription_restores_the_unsubscribe(site: Site) -> None:
    site.post(link())
    before = statuses(site)
    joined = site.press_and_follow(site.page(confirm("weekly-news")), "Yes, send me Weekly news")
    assert site.events()[-1] == ("resubscribed", "weekly-news")
    undone = site.press_and_follow(joined, "Undo")
    assert undone.heading == "You’re unsubscribed from Weekly news"
    assert statuses(site) == before


def test_undoing_a_subscription_says_what_is_no_longer_sent(site: Site) -> None:
    path = site.press(site.page(confirm("science")), YES).location
    page = site.page(f"{path}/undo")
    assert "You’ll no longer get Science." in page.text
    site.press(page, "Undo")
    assert "science" not in statuses(site)


def test_a_link_works_for_seven_days(site: Site) -> None:
    path = confirm("science")
    site.now += timedelta(days=7)
    assert site.page(path).buttons == [YES]
    page = site.page(path)
    site.now = make.NOW.replace(hour=0, minute=0) + timedelta(days=8)
    before = site.rows()
    expired = site.page(path, 410)
    assert expired.heading == "This link has expired"
    assert "Nothing has changed." in expired.text
    assert expired.buttons == []
    assert site.page(expired.links[PREFERENCES]).heading == "Your email preferences"
    assert site.page(site.press(page, YES).location, 410).heading == "This link has expired"
    assert site.rows() == before


def test_a_topic_archived_since_is_not_started(site: Site) -> None:
    page = site.page(confirm("science"))
    site.archive("science")
    before = site.rows()
    assert site.page(confirm("science"), 410).buttons == []
    site.press(page, YES)
    assert site.rows() == before


def test_an_unknown_topic_is_not_created(site: Site) -> None:
    before = site.rows()
    assert site.get(confirm("no-such-topic")).status_code == 410
    assert site.post(f"{confirm('no-such-topic')}/join").status_code == 303
    assert site.rows() == before


def test_a_topic_already_received_has_no_button(site: Site) -> None:
    page = site.page(confirm("weekly-news"))
    assert page.heading == "You get Weekly news"
    assert page.buttons == []
    before = site.rows()
    site.post(f"{confirm('weekly-news')}/join")
    assert site.rows() == before


HOUR = timedelta(hours=1)
SUPERSEDED = "This link no longer starts Science"
AGAIN = "Email me a new link"


def test_a_link_newer_than_an_unsubscribe_from_all_starts_one_topic(site: Site) -> None:
    site.post(f"{link()}/leave", data={"scope": "all"})
    joined = site.press_and_follow(site.page(confirm("science")), YES)
    assert joined.heading == "You’ll get Science"
    assert set(statuses(site).values()) == {"subscribed", "unsubscribed"}
    assert site.page(link("preferences")).chosen == ["Science"]


def test_a_link_older_than_an_unsubscribe_offers_a_new_link(site: Site) -> None:
    page = site.page(confirm("science"))
    site.now += HOUR
    site.post(f"{link()}/leave", data={"scope": "all"})
    site.now += HOUR
    before = site.rows()
    shown = site.press_and_follow(page, YES)
    assert shown.heading == SUPERSEDED
    assert "This address was unsubscribed after you asked for this email, so" in shown.text
    assert shown.buttons == [AGAIN]
    assert site.rows() == before
    asked = site.press_and_follow(shown, AGAIN)
    assert asked.heading == "Your email preferences"
    assert "Check your email to start Science. We’ve sent a link." in asked.text
    message = next(each for each in site.emails() if "Science" in each["Subject"])
    site.now += HOUR
    joined = site.press_and_follow(site.page(path_in(message, "/c/")), YES)
    assert joined.heading == "You’ll get Science"


def test_a_link_older_than_a_complaint_starts_and_sends_nothing(site: Site) -> None:
    page = site.page(confirm("science"))
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None, source="complaint", at=make.NOW + HOUR)
    before = site.rows()
    shown = site.press_and_follow(page, YES)
    assert shown.heading == SUPERSEDED
    assert "reported as spam" in shown.text
    assert shown.links["help@example.org"] == "mailto:help@example.org"
    assert shown.buttons == []
    assert site.post(f"{confirm('science')}/again").location == confirm("science")
    assert site.rows() == before


def test_an_unsubscribe_after_a_complaint_sends_no_new_link(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None, source="complaint", at=make.NOW - HOUR)
        make.unsubscribe(session, slug="weekly-news", at=make.NOW + HOUR)
        make.unsubscribe(session, slug=None, at=make.NOW + HOUR)
    before = site.rows()
    shown = site.page(confirm("science"))
    assert (shown.heading, shown.buttons) == (SUPERSEDED, [])
    site.post(f"{confirm('science')}/again")
    assert site.rows() == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_viewing_requests_no_new_link(site: Site, method: str) -> None:
    site.post(f"{link()}/leave", data={"scope": "all"})
    before = site.rows()
    site.open(method, f"{confirm('science', asked_at=make.NOW - HOUR)}/again")
    assert site.rows() == before


@pytest.mark.parametrize("state", ["ready", "received", "expired"])
def test_only_a_superseded_link_is_replaced_by_a_new_one(site: Site, state: str) -> None:
    topic = "weekly-news" if state == "received" else "science"
    if state == "expired":
        site.now += timedelta(days=9)
    before = site.rows()
    assert site.post(f"{confirm(topic)}/again").location == confirm(topic)
    assert site.rows() == before


def test_a_complaint_between_asking_and_sending_sends_nothing(site: Site) -> None:
    page = site.page(link("preferences"))
    page.tick("Science")
    site.press(page, "Save")
    site.now += timedelta(minutes=1)
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None, source="complaint", at=site.now)
    assert site.emails() == []


def test_a_suppressed_address_starts_nothing(site: Site) -> None:
    page = site.page(confirm("science"))
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="import")
    before = site.rows()
    shown = site.press_and_follow(page, YES)
    assert shown.heading == "We can’t send Science to this address"
    assert shown.buttons == []
    assert site.rows() == before


def test_a_link_older_than_a_bounce_starts_nothing(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce")
    yesterday = confirm("science", asked_at=make.NOW - timedelta(days=1))
    before = site.rows()
    assert site.page(yesterday, 410).heading == "This link has expired"
    assert site.post(f"{yesterday}/join").location == yesterday
    assert site.rows() == before
    assert site.press_and_follow(site.page(confirm("science")), YES).heading == "You’ll get Science"


def test_an_erased_subscriber_starts_nothing(site: Site) -> None:
    page = site.page(confirm("science"))
    with site.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    before = site.rows()
    assert site.press_and_follow(page, YES).buttons == []
    assert site.rows() == before


def test_a_link_of_another_purpose_starts_nothing(site: Site) -> None:
    before = site.rows()
    for other in (link(), link("preferences"), receipt(1)):
        path = f"/c/{other[3:]}"
        assert site.page(path, 400).heading == "This link doesn’t work"
        assert site.post(f"{path}/join").status_code == 400
    for prefix in ("/u/", "/p/", "/r/"):
        assert site.get(prefix + confirm("science")[3:]).status_code == 400
    assert site.rows() == before


@pytest.mark.parametrize("key", [make.LINK_KEY, make.IDENTITY_KEY])
def test_a_sender_cannot_mint_a_confirm_link(site: Site, key: str) -> None:
    before = site.rows()
    forged = write_confirm(Confirm(make.NOW.date(), make.id_of(), "science", make.NOW), [key])
    assert site.get(f"/c/{forged}").status_code == 400
    assert site.post(f"/c/{forged}/join").status_code == 400
    assert site.rows() == before


def test_viewing_starts_nothing(site: Site) -> None:
    before = site.rows()
    path = confirm("science")
    for method in ("GET", "HEAD", "OPTIONS"):
        for query in ("", "?join=1", "?lang=de"):
            site.open(method, path + query, headers={"Purpose": "prefetch"})
            site.open(method, f"{path}/join{query}")
    assert site.rows() == before


def test_starting_a_topic_is_confirmed_by_email(site: Site) -> None:
    site.press(site.page(confirm("science")), YES)
    site.now += timedelta(minutes=2)
    (message,) = site.emails()
    assert message["Subject"] == "You’ll get Science"


def test_asking_again_after_an_unsubscribe_sends_a_valid_link(site: Site) -> None:
    """Also if the first email has not been sent yet: the request counts as new."""
    page = site.page(link("preferences"))
    page.tick("Science")
    site.press(page, "Save")
    site.now += HOUR
    site.post(f"{link()}/leave", data={"scope": "all"})
    site.now += HOUR
    page = site.page(link("preferences"))
    page.tick("Science")
    site.press(page, "Save")
    message = next(each for each in site.emails() if "Science" in each["Subject"])
    assert site.press_and_follow(site.page(path_in(message, "/c/")), YES).heading == (
        "You’ll get Science"
    )
