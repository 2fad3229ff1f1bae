"""The demo, from its inbox to the next mailing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.journeys.test_axe import COLOURS, EVERY_RULE, report
from tests.support import processes

MAX_WAIT = 30  # seconds for a change notice to arrive
MAX_START = 90.0  # seconds: half a year of data takes long on a busy machine
READER = "ada@example.org"
SCREENS = (320, 768, 1280)  # px: a phone, a tablet, a desktop
PAGES = ("start", "inbox", "email", "source", "mailing", "report", "webhook", "doctor")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a running demo, which several tests share."""
    with running_demo(tmp_path_factory.mktemp("demo")) as url:
        yield url


@contextmanager
def running_demo(folder: Path) -> Iterator[str]:
    """Yield the URL of a demo in `folder`."""
    port = processes.free_port()
    with processes.running({}, "demo", "--port", str(port), cwd=folder) as running:
        base = f"http://localhost:{port}"
        processes.wait_until_answering(running, f"{base}/healthz", MAX_START)
        yield f"{base}/demo"


def wait_for_email(page: Page, subject: str, times: int = 1) -> None:
    """Check for new email until `subject` has arrived `times` times."""
    for _ in range(MAX_WAIT):
        page.get_by_role("link", name="Check for new email").click()
        if page.get_by_role("link", name=subject).count() >= times:
            return
        page.wait_for_timeout(1000)
    pytest.fail(f"no email {subject!r}")


def send(page: Page, topic: str) -> None:
    page.get_by_role("button", name=f"Send {topic}").click()
    expect(page.get_by_role("status")).to_contain_text(f"{topic} went to ")


def test_the_six_steps_tick_themselves_off(tmp_path: Path, page: Page) -> None:
    with running_demo(tmp_path) as demo:
        steps = page.get_by_role("main").get_by_role("list").first.locator("> li")
        ticked = page.get_by_text("Done", exact=True)
        page.goto(f"{demo}/")
        expect(steps).to_have_count(6)
        expect(ticked).to_have_count(0)
        # 1: leave by the button beside the sender
        page.get_by_role("link", name="Open Ada’s email").click()
        page.get_by_role("button", name="Unsubscribe").click()
        expect(page.get_by_role("status")).to_contain_text("the sender answered 200")
        expect(page.get_by_role("button", name="Unsubscribe")).to_have_count(0)
        # 2: the confirmation comes without a reload
        confirmation = page.get_by_role("link", name="The confirmation has arrived")
        confirmation.click(timeout=MAX_WAIT * 1000)
        page.get_by_role("heading", name="You’re unsubscribed from Weekly news").wait_for()
        # 3: the next mailing leaves her out
        page.get_by_role("navigation").get_by_role("link", name="Six steps").click()
        page.get_by_role("button", name="Send Weekly news").click()
        expect(steps.nth(2)).to_contain_text(f"{READER} has left it")
        expect(ticked).to_have_count(3)
        # 4: an altered row is found
        page.get_by_role("button", name="Alter one row").click()
        expect(steps.nth(3)).to_contain_text("row 4 was altered")
        page.get_by_role("button", name="Restore it").click()
        expect(steps.nth(3)).to_contain_text("none was altered, and none is missing")
        # 5: the database is locked, and the unsubscribe is kept
        page.get_by_role("button", name="Stop the database").click()
        expect(steps.nth(4)).to_contain_text("was answered 200")
        applied = steps.nth(4).get_by_text("the unsubscribe was applied")
        applied.wait_for(timeout=MAX_WAIT * 1000)
        expect(ticked).to_have_count(5)
        # 6: a program is stopped, and its events come again, in order
        page.get_by_role("link", name="Open the webhook").click()
        deliver_again(page)
        page.get_by_role("navigation").get_by_role("link", name="Six steps").click()
        expect(steps.nth(5)).to_contain_text("was delivered again")
        expect(ticked).to_have_count(6)


def deliver_again(page: Page) -> None:
    """Add the webhook, let an event arrive, and stop the program during the next two."""
    button, main, seconds = page.get_by_role("button"), page.get_by_role("main"), MAX_WAIT * 1000
    posted = page.locator("section", has=page.get_by_role("heading", name="What was posted"))
    line = re.compile(r"(topic\.\w+) · Weekly news · row (\d+) · \S+@\S+\s+\S+ UTC: answered (\d+)")

    def requests() -> list[tuple[str, int, str]]:
        """Return the event, the row and the answer of each request, newest first."""
        found = line.findall(" ".join(posted.inner_text().split()))
        return [(event, int(row), status) for event, row, status in found]

    button.filter(has_text="Add the webhook").click()
    button.filter(has_text="Unsubscribe from Weekly news").click()
    posted.get_by_text("answered 204").wait_for(timeout=seconds)
    ((event, row, _),) = requests()
    assert event == "topic.stopped"
    signed = page.get_by_role("region", name="Request")
    expect(signed.locator("mark")).to_contain_text("webhook-signature: v1,")
    expect(signed).to_contain_text('"type":"topic.stopped"')
    assert "@" not in signed.inner_text()
    button.filter(has_text="Stop the program").click()
    button.filter(has_text="Undo").click()
    posted.get_by_text("answered 503").first.wait_for(timeout=seconds)
    expect(main).to_contain_text(re.compile("The next attempt is due at ..:..:.. UTC"))
    expect(page.locator("dl")).to_have_text(
        re.compile("Preference center.*gets Weekly news.*program.*has left Weekly news", re.DOTALL)
    )
    button.filter(has_text="Unsubscribe from Weekly news").click()
    main.get_by_text(f"It waits for row {row + 1}").wait_for(timeout=seconds)
    button.filter(has_text="Start the program").click()
    again = posted.get_by_role("listitem").filter(has_text=f"row {row + 2}")
    again.wait_for(timeout=seconds)
    newest, before = requests()[:2]
    assert newest == ("topic.stopped", row + 2, "204")
    assert before == ("topic.started", row + 1, "204")
    assert ("topic.started", row + 1, "503") in requests()


def test_unsubscribing_in_the_email_program_affects_the_next_mailing(demo: str, page: Page) -> None:
    page.goto(f"{demo}/inbox")
    page.get_by_role("link", name="the harbour is open again").click()
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("status")).to_contain_text("the sender answered 200")
    page.get_by_role("link", name="Back to the inbox").click()
    wait_for_email(page, "You’re unsubscribed from Weekly news")
    send(page, "Weekly news")
    expect(page.get_by_role("status")).to_contain_text(f"{READER} has left it")
    expect(page.get_by_role("link", name="Weekly news: ")).to_have_count(1)


def follow(page: Page, name: str) -> Page:
    """Open a link in the displayed email in a new tab, as an email program does."""
    page.wait_for_load_state("networkidle")
    frame = page.frame_locator("iframe")
    expect(frame.locator("base")).to_have_attribute("target", "_blank")
    href = frame.get_by_role("link", name=name).get_attribute("href")
    opened = page.context.new_page()
    opened.goto(href or "")
    return opened


def test_undoing_from_the_change_notice_affects_the_next_mailing(demo: str, page: Page) -> None:
    page.goto(f"{demo}/inbox")
    page.get_by_role("link", name="letters that write themselves").click()
    opened = follow(page, "Unsubscribe")
    opened.get_by_role("button", name="Unsubscribe from Product news").click()
    opened.get_by_role("button", name="Undo").wait_for()
    page.goto(f"{demo}/inbox")
    wait_for_email(page, "You’re unsubscribed from Product news")
    page.get_by_role("link", name="You’re unsubscribed from Product news").click()
    opened = follow(page, "Undo it")
    opened.get_by_role("button", name="Undo").click()
    opened.get_by_text("Everything is as it was").wait_for()
    page.goto(f"{demo}/inbox")
    send(page, "Product news")
    expect(page.get_by_role("status")).to_contain_text(f"{READER} got it")
    wait_for_email(page, "a calendar for your readers")


def test_asking_for_less_affects_the_next_mailing(demo: str, page: Page) -> None:
    page.goto(f"{demo}/inbox")
    page.get_by_role("link", name="two coffees for one").click()
    opened = follow(page, "Unsubscribe")
    opened.locator("input[value=weekly]").check()
    opened.locator("form[action*='/less'] button").click()
    opened.get_by_role("button", name="Undo").wait_for()
    opened.close()  # Chromium may abort a navigation of a tab behind another one.
    page.goto(f"{demo}/inbox")
    page.get_by_role("navigation").get_by_role("link", name="Next mailing").click()
    page.get_by_role("button", name="Send Harbour offers").click()
    status = page.get_by_role("status")
    # Whether the latest offers came within the week depends on the date.
    expect(status).to_contain_text("Harbour offers went to ")
    page.wait_for_timeout(1100)  # mailings are named by the second
    page.get_by_role("button", name="Send Harbour offers").click()
    expect(status).to_contain_text(
        f"{READER} asked for fewer emails, and may have the next one from"
    )
    expect(page.get_by_role("row").filter(has_text="Harbour offers")).to_have_count(2)


def test_the_report_counts_a_change_immediately(demo: str, page: Page) -> None:
    page.goto(f"{demo}/report")
    paused = page.locator("#topic-product-news ~ dl div", has_text="Paused").locator(
        "dd:not(.soft)"
    )
    before = int(paused.inner_text())
    page.goto(f"{demo}/inbox")
    page.get_by_role("link", name="letters that write themselves").click()
    opened = follow(page, "Unsubscribe")
    opened.locator("input[value='2-weeks']").check()
    opened.locator("form[action*='/less'] button").click()
    opened.get_by_role("button", name="Undo").wait_for()
    page.get_by_role("navigation").get_by_role("link", name="Report").click()
    expect(paused).to_have_text(str(before + 1))


def test_the_readers_preferences_are_one_click_away_and_lead_back(demo: str, page: Page) -> None:
    page.goto(f"{demo}/report")
    page.get_by_role("link", name="Ada’s preferences").click()
    page.get_by_role("heading", name="Your email preferences").wait_for()
    page.get_by_role("link", name="Back to the inbox").click()
    page.get_by_role("heading", name="Inbox").wait_for()


def test_the_doctor_first_shows_an_email_that_passes(demo: str, page: Page) -> None:
    page.goto(f"{demo}/report")
    page.get_by_role("navigation").get_by_role("link", name="Doctor").click()
    verdict = page.get_by_role("status")
    expect(verdict).to_have_text(re.compile("would show the one-click button. Failures: 0."))
    page.get_by_role("button", name="Check it").click()  # as pasted
    expect(verdict).to_have_text(re.compile("would show the one-click button. Failures: 0."))
    page.get_by_role("link", name="A good email").click()
    page.get_by_role("link", name="Not signed").click()
    expect(verdict).to_contain_text("would show no button")
    page.get_by_role("link", name="Rewritten by a provider").click()
    expect(page.get_by_role("main")).to_contain_text("unsubscribes go to them, not to you")


def test_the_source_of_an_email_is_one_click_away(demo: str, page: Page) -> None:
    page.goto(f"{demo}/inbox")
    page.get_by_role("link", name="the harbour is open again").first.click()
    page.get_by_role("link", name="Show the source").click()
    source = page.get_by_role("region", name="Source")
    expect(source).to_contain_text("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    marked = [text.partition(":")[0] for text in source.locator("mark").all_inner_texts()]
    assert marked == ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"]


def test_axe_finds_nothing_in_the_demo_and_it_fits_every_screen(
    demo: str, browser: Browser
) -> None:
    found, widths = {}, {}
    with browser.new_context(bypass_csp=True) as context:
        page = context.new_page()
        for name in PAGES:
            page.emulate_media(color_scheme="light")
            open_page(demo, page, name)
            found[name] = report(page, EVERY_RULE)
            page.emulate_media(color_scheme="dark")
            found[f"{name}, dark"] = report(page, COLOURS)
            for wide in SCREENS:
                page.set_viewport_size({"width": wide, "height": 640})
                widths[name, wide] = width(page)
    assert {name: text for name, text in found.items() if text} == {}
    assert {each for each, shown in widths.items() if shown != each[1]} == set()


def open_page(demo: str, page: Page, name: str) -> None:
    """Open one of `PAGES`; send a mailing if the page of mailings is empty."""
    own = {"start": "", "email": "inbox", "source": "inbox"}
    page.goto(f"{demo}/{own.get(name, name)}")
    while page.locator("meta[http-equiv=refresh]").count():  # An email is on its way.
        page.wait_for_timeout(500)
    if name in ("email", "source"):
        page.get_by_role("link", name="the harbour is open again").first.click()
    if name == "source":
        page.get_by_role("link", name="Show the source").click()
    if name == "webhook" and page.get_by_role("button", name="Add the webhook").count():
        page.get_by_role("button", name="Add the webhook").click()
        page.get_by_role("button", name="Unsubscribe from").click()
        page.get_by_text("answered 204").first.wait_for(timeout=MAX_WAIT * 1000)
    if name == "mailing" and not page.get_by_role("table").count():
        page.get_by_role("button", name="Send Product news").click()
        page.get_by_role("table").wait_for()
    page.wait_for_load_state()


def width(page: Page) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth")
    return found
