"""A browser, and servers with a subscriber in every state."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.integration.journeys import stage
from tests.integration.journeys.stage import Stage

QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",  # the sandbox needs privileges that a container often lacks
)


def chromium() -> str:
    """Return the path of an installed Chromium. Without one, skip locally and fail in CI."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail("no Chromium: apt-get install chromium")
    pytest.skip("no Chromium: apt-get install chromium")


@pytest.fixture(scope="module")  # its event loop occupies this thread while it runs
def browser() -> Iterator[Browser]:
    """Yield a browser that makes no requests of its own."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a company with a subscriber in every state."""
    with stage.letters(tmp_path_factory.mktemp("letters")) as staged:
        yield staged


@pytest.fixture(scope="session")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a company with one topic and very long names."""
    with stage.long_names(tmp_path_factory.mktemp("long")) as staged:
        yield staged


@pytest.fixture(scope="session")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a company whose database has failed."""
    with stage.trouble(tmp_path_factory.mktemp("trouble")) as staged:
        yield staged


@pytest.fixture(params=["letters", "long_names", "trouble"])
def staged(request: pytest.FixtureRequest) -> Stage:
    """Return each company in turn."""
    found: Stage = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Yield a phone: a separate browser profile, 320 px wide."""
    with browser.new_context(viewport={"width": 320, "height": 640}) as context:
        context.set_default_timeout(10_000)
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Return a page on that phone."""
    return context.new_page()
