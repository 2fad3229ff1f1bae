"""What a marketer and support do in the console, each with the keyboard only, in a real browser."""

import re
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest
from playwright.sync_api import Browser, BrowserContext, Download, Page, StorageState, expect
from sqlalchemy import update

from preference_center.store.tables import SavedExportRow, StaffRow
from tests.integration.journeys import console_stage, stage
from tests.integration.journeys.console_stage import (
    CAMPAIGN,
    CLEO,
    MAILCHIMP,
    NOW,
    WORDING,
    Installation,
    add_authenticator,
    make_passkey,
)
from tests.support import make, processes, smtp
from tests.support.keyboard import Keyboard
from tests.support.site import ALL, link

OURS = "Vielen Dank für Ihr Interesse an „Weekly news“ seit 2024."
THEIRS = "Danke, dass Sie %(topic)s seit %(year)s gelesen haben."
WEEK = timedelta(days=7)
BLUE, PURPLE = "rgb(31, 95, 191)", "rgb(122, 31, 162)"


@pytest.fixture(scope="module")
def mail_server() -> Iterator[smtp.Server]:
    with smtp.server() as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of saved exports."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def installed(
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    mail_server: smtp.Server,
    folder: Path,
) -> Iterator[Installation]:
    """Yield an installation with readers, two campaigns and a worker."""
    place = tmp_path_factory.mktemp("tasks")
    settings = {
        "SMTP_URL": mail_server.url,
        "MAIL_FROM": "news@mail.example.org",
        "EXPORTS_DIR": str(folder),
        "BRAND_ACCENT": "#1f5fbf",
    }
    with console_stage.installed(place, sqlite_template, **settings) as found:
        console_stage.fill(found, place)
        with processes.working(found.settings):
            yield found


@pytest.fixture(scope="module")
def signed_in(installed: Installation, browser: Browser) -> StorageState:
    """Return the cookie of an admin who may export."""
    with browser.new_context() as context:
        page = context.new_page()
        add_authenticator(page)
        make_passkey(installed, page, installed.invitation("--role", "admin", "--export"))
        return context.storage_state()


@pytest.fixture
def context(browser: Browser, signed_in: StorageState) -> Iterator[BrowserContext]:
    with browser.new_context(
        storage_state=signed_in, viewport={"width": 1280, "height": 800}
    ) as context:
        context.set_default_timeout(10_000)
        yield context


@pytest.fixture
def keyboard(installed: Installation, context: BrowserContext) -> Keyboard:
    return opened(installed, context)


def opened(installed: Installation, context: BrowserContext) -> Keyboard:
    """Open the console in a new tab."""
    page = context.new_page()
    page.goto(f"{installed.base}/console/")
    return Keyboard(page)


def find(keyboard: Keyboard, email: str) -> Page:
    """Open the page of a person."""
    keyboard.follow("People")
    expect(keyboard.page.get_by_label("Email address or subscriber id")).to_be_focused()
    keyboard.page.keyboard.type(email)
    keyboard.page.keyboard.press("Enter")
    expect(keyboard.page).to_have_title("Person – Console")
    return keyboard.page


def taken(keyboard: Keyboard, button: str) -> BytesIO:
    """Press a button that downloads a file, and return the file."""
    with keyboard.page.expect_download() as found:
        keyboard.press(button)
    download: Download = found.value
    return BytesIO(Path(download.path()).read_bytes())


def test_which_campaign_cost_most_readers_and_why(keyboard: Keyboard) -> None:
    costliest = keyboard.page.get_by_role("region", name="Which campaign cost most?")
    expect(costliest.get_by_role("row").nth(1)).to_contain_text(CAMPAIGN)
    keyboard.follow(CAMPAIGN)
    expect(keyboard.page.get_by_role("main")).to_contain_text("8 of 400 emailed")
    reasons = keyboard.page.get_by_role("region", name="Reasons given")
    expect(reasons.get_by_role("row").first).to_have_text(re.compile(r"Too many emails\s*7"))


def test_everybody_who_chose_weekly_for_a_topic_is_a_workbook(
    installed: Installation, context: BrowserContext, keyboard: Keyboard
) -> None:
    keyboard.follow("Exports")
    keyboard.choose("Topic", "Weekly news")
    keyboard.choose("How often", "at most once a week")
    keyboard.type("What is the file for?", "A letter to weekly readers")
    keyboard.press("Export")
    expect(keyboard.page).to_have_title("Export: Preferences – Console")
    keyboard.page.close()  # The work goes on.
    keyboard = opened(installed, context)
    keyboard.follow("Exports")
    keyboard.follow("Preferences", within=keyboard.page.get_by_role("table"))
    expect(keyboard.page.get_by_role("button", name="Download")).to_be_visible()  # By itself.
    rows = openpyxl.load_workbook(taken(keyboard, "Download")).worksheets[0].values
    header, *people = (list(row) for row in rows)
    assert [row[header.index("email")] for row in people] == [CLEO]


def test_a_german_sentence_is_changed_seen_and_put_back(
    installed: Installation, context: BrowserContext, keyboard: Keyboard
) -> None:
    with installed.database.transaction() as session:
        receipt = stage.leave(session, make.found(session, "reader99@example.org"))
    visitor, preview = context.new_page(), keyboard.page.frame_locator("iframe")
    seen = visitor.get_by_role("main")
    visitor.goto(f"{installed.base}{receipt}?lang=de")
    expect(seen).to_contain_text(OURS)

    keyboard.follow("Wording")
    keyboard.choose("Language", "Deutsch")
    keyboard.type("Words", "seit %(year)s")
    keyboard.press("Find")
    keyboard.follow("Vielen Dank")
    keyboard.type("Text", THEIRS)
    keyboard.press("Save draft")
    expect(preview.locator("main")).to_contain_text("gelesen haben.")
    visitor.reload()
    expect(seen).to_contain_text(OURS)
    keyboard.press("Publish the draft")
    expect(keyboard.page.get_by_role("status")).to_contain_text("Published.")
    visitor.reload()
    expect(seen).to_contain_text("Danke, dass Sie Weekly news seit 2024 gelesen haben.")
    keyboard.press("Put the standard text back")
    expect(preview.locator("main")).to_contain_text("Vielen Dank für Ihr Interesse")
    visitor.reload()
    expect(seen).to_contain_text(OURS)


def test_the_figures_of_the_week_are_chosen_and_emailed(
    installed: Installation, mail_server: smtp.Server, keyboard: Keyboard
) -> None:
    keyboard.follow("ada@example.org")
    wanted = keyboard.page.get_by_role("checkbox", name="the figures of the week")
    keyboard.reach(wanted)
    keyboard.page.keyboard.press("Space")
    keyboard.press("Save")
    keyboard.page.wait_for_load_state()
    expect(wanted).to_be_checked()
    with installed.database.transaction() as session:  # A Monday has passed.
        session.execute(update(StaffRow).values(figures_at=NOW - WEEK))

    def figures() -> str:
        """Return the text of the email with the figures, or ""; other tests send others."""
        sent = [each.message for each in mail_server.emails]
        texts = (each.get_body(("plain",)) for each in sent if each["To"] == "ada@example.org")
        return next(map(str, texts), "")

    with processes.working(installed.settings):  # It looks at once.
        processes.wait_for(figures, "the figures of the week")
    assert CAMPAIGN in figures()


def test_an_export_is_saved_and_appears_in_the_folder(
    installed: Installation, folder: Path, keyboard: Keyboard
) -> None:
    keyboard.follow("Exports")
    keyboard.type("What is the file for?", "The list of the shop")
    keyboard.press("Save: each week to the folder")
    saved = keyboard.page.get_by_role("row", name="The list of the shop").first
    expect(saved).to_contain_text("not yet")
    with installed.database.transaction() as session:  # A Monday has passed.
        session.execute(update(SavedExportRow).values(queued_at=NOW - WEEK))
    processes.wait_for(lambda: list(folder.glob("*.xlsx")), "no file")
    (file,) = folder.iterdir()
    rows = openpyxl.load_workbook(file).worksheets[0].values
    assert CLEO in {row[0] for row in rows}
    keyboard.page.reload()
    expect(saved).not_to_contain_text("not yet")
    keyboard.press("Stop Preferences")
    expect(keyboard.page.get_by_role("main")).to_contain_text("No export is saved.")


def test_the_colour_is_changed_seen_and_put_back(
    installed: Installation, context: BrowserContext, keyboard: Keyboard
) -> None:
    visitor = context.new_page()
    button = visitor.get_by_role("button", name=ALL)
    previewed = keyboard.page.frame_locator("iframe").get_by_role("button").first
    visitor.goto(installed.base + link(email="reader98@example.org"))
    expect(button).to_have_css("background-color", BLUE)

    keyboard.follow("Wording")
    keyboard.follow("Brand")
    keyboard.type("New colour", "#7a1fa2")
    keyboard.press("Save draft of the colour")
    expect(previewed).to_have_css("color", PURPLE)
    visitor.reload()
    expect(button).to_have_css("background-color", BLUE)
    keyboard.press("Publish the draft")
    expect(keyboard.page.get_by_role("status")).to_contain_text("Published.")
    visitor.reload()
    expect(button).to_have_css("background-color", PURPLE)
    keyboard.open("Versions of the colour")
    keyboard.press("Put the setting back")
    expect(previewed).to_have_css("color", BLUE)
    visitor.reload()
    expect(button).to_have_css("background-color", BLUE)


def test_the_proof_of_a_consent_is_found(keyboard: Keyboard) -> None:
    page = find(keyboard, CLEO)
    keyboard.follow("Consents")
    proof = page.locator("#consents")
    expect(proof).to_be_in_viewport()
    for text in ("Weekly news", "6\u00a0May\u00a02024", "a file of ours", "sign-up form", WORDING):
        expect(proof).to_contain_text(text)


def test_a_file_of_mailchimp_is_previewed_and_imported(
    installed: Installation, context: BrowserContext, keyboard: Keyboard
) -> None:
    keyboard.follow("Imports")
    keyboard.reach(keyboard.page.get_by_label("File", exact=True))
    file: Any = {"name": "mailchimp.zip", "mimeType": "application/zip", "buffer": MAILCHIMP}
    with keyboard.page.expect_file_chooser() as chooser:
        keyboard.page.keyboard.press("Enter")
    chooser.value.set_files(file)
    keyboard.choose("Topic", "Product news")
    keyboard.press("Upload and preview")
    expect(keyboard.page).to_have_title("mailchimp.zip – Console")
    keyboard.page.close()  # The work goes on.
    keyboard = opened(installed, context)
    keyboard.follow("Imports")
    keyboard.follow("mailchimp.zip")
    shown = keyboard.page.get_by_role("main")
    expect(shown).to_contain_text("Nothing has changed yet.")  # By itself.
    keyboard.press("Import now")
    expect(shown).to_contain_text("Imported on")
    page = find(keyboard, "new@example.org")
    expect(page.get_by_role("row", name="Product news")).to_contain_text("subscribed")


def test_a_person_is_unsubscribed_by_phone(keyboard: Keyboard) -> None:
    page = find(keyboard, "reader100@example.org")
    keyboard.mark("Everything, also later topics")
    keyboard.mark("By phone")
    keyboard.type("Note", "They were friendly.")
    keyboard.press("Unsubscribe")
    expect(page.get_by_role("status")).to_contain_text("Unsubscribed.")
    expect(page.locator("#history")).to_contain_text("They were friendly.")
    expect(page.get_by_role("row", name="Weekly news").first).to_contain_text("no: everything")


def test_why_an_email_was_sent_is_answered(keyboard: Keyboard) -> None:
    page = find(keyboard, CLEO)
    keyboard.follow("Why were they emailed?")
    keyboard.open("Subscribed on")
    row = page.get_by_role("row", name=CAMPAIGN)
    expect(row.get_by_text(WORDING)).to_be_visible()


def test_what_is_held_on_a_person_is_given_to_them(keyboard: Keyboard) -> None:
    find(keyboard, CLEO)
    keyboard.follow("Copy, correct, erase")
    with ZipFile(taken(keyboard, "Download the copy")) as copy:
        assert any(CLEO in copy.read(name).decode() for name in copy.namelist())
        assert "README.txt" in copy.namelist()
