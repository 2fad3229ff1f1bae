"""`/a/`: a person's data, behind a link that was emailed within the hour."""

import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from preference_center.core import data_complaints, reasons, unacknowledged, webhooks
from preference_center.core.data_complaints import MAX_LENGTH, MAX_OF_A_DAY
from preference_center.core.personal_data import SECTIONS
from preference_center.core.vocab import OutboxKind, ReasonCode, Scope
from preference_center.links.minter import TEST_CAMPAIGN, Link, write_link
from preference_center.links.server import ACCOUNT_LIFETIME
from preference_center.store.tables import OutboxRow
from tests.support import make, signing_up
from tests.support.page import Page
from tests.support.site import MY_DATA, Site, account, link, path_in
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

ADA = "ada@example.org"
SEE, TAKE = "See what we hold", "Download my data"
SECOND = timedelta(seconds=1)


def ask(site: Site, email: str = ADA) -> Any:
    return site.post(f"{link('preferences', email)}/my-data")


def queued(site: Site) -> list[OutboxKind]:
    with site.database.reading() as session:
        return sorted(session.scalars(select(OutboxRow.kind)))


def test_the_link_is_asked_for_on_the_preferences_page(site: Site) -> None:
    shown = site.press_and_follow(site.page(link("preferences")), MY_DATA)
    assert shown.heading == "Check your email"
    assert "If we send email to this address, a link to your data is on its way." in shown.text
    (message,) = site.emails()
    assert message["To"] == ADA
    assert message["Subject"] == "Your link to your data at Northwind Letters"
    assert site.page(path_in(message, "/a/")).heading == "Your data"


def test_the_hour_begins_when_the_email_is_sent(site: Site) -> None:
    ask(site)
    site.now += timedelta(minutes=50)
    (message,) = site.emails()
    path = path_in(message, "/a/")
    site.now += ACCOUNT_LIFETIME - SECOND
    assert site.page(path).heading == "Your data"
    site.now += SECOND
    page = site.page(path, 410)
    assert page.heading == "This link has expired"
    assert site.press_and_follow(page, "Email me a new link").heading == "Check your email"
    assert queued(site).count(OutboxKind.ACCOUNT_LINK) == 2


@pytest.mark.parametrize("email", [ADA, "unknown@example.org"])
def test_the_answer_is_the_same_whatever_is_on_record(site: Site, email: str) -> None:
    answer = ask(site, email)
    assert (answer.status_code, answer.location) == (303, "/my-data/sent")
    assert queued(site) == [OutboxKind.ACCOUNT_LINK]
    assert len(site.emails()) == (email == ADA)


def test_an_address_that_the_sender_has_suppressed_gets_no_email(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="api")
    assert ask(site).status_code == 303
    assert site.emails() == []


def test_a_few_links_a_day_are_emailed(site: Site) -> None:
    for _ in range(5):
        assert ask(site).status_code == 303
        site.emails()
    assert len(queued(site)) == 3


@pytest.mark.parametrize("email", [ADA, "a.da+x@example.org", "unknown@example.org"])
def test_links_and_sign_ups_share_the_emails_of_a_day(site: Site, email: str) -> None:
    with site.database.transaction() as session:
        make.subscriber(session, "a.da+x@example.org")
    for press in ("", "link"):
        form = {"email": email, "topic": "weekly-news", "press": press, "page": "own"}
        site.post("/sign-up", data=form)
    before = queued(site)
    for _ in range(2):
        assert ask(site, email).location == "/my-data/sent"
        site.emails()
    assert queued(site) == sorted([*before, OutboxKind.ACCOUNT_LINK])


def test_a_client_gets_few_links_an_hour(site: Site) -> None:
    statuses = [ask(site, f"reader{number}@example.org").status_code for number in range(11)]
    assert statuses == [303] * 10 + [429]


def test_a_test_link_emails_nothing(site: Site) -> None:
    signed = Link(make.NOW.date(), make.id_of(), "all", TEST_CAMPAIGN)
    path = f"/p/{write_link('preferences', signed, [make.LINK_KEY])}"
    assert MY_DATA not in site.page(path).buttons
    assert site.post(f"{path}/my-data").location == path
    assert queued(site) == []


def test_without_smtp_there_is_no_such_page(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe(ADA)
    for path in (account(), f"{account()}/erase", "/my-data/sent"):
        assert site.get(path).status_code == 404
    for action in ("see", "take", "erase", "complain", "language", "again"):
        assert site.post(f"{account()}/{action}").status_code == 404
    assert ask(site).status_code == 404
    page = site.page(link("preferences"))
    assert MY_DATA not in page.buttons
    assert "To see or delete what we hold on you, write to help@example.org." in page.text


def test_opening_every_page_gets_no_data_and_changes_nothing(site: Site) -> None:
    before = site.rows()
    for path in (account(), f"{account()}/erase", f"{account()}/complain"):
        for _ in range(2):
            page = site.page(path)
            assert ADA not in page.html
            assert "a•••@example.org" in page.text
            assert "Weekly news" not in page.html
            assert site.open("HEAD", path).status_code == 200
    for action in ("see", "take", "language", "again"):
        assert site.get(f"{account()}/{action}").status_code == 405
    assert site.rows() == before


@pytest.mark.parametrize("action", ["", "/see", "/take", "/erase", "/complain", "/language"])
def test_an_expired_or_forged_link_does_nothing(site: Site, action: str) -> None:
    before = site.rows()
    forged = account(key="another-key-for-tests-5rT9wE3qA7zX1")
    method = "POST" if action else "GET"
    assert site.open(method, f"{forged}{action}").status_code == 400
    site.now += ACCOUNT_LIFETIME
    assert site.open(method, f"{account()}{action}").status_code == 410
    assert site.rows() == before


def test_what_is_held_is_shown_in_words(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, campaign="2026-47", wording="Unsubscribe from Weekly news")
    page = Page(site.press(site.page(account()), SEE, 200))
    assert page.heading == "What we hold on you"
    for text in (
        "ada@example.org. On record since 18 October 2025.",
        "Product news: subscribed, every email. Recorded through: a file of ours.",
        "Weekly news: stopped on 22 November 2026. Recorded through: our pages.",
        "22 November 2026, 14:05 UTC: Weekly news, stopped. Recorded through: our pages. "
        "In answer to: 2026-47. In these words: “Unsubscribe from Weekly news”",
    ):
        assert text in page.text


def test_what_is_held_is_shown_as_the_language_writes_it(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "ja"))
    site.subscribe(ADA)
    with site.database.transaction() as session:
        make.set_details(session, locale="ja", delivered_on=make.NOW.date())
        make.unsubscribe(session)
        seq = make.found(session, ADA).seq
        reasons.record(session, make.id_of(ADA), seq, ReasonCode.OTHER, "Six a day.", make.NOW)
        signing_up.request(session, ADA, "weekly-news", "product-news", at=make.NOW)
    page = Page(site.post(f"{account()}/see"))
    for text in (
        "ada@example.org。2025年10月18日から登録。言語：日本語。"
        "最後に配達が報告されたメール：2026年11月22日。",
        "2026年11月22日：その他。備考：Six a day.",
        "2026年11月22日 14:05 UTC：Weekly news、Product news。まだ確認されていません。",
    ):
        assert text in page.text
    assert "。 " not in page.html


def test_the_outcome_of_a_complaint_is_shown(site: Site) -> None:
    site.post(f"{account()}/complain", data={"note": "You sold it."})
    with site.database.transaction() as session:
        data_complaints.close(session, make.id_of(), 1, "We did <not>.", "Fay", make.NOW)
    seen = Page(site.post(f"{account()}/see")).text
    assert "Closed on 22 November 2026 by Fay. Outcome: “We did <not>.”" in seen


def test_a_long_history_is_cut_and_the_page_says_so(site: Site) -> None:
    with site.database.transaction() as session:
        for _ in range(30):
            make.unsubscribe(session)
            make.start_topic(session)
    page = Page(site.post(f"{account()}/see"))
    assert "These are the newest 50 of 62. The download has all of them." in page.text


def test_the_download_has_every_kind_of_data_and_a_readme(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "de", "ar"))
    site.subscribe(ADA)
    with site.database.transaction() as session:
        make.set_details(session, locale="de")
    answer = site.press(site.page(account()), "Meine Daten herunterladen", 200)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-data.zip"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        names = {f"{kind}/{name}.{kind}" for name in SECTIONS for kind in ("json", "csv")}
        assert {*archive.namelist()} == {"README.txt", *names}
        assert "Dieses Archiv enthält alles" in archive.read("README.txt").decode()
        assert b"weekly-news" in archive.read("json/subscriptions.json")


def test_the_language_is_recorded(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "de", "ar"))
    site.subscribe(ADA)
    site.post(f"{account()}/language", data={"language": "xx"})
    answer = site.post(f"{account()}/language", data={"language": "de"})
    shown = site.page(answer.location)
    assert shown.lang == ("de", "ltr")
    assert "Gespeichert." in shown.text
    found = site.subscriber()
    assert found is not None
    assert found.locale == "de"
    assert found.seq == 2


def test_erasing_says_what_stays_and_then_erases(site: Site) -> None:
    with site.database.transaction() as session:
        webhooks.add(session, "https://hooks.example.org/", [], make.NOW)
    page = site.page(f"{account()}/erase")
    assert "One coded record stays" in page.text
    assert "for 7 days at most" in page.text
    found = site.subscriber()
    assert found is not None
    assert found.erased_at is None
    shown = site.press_and_follow(page, "Delete my data")
    assert shown.heading == "Your data is deleted"
    found = site.subscriber()
    assert found is not None
    assert (found.email, found.erased_at) == (None, make.NOW)
    assert set(found.suppressions) == {"all"}
    with site.database.reading() as session:
        held = unacknowledged.find(session, make.id_of(), make.NOW)
        assert held is not None
        assert held.email == ADA


def test_after_an_erasure_old_links_show_and_do_nothing_more(site: Site) -> None:
    site.post(f"{account()}/erase")
    before = site.rows()
    seen = Page(site.post(f"{account()}/see"))
    assert ADA not in seen.html
    assert "No address is on record." in seen.text
    assert site.post(f"{account()}/erase").status_code == 303
    assert site.post(f"{account()}/complain", data={"note": "x"}).location == account()
    assert site.rows() == before
    ask(site)
    assert site.emails() == []


def test_a_complaint_is_stored_and_emailed_to_the_contact(site: Site) -> None:
    page = site.page(f"{account()}/complain")
    page.fill_in("What went wrong?", "You sold <b>my</b>\r\naddress.")
    shown = site.press_and_follow(page, "Send complaint")
    assert "We’ve received your complaint." in shown.text
    assert "within 30 days" in shown.text
    with site.database.reading() as session:
        (stored,) = data_complaints.read(session, closed=False)
    assert stored.text == "You sold <b>my</b>\naddress."
    (message,) = site.emails()
    assert message["To"] == "help@example.org"
    assert message["Reply-To"] == ADA
    assert message["Subject"].endswith("to acknowledge by 22 December 2026")
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert "You sold <b>my</b>\naddress." in plain.get_content()
    assert f"acknowledge {make.id_of()}/1 --by" in plain.get_content()
    assert "&lt;b&gt;my&lt;/b&gt;" in html.get_content()


@pytest.mark.parametrize(
    ("contact", "alerts_to", "to"),
    [
        ("https://example.org/help", "ops@example.org", ["ops@example.org"]),
        ("https://example.org/help", None, []),
    ],
)
def test_without_a_contact_address_a_complaint_goes_to_the_alerts(
    site_with: SiteMaker, contact: str, alerts_to: str | None, to: list[str]
) -> None:
    site = site_with(contact=contact, alerts_to=alerts_to)
    site.subscribe(ADA)
    site.post(f"{account()}/complain", data={"note": "You sold it."})
    assert [each["To"] for each in site.emails()] == to


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (" ", "Write what you’d like to complain about."),
        ("x" * (MAX_LENGTH + 1), "Shorten your complaint to 4,000 characters."),
    ],
)
def test_a_wrong_complaint_is_shown_again(site: Site, text: str, problem: str) -> None:
    page = Page(site.post(f"{account()}/complain", data={"note": text}), 400)
    assert page.title.startswith("Error: ")
    assert problem in page.text
    assert page.field("What went wrong?").text == (text.strip() or None)
    assert site.rows()["data_complaints"] == []


def test_too_many_complaints_are_refused(site: Site) -> None:
    statuses = [
        site.post(f"{account()}/complain", data={"note": "No."}).status_code
        for _ in range(MAX_OF_A_DAY + 1)
    ]
    assert statuses == [303] * MAX_OF_A_DAY + [429]
