"""Take the screenshots of the documentation: `python -m tests.screenshots`."""

import tempfile
from pathlib import Path
from typing import Literal
from urllib.request import urlopen

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from tests.integration.journeys import stage
from tests.integration.journeys.conftest import QUIET, chromium
from tests.support import processes

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
PHONE: ViewportSize = {"width": 390, "height": 720}
DESK: ViewportSize = {"width": 1100, "height": 720}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

# The name of a screenshot, and the page that it shows.
SCREENS = {
    "leave": "leave",
    "goodbye": "goodbye",
    "fewer": "receipt, weekly",
    "paused": "receipt, 2-weeks",
    "undo": "undo",
    "broken-link": "broken link",
    "preferences": "preferences",
    "confirm": "confirm",
}
IN_ARABIC_AND_GERMAN = ("leave", "goodbye", "preferences")


def main() -> None:
    """Take every screenshot again."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=QUIET) as browser,
    ):
        with stage.letters(Path(folder)) as letters:
            for name, page in SCREENS.items():
                take_all(browser, letters.base + letters.pages[page], name)
            for name in IN_ARABIC_AND_GERMAN:
                url = letters.base + letters.pages[SCREENS[name]]
                for language in ("ar", "de"):
                    file = f"{name}-{language}-phone-light"
                    take(browser, f"{url}?lang={language}", file, PHONE, "light")
        with stage.trouble(Path(folder)) as trouble:
            take_all(browser, trouble.base + trouble.pages["trouble"], "trouble")
        port = processes.free_port()
        with processes.running({}, "demo", "--port", str(port), cwd=folder) as demo:
            base = f"http://localhost:{port}"
            processes.wait_until_answering(demo, f"{base}/healthz", 3 * processes.MAX_START)
            for name in ("start", "inbox", "mailing", "report", "webhook"):
                if name == "mailing":
                    urlopen(f"{base}/demo/mailing", b"topic=offers").close()
                if name == "webhook":
                    for press in ("add", "leave", "stop", "undo", "leave"):
                        urlopen(f"{base}/demo/webhook/{press}", b"").close()
                page = "" if name == "start" else name
                take_all(browser, f"{base}/demo/{page}", f"demo-{name}")
            for name in ("", "campaigns"):
                take_all(browser, f"{base}/console/{name}", f"console-{name or 'overview'}")
            take(browser, f"{base}/demo/inbox", "demo-mail-desk-light", DESK, "light", "open again")


def take_all(browser: Browser, url: str, name: str) -> None:
    """Take a page in the size of a phone and of a desktop, in light and dark."""
    for scheme in SCHEMES:
        take(browser, url, f"{name}-phone-{scheme}", PHONE, scheme)
        take(browser, url, f"{name}-desk-{scheme}", DESK, scheme)


def take(
    browser: Browser,
    url: str,
    name: str,
    viewport: ViewportSize,
    scheme: Scheme,
    link: str | None = None,
) -> None:
    """Take one screenshot of a page, or of the page that its link with the text `link` opens."""
    with browser.new_page(viewport=viewport, color_scheme=scheme) as page:
        page.goto(url)
        if link is not None:
            page.get_by_role("link", name=link).click()
            page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    main()
