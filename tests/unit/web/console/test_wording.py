"""Wording: a German sentence is edited, previewed, published, seen by subscribers, and put back."""

import re
from collections.abc import Sequence
from functools import partial

import pytest
from sqlalchemy import select

from preference_center.core import edited_texts
from preference_center.core.staff_vocab import AuditAction
from preference_center.i18n.catalogue import Forms
from preference_center.i18n.edited import GOODBYE_NOTE, key_of
from preference_center.store.tables import AuditRow
from preference_center.web.console.samples import SHOWN as PREVIEWED
from tests.support import mailer, smtp
from tests.support.console import SECRET_KEY, Console
from tests.support.site import Site, link, lose_database, receipt
from tests.support.web_fixtures import SiteMaker

THANKS = "Thank you for reading %(topic)s since %(year)s."
STANDARD = "Vielen Dank für Ihr Interesse an „Weekly news“ seit 2025."
NEW = "Bis bald! <b>%(topic)s</b> {{ brand }}"
SHOWN = "Bis bald! &lt;b&gt;Weekly news&lt;/b&gt; {{ brand }}"
LANGUAGES = ("en", "de", "pl")
PREVIEW = "/console/wording/preview/de"


def text_of(english: str, language: str = "de") -> str:
    """Return the path of a text in the console."""
    return f"/console/wording/{language}/{key_of((english,))}"


class Clock:
    """A clock that only goes forward when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def marketer(site_with: SiteMaker) -> Console:
    """Return the console of a marketer, on a site where ada has left weekly-news."""
    notes = {"": "So long! Ada"}
    site = site_with(secret_key=SECRET_KEY, languages=LANGUAGES, smtp_url=None, goodbye_notes=notes)
    site.subscribe("ada@example.org")
    site.post(f"{link()}/leave", data={"scope": "topic"})
    return Console(site, "marketer")


def test_each_place_of_texts_has_a_name(marketer: Console) -> None:
    page = marketer.get("/console/wording").text
    assert re.findall(r">(?:[a-z_]+/[a-z_ ]+)<", page) == []


def goodbye(site: Site, language: str = "de") -> str:
    """Return the page after unsubscribing."""
    return site.get(f"{receipt(3)}?lang={language}").text


def draft_id(console: Console, path: str) -> str:
    found = re.search(r'name="draft" value="([^"]+)"', console.get(path).text)
    assert found is not None
    return found[1]


def save(console: Console, path: str, *forms: str) -> None:
    fields = {f"form-{index}": form for index, form in enumerate(forms)}
    assert console.post(f"{path}/draft", **fields).status_code == 303


def publish(console: Console, path: str, *forms: str) -> None:
    save(console, path, *forms)
    sent = console.post(f"{path}/publish", draft=draft_id(console, path))
    assert (sent.status_code, sent.location) == (303, f"{path}?said=published")


@pytest.mark.every_engine
def test_a_goodbye_sentence_is_changed_seen_and_put_back(marketer: Console) -> None:
    site, path = marketer.site, text_of(THANKS)
    assert path in marketer.get("/console/wording?lang=de&q=interesse").text
    assert path in marketer.get("/console/wording?lang=de&place=parts").text
    save(marketer, path, NEW)
    assert "Bis bald! &lt;b&gt;Product news" in marketer.get(f"{PREVIEW}/goodbye").text
    assert STANDARD in goodbye(site)
    assert marketer.post(f"{path}/publish", draft=draft_id(marketer, path)).status_code == 303
    assert SHOWN in goodbye(site)
    assert "Thank you for reading Weekly news since 2025." in goodbye(site, "en")
    marketer.post(f"{path}/restore")
    assert STANDARD in goodbye(site)
    marketer.post(f"{path}/restore", publication="1")
    assert SHOWN in goodbye(site)
    edited = [AuditAction.TEXT_DRAFTED, *3 * [AuditAction.TEXT_PUBLISHED]]
    assert [each for each, _ in marketer.actions()[1:]] == edited


def test_the_goodbye_note_is_edited_too_and_can_be_left_out(marketer: Console) -> None:
    site, path = marketer.site, text_of(GOODBYE_NOTE[0])
    assert "So long! Ada" in marketer.get(path).text
    publish(marketer, path, "Tschüss, 100 % <b>")
    assert "Tschüss, 100 % &lt;b&gt;" in goodbye(site)
    publish(marketer, path, "")
    assert "So long! Ada" not in goodbye(site)
    marketer.post(f"{path}/restore")
    assert "So long! Ada" in goodbye(site)


def test_the_ledger_keeps_the_text_that_was_shown_before_a_publication(marketer: Console) -> None:
    site, english = marketer.site, "Undo"
    page = site.page(f"{receipt(3)}?lang=de")
    publish(marketer, text_of(english), "Zurück!")
    assert site.page(f"{receipt(3)}?lang=de").buttons[0] == "Zurück!"
    site.press(page, "Rückgängig machen")
    ((digest, text),) = site.rows()["wordings"]
    assert digest.hex() == page.wording
    assert text == "Rückgängig machen"


@pytest.mark.every_engine
def test_another_process_shows_it_within_ten_seconds(
    marketer: Console, site_with: SiteMaker
) -> None:
    other, clock = site_with(languages=LANGUAGES), Clock()
    other.services.languages._seconds = clock
    assert STANDARD in goodbye(other)
    publish(marketer, text_of(THANKS), NEW)
    clock.seconds += 4.9
    assert STANDARD in goodbye(other)
    clock.seconds += 0.1
    assert SHOWN in goodbye(other)


def test_the_texts_known_last_are_shown_while_the_database_is_away(marketer: Console) -> None:
    site, languages, clock = marketer.site, marketer.site.services.languages, Clock()
    english = "We can’t show this page right now"
    languages._seconds = clock
    title = next(each for each in languages.messages.values() if english in each.english[0])
    publish(marketer, f"/console/wording/de/{title.key}", "Gerade geht es nicht")
    lose_database(site)
    site.database.keys_are_checked = True  # before it was lost
    languages._newer = partial(edited_texts.newer, site.database)
    clock.seconds += 60
    page = site.get(f"{link()}?lang=de")
    assert (page.status_code, "Gerade geht es nicht" in page.text) == (503, True)


@pytest.mark.every_engine
def test_pages_ask_for_published_texts_at_most_every_five_seconds(marketer: Console) -> None:
    languages, clock, asked = marketer.site.services.languages, Clock(), list[int]()
    look = languages._newer

    def counted(publication: int) -> Sequence[tuple[int, str, Forms, Forms]]:
        asked.append(publication)
        return look(publication)

    languages._newer = counted
    languages._seconds = clock
    for _ in range(5):
        goodbye(marketer.site)
        clock.seconds += 2.5
    assert len(asked) == 3


def test_a_fault_is_named_beside_the_field_and_nothing_is_stored(marketer: Console) -> None:
    path = text_of(THANKS)
    refused = marketer.post(f"{path}/draft", **{"form-0": "Danke, %(name)s"})
    assert refused.status_code == 422
    problem = refused.text.partition('id="problem-0"')[2].partition("</p>")[0]
    assert "has %(name)s, which its English text has not" in problem
    assert 'aria-describedby="problem-0">Danke, %(name)s</textarea>' in refused.text
    assert 'name="draft"' not in marketer.get(path).text


def test_a_text_is_previewed_where_it_appears(marketer: Console) -> None:
    page = marketer.get(text_of("Once a month.")).text
    assert "No preview has this text" in page
    page = marketer.get(text_of(THANKS)).text
    assert "show=goodbye" in page
    assert "show=change_notice" in page
    assert "show=unsubscribe" not in page


def test_each_plural_form_of_a_language_is_edited(marketer: Console) -> None:
    languages = marketer.site.services.languages
    plural = next(each for each in languages.messages.values() if len(each.english) == 2)
    path = f"/console/wording/pl/{plural.key}"
    assert "for the numbers 2, 3, 4, 22 …<" in marketer.get(path).text
    publish(marketer, path, "a", "b", "c")
    assert languages.current("pl", plural.english) == ("a", "b", "c")


def test_only_the_draft_that_was_seen_is_published(marketer: Console) -> None:
    path = text_of(THANKS)
    save(marketer, path, NEW)
    seen = draft_id(marketer, path)
    save(marketer, path, "Etwas anderes")
    refused = marketer.post(f"{path}/publish", draft=seen)
    assert (refused.status_code, "look at it again" in refused.text) == (422, True)
    assert STANDARD in goodbye(marketer.site)
    before = len(marketer.actions())
    for _ in range(2):  # The second one changes nothing.
        marketer.post(f"{path}/discard")
    assert 'name="draft"' not in marketer.get(path).text
    assert len(marketer.actions()) == before + 1


def test_a_preview_runs_nothing_and_leads_nowhere(site_with: SiteMaker) -> None:
    site = site_with(secret_key=SECRET_KEY, languages=LANGUAGES)
    console = Console(site, "marketer")
    for slug in ("weekly-news", "product-news"):  # First without a topic.
        for path in (f"{name}?part={part}" for name in PREVIEWED for part in ("html", "text")):
            preview = console.get(f"{PREVIEW}/{path}&dark=1")
            policy = preview.headers["Content-Security-Policy"]
            assert {"default-src 'none'", "sandbox"} <= set(policy.split("; "))
            assert "prefers-color-scheme" not in preview.text
            targets = re.findall(r'(?:href|action)="([^"]*)"', preview.text)
            assert [each for each in targets if each.startswith("/")] == []
        site.add_topic(slug)


def test_a_test_email_has_the_draft_and_goes_to_the_member_only(site_with: SiteMaker) -> None:
    sender = {"mail_from": "letters@example.org", "envelope_from": "bounces@example.org"}
    with smtp.server() as server:
        site = site_with(secret_key=SECRET_KEY, languages=LANGUAGES, smtp_url=server.url, **sender)
        console, path = Console(site, "marketer"), text_of("Hello,")
        save(console, path, "Moin!")
        sent = console.post(f"{PREVIEW}/change_notice/send", message=key_of(("Hello,",)))
    assert (sent.status_code, sent.location) == (303, f"{path}?show=change_notice&said=sent")
    (email,) = server.emails
    assert (email.sender, email.recipients) == ("bounces@example.org", ["marketer@example.org"])
    assert "Moin!" in mailer.plain(email.message)
    assert [each for each, _ in console.actions()[1:]] == [
        AuditAction.TEXT_DRAFTED,
        AuditAction.TEST_SENT,
    ]
    with site.database.reading() as session:
        assert "@" not in " ".join(session.scalars(select(AuditRow.details)))


def test_without_smtp_no_test_email_is_sent(marketer: Console) -> None:
    assert "SMTP_URL" in marketer.get(f"{text_of(THANKS)}?show=change_notice").text
    assert marketer.post(f"{PREVIEW}/change_notice/send", message="x").status_code == 404


def test_there_is_no_other_language_text_or_preview(marketer: Console) -> None:
    for path in ("?lang=xx", "/de/0", f"/xx/{key_of((THANKS,))}", "/preview/xx/goodbye"):
        assert marketer.get(f"/console/wording{path}").status_code == 404
    assert marketer.get(f"{PREVIEW}/nothing").status_code == 404
