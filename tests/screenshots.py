"""Take the pictures of the documentation: `python -m tests.screenshots`."""

import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from tests import processes
from tests.journeys import stage
from tests.journeys.conftest import QUIET, chromium

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
PHONE: ViewportSize = {"width": 390, "height": 720}
DESK: ViewportSize = {"width": 1100, "height": 720}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def main() -> None:
    """Write every picture anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=QUIET) as browser,
    ):
        with stage.letters(Path(folder), LANGUAGES="en") as letters:
            leave, goodbye = (letters.base + letters.pages[name] for name in ("leave", "goodbye"))
            for scheme in SCHEMES:
                take(browser, leave, f"leave-phone-{scheme}", PHONE, scheme)
                take(browser, leave, f"leave-desk-{scheme}", DESK, scheme)
                take(browser, goodbye, f"goodbye-phone-{scheme}", PHONE, scheme)
                take(browser, goodbye, f"goodbye-desk-{scheme}", DESK, scheme)
            preferences = letters.base + letters.pages["preferences"]
            take(browser, preferences, "preferences-desk-light", DESK, "light")
        port = processes.free_port()
        with processes.running({}, "demo", "--port", str(port), cwd=folder) as demo:
            base = f"http://localhost:{port}"
            processes.wait_until_answering(demo, f"{base}/healthz")
            take(browser, f"{base}/demo/inbox", "demo-inbox-light", DESK, "light")
            take(browser, f"{base}/demo/inbox", "demo-mail-light", DESK, "light", "harbour")


def take(
    browser: Browser,
    url: str,
    name: str,
    viewport: ViewportSize,
    scheme: Scheme,
    link: str | None = None,
) -> None:
    """Take one picture of a page, or of where its link with the text `link` leads."""
    with browser.new_page(viewport=viewport, color_scheme=scheme) as page:
        page.goto(url)
        if link is not None:
            page.get_by_role("link", name=link).click()
            page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
