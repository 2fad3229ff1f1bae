"""The receipt: what changed, thanks, and undo for thirty days (P3)."""

from datetime import timedelta

import pytest

from preference_center.core import erasure, subscribers
from preference_center.core.vocab import Source
from preference_center.links.minter import Purpose
from tests.support import make
from tests.support.page import Page
from tests.support.site import ALL, THIS, Site, link, receipt
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages


def unsubscribe(site: Site, button: str = THIS) -> str:
    """Unsubscribe by a button of the page, and return the path of the receipt."""
    location: str = site.press(site.page(link()), button).location
    return location


def state(site: Site) -> dict[str, list[object]]:
    """Return the record of each subscriber, without the time of the last write."""
    with site.database.reading() as session:
        return {
            email: [
                sorted(
                    (slug, each.status, each.changed_at, each.consent_at, each.source)
                    for slug, each in found.subscriptions.items()
                ),
                sorted((kind, each.since) for kind, each in found.suppressions.items()),
            ]
            for email in ("ada@example.org", "bob@example.org")
            if (found := subscribers.find(session, make.id_of(email))) is not None
        }


def test_the_receipt_shows_the_change_its_time_and_the_remaining_topics(site: Site) -> None:
    page = site.page(unsubscribe(site))
    assert page.heading == "You’re unsubscribed from Weekly news"
    assert "Done on 22 November 2026, 14:05 UTC." in page.text
    assert "An email already on its way may still arrive." in page.text
    assert "You still get: Product news" in page.text
    assert "Thank you for reading Weekly news since 2025." in page.text
    assert "We’ll email you a confirmation." in page.text
    assert "until 22 December 2026" in page.text
    assert "For a•••@example.org" in page.text
    assert page.buttons[:2] == ["Undo", "Too many emails"]


def test_the_receipt_of_an_unsubscribe_from_all_announces_no_more_emails(site: Site) -> None:
    page = site.page(unsubscribe(site, ALL))
    assert page.heading == "You’re unsubscribed from everything"
    assert "You won’t get any more newsletters from us." in page.text
    assert "You still get" not in page.text


def test_the_receipt_can_be_reloaded(site: Site) -> None:
    path = unsubscribe(site)
    before, first = site.rows(), site.page(path).text
    assert [site.page(path).text for _ in range(3)] == [first] * 3
    assert site.rows() == before


def test_a_confirmation_is_promised_only_if_email_can_be_sent(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe()
    assert "confirmation" not in site.page(unsubscribe(site)).text


def test_the_receipt_links_to_the_sign_up_page_and_the_alternatives(site_with: SiteMaker) -> None:
    site = site_with(
        sign_up_url="https://example.org/join?a=1&b=2",
        alternative_links=(
            ("Blog", "https://example.org/blog"),
            ("<RSS>", "https://example.org/rss"),
        ),
    )
    site.subscribe()
    page = site.page(unsubscribe(site))
    assert "If you change your mind" in page.text
    assert "https://example.org/join?a=1&b=2" in page.links.values()
    assert page.links["Blog"] == "https://example.org/blog"
    assert page.links["<RSS>"] == "https://example.org/rss"


def test_without_a_sign_up_page_the_receipt_links_to_the_preferences(site: Site) -> None:
    page = site.page(unsubscribe(site))
    assert "If you change your mind You can choose what you get at any time." in page.text
    back = site.page(page.links["choose what you get"])
    assert back.heading == "Your email preferences"
    assert "For a•••@example.org" in back.text


@pytest.mark.parametrize("button", [THIS, ALL])
def test_undo_restores_the_exact_previous_state(site: Site, button: str) -> None:
    before = state(site)
    path = unsubscribe(site, button)
    assert state(site) != before
    site.now += timedelta(days=29)
    page = site.press_and_follow(site.page(path), "Undo")
    assert page.heading == "Everything is as it was"
    assert state(site) == before


def test_undo_for_an_unknown_recipient_leaves_no_subscription(site: Site) -> None:
    page = site.page(link(email="new@example.org"))
    receipt_page = site.press_and_follow(page, THIS)
    site.press(receipt_page, "Undo")
    with site.database.reading() as session:
        found = subscribers.find(session, make.id_of("new@example.org"))
        assert found is not None
        assert found.subscriptions == {}


def test_an_undone_receipt_offers_to_unsubscribe_again(site: Site) -> None:
    path = unsubscribe(site)
    site.press(site.page(path), "Undo")
    page = site.page(path)
    assert page.heading == "Everything is as it was"
    assert page.buttons == [THIS]
    assert site.press_and_follow(page, THIS).heading == "You’re unsubscribed from Weekly news"
    assert site.unsubscribed() == ["weekly-news", "weekly-news"]


def test_unsubscribing_from_all_works_again_after_an_undo(site: Site) -> None:
    path = unsubscribe(site, ALL)
    undone = site.press_and_follow(site.page(path), "Undo")
    assert undone.buttons == [ALL]
    site.press(undone, ALL)
    assert site.unsubscribed() == ["all", "all"]


def test_a_second_undo_changes_nothing(site: Site) -> None:
    page = site.page(unsubscribe(site))
    site.press(page, "Undo")
    before = site.rows()
    assert site.press_and_follow(page, "Undo").heading == "Everything is as it was"
    assert site.rows() == before


def test_a_newer_choice_is_not_undone(site: Site) -> None:
    path = unsubscribe(site)
    page = site.page(path)
    unsubscribe(site, ALL)
    before = site.rows()
    answer = Page(site.press(page, "Undo", 409), 409)
    assert "the latest choice stands" in answer.text
    assert "Undo" not in site.page(path).buttons
    assert site.rows() == before


def test_an_old_receipt_is_shown_without_undo(site: Site) -> None:
    path = unsubscribe(site)
    page = site.page(path)
    site.now += timedelta(days=30, hours=9, minutes=54)
    assert "Undo" in site.page(path).buttons
    site.now += timedelta(minutes=1)
    before = site.rows()
    assert site.page(path).heading == "You’re unsubscribed from Weekly news"
    assert "Undo" not in site.page(path).buttons
    late = Page(site.press(page, "Undo", 410), 410)
    assert late.heading == "It’s too late to undo here"
    assert site.rows() == before


def test_a_late_undo_links_to_the_sign_up_page(site_with: SiteMaker) -> None:
    site = site_with(sign_up_url="https://example.org/join")
    site.subscribe()
    path = unsubscribe(site)
    site.now += timedelta(days=31)
    late = site.page(f"{path}/undo", 410)
    assert late.links["Sign up again"] == "https://example.org/join"


def test_an_unsubscribe_by_staff_cannot_be_undone(site: Site) -> None:
    with site.database.transaction() as session:
        stopped = make.unsubscribe(session, source=Source.CONSOLE)
    assert site.page(receipt(stopped.last_seq), 409).buttons == []
    assert site.post(f"{receipt(stopped.last_seq)}/undo").status_code == 409


def test_the_undo_link_of_an_email_asks_first(site: Site) -> None:
    path = unsubscribe(site)
    page = site.page(f"{path}/undo")
    assert page.heading == "Undo your change?"
    assert "You’ll get Weekly news again" in page.text
    assert page.buttons == ["Undo"]
    done = site.press_and_follow(page, "Undo")
    assert done.heading == "Everything is as it was"
    assert site.page(f"{path}/undo").heading == "Everything is as it was"


def test_undoing_an_unsubscribe_from_all_says_what_is_sent_again(site: Site) -> None:
    page = site.page(f"{unsubscribe(site, ALL)}/undo")
    assert "You’ll get Northwind Letters emails again, as before." in page.text


def test_the_wording_of_an_undo_is_recorded_in_its_language(site: Site) -> None:
    with site.database.transaction() as session:
        make.set_details(session, locale="en")
    site.press(site.page(unsubscribe(site)), "Undo")
    (wording,) = site.rows()["wordings"]
    assert wording[1] == "Undo"


def test_a_receipt_cannot_undo_another_subscribers_change(site: Site) -> None:
    unsubscribe(site)
    before = site.rows()
    seq = max(row[1] for row in before["ledger"] if row[0] == make.id_of())
    other = site.post(f"{receipt(seq, email='bob@example.org')}/undo")
    assert other.status_code == 409
    assert site.rows() == before


def test_the_receipt_of_an_erased_subscriber_shows_nothing(site: Site) -> None:
    path = unsubscribe(site)
    with site.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    before = site.rows()
    assert "Weekly" not in site.page(path, 409).text
    assert site.post(f"{path}/undo").status_code == 409
    assert site.rows() == before


@pytest.mark.parametrize("rows", [(99, 99), (2, 1), (1, 99), (999_999_999, 999_999_999)])
def test_a_receipt_of_missing_rows_is_not_an_error(site: Site, rows: tuple[int, int]) -> None:
    assert site.get(receipt(*rows)).status_code in {200, 409}
    assert site.post(f"{receipt(*rows)}/undo").status_code in {303, 409}
    assert site.unsubscribed() == []


def test_a_receipt_cannot_be_minted_with_a_senders_key(site: Site) -> None:
    from preference_center.links.server import Receipt, write_receipt

    path = unsubscribe(site)
    forged = write_receipt(Receipt(make.NOW.date(), make.id_of(), 3, 3), [make.LINK_KEY])
    assert site.get(f"/r/{forged}").status_code == 400
    assert site.post(f"/r/{forged}/undo").status_code == 400
    assert site.get(path).status_code == 200


def test_a_long_time_subscriber_is_thanked_with_the_year(site: Site) -> None:
    assert "since 2025" in site.page(unsubscribe(site)).text
    page = site.page(link(topic="product-news", email="new@example.org"))
    receipt_page = site.press_and_follow(page, "Unsubscribe from Product news")
    assert "Thank you for reading Product news." in receipt_page.text


@pytest.mark.parametrize(
    ("purpose", "button"),
    [("unsubscribe", THIS), ("unsubscribe", ALL), ("preferences", ALL)],
)
def test_repeating_another_persons_unsubscribe_gives_no_undo(
    site: Site, purpose: Purpose, button: str
) -> None:
    """A sender can mint a link, and an email can be forwarded: neither may undo (S8)."""
    theirs = site.page(link(purpose, campaign="minted-later"))
    unsubscribe(site, button)
    response = site.press(theirs, button)
    assert response.location == link(purpose, campaign="minted-later")
    assert "/r/" not in site.page(response.location).html


def test_a_repeated_unsubscribe_after_an_undo_shows_the_old_receipt(site: Site) -> None:
    undone = site.press(site.page(unsubscribe(site)), "Undo").location
    page = site.page(undone)
    site.press(page, THIS)
    again = site.press(page, THIS)
    assert again.location == undone
    assert site.page(undone).heading == "Your email preferences have changed since then"
