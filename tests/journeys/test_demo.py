"""The demo, from its inbox to the next mailing."""

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests import processes

LONGEST_WAIT = 30  # seconds for a confirmation to arrive


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a demo that runs."""
    port = processes.free_port()
    folder = tmp_path_factory.mktemp("demo")
    with processes.running({}, "demo", "--port", str(port), cwd=folder) as running:
        base = f"http://localhost:{port}"
        processes.wait_until_answering(running, f"{base}/healthz")
        yield f"{base}/demo"


def arrives(page: Page, subject: str, times: int = 1) -> None:
    """Check for new mail until `subject` is there as often as it should."""
    for _ in range(LONGEST_WAIT):
        page.get_by_role("link", name="Check for new mail").click()
        if page.get_by_role("link", name=subject).count() >= times:
            return
        page.wait_for_timeout(1000)
    pytest.fail(f"no mail {subject!r}")


def send(page: Page, topic: str) -> None:
    page.get_by_role("button", name=f"Send {topic}").click()
    expect(page.get_by_role("status")).to_contain_text(f"{topic} went to ")


def test_who_leaves_by_the_mail_program_is_left_out_of_the_next_mailing(
    demo: str, page: Page
) -> None:
    page.goto(f"{demo}/inbox")
    page.get_by_role("link", name="the harbour is open again").click()
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("status")).to_contain_text("the sender answered 200")
    page.get_by_role("link", name="Back to the inbox").click()
    arrives(page, "You’re unsubscribed from Weekly news")
    send(page, "Weekly news")
    expect(page.get_by_role("status")).to_contain_text("Left out: 1 who left")
    expect(page.get_by_role("link", name="the harbour is open again")).to_have_count(1)


def follow(page: Page, name: str) -> Page:
    """Open a link of the mail that is shown, in a tab of its own as the mail program does."""
    page.wait_for_load_state("networkidle")
    frame = page.frame_locator("iframe")
    expect(frame.locator("base")).to_have_attribute("target", "_blank")
    href = frame.get_by_role("link", name=name).get_attribute("href")
    opened = page.context.new_page()
    opened.goto(href or "")
    return opened


def test_who_comes_back_by_the_confirmation_gets_the_next_mailing(demo: str, page: Page) -> None:
    page.goto(f"{demo}/inbox")
    page.get_by_role("link", name="letters that write themselves").click()
    opened = follow(page, "Unsubscribe")
    opened.get_by_role("button", name="Unsubscribe from Product news").click()
    opened.get_by_role("button", name="Undo").wait_for()
    page.goto(f"{demo}/inbox")
    arrives(page, "You’re unsubscribed from Product news")
    page.get_by_role("link", name="You’re unsubscribed from Product news").click()
    opened = follow(page, "Undo it")
    opened.get_by_role("button", name="Undo").click()
    opened.get_by_text("Everything is as it was").wait_for()
    page.goto(f"{demo}/inbox")
    send(page, "Product news")
    arrives(page, "letters that write themselves", times=2)


def test_the_source_of_a_mail_is_one_press_away(demo: str, page: Page) -> None:
    page.goto(f"{demo}/inbox")
    page.get_by_role("link", name="the harbour is open again").first.click()
    page.get_by_role("link", name="Show the source").click()
    source = page.get_by_role("region", name="Source")
    expect(source).to_contain_text("List-Unsubscribe-Post: List-Unsubscribe=One-Click")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_mail_program(
    demo: str, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    with browser.new_context(color_scheme=scheme, bypass_csp=True) as context:
        page = context.new_page()
        page.goto(f"{demo}/inbox")
        inbox: Any = Axe().run(page)
        page.get_by_role("link", name="the harbour is open again").first.click()
        page.wait_for_load_state()
        mail: Any = Axe().run(page)
        page.get_by_role("link", name="Show the source").click()
        page.wait_for_load_state()
        source: Any = Axe().run(page)
    assert [each.generate_snapshot() for each in (inbox, mail, source)] == ["", "", ""]


def test_the_mail_program_fits_a_phone(demo: str, page: Page) -> None:
    page.goto(f"{demo}/inbox")
    wide = [width(page)]
    for name in ("the harbour is open again", "Show the source"):
        page.get_by_role("link", name=name).first.click()
        page.wait_for_load_state()
        wide.append(width(page))
    assert wide == [320, 320, 320]


def width(page: Page) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth")
    return found
