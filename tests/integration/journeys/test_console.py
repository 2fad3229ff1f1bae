"""The console in a real browser: a passkey of a virtual authenticator signs in and out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.journeys.test_axe import COLOURS, EVERY_RULE, report
from tests.support import make, processes
from tests.support.console import SECRET_KEY

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
NAMES = ("", "me", "staff", "audit", "operations", "keys", "webhooks", "settings", "complaints")
BRAND = ("brand", "reasons/offered")
PAGES = tuple(f"/console/{name}" for name in (*NAMES, *BRAND))
SMALL, LARGE = {"width": 320, "height": 640}, {"width": 1280, "height": 800}


class Installation:
    """A server at `localhost`, whose passkeys are created for that host."""

    def __init__(self, settings: dict[str, str], base: str) -> None:
        self.settings, self.base = settings, base

    def invitation(self, *options: str) -> str:
        invited = processes.run(self.settings, "staff", "invite", "ada@example.org", *options)
        assert invited.returncode == 0, invited.stderr
        return invited.stdout.decode().strip()


@pytest.fixture(scope="module")
def installed(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    path, port = tmp_path_factory.mktemp("console") / "console.db", processes.free_port()
    path.write_bytes(sqlite_template.read_bytes())
    base = f"http://localhost:{port}"
    settings = make.environment(
        DATABASE_URL=f"sqlite:///{path}", PUBLIC_URL=base, SECRET_KEY=SECRET_KEY
    )
    with processes.serving(settings, port):
        yield Installation(settings, base)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Yield a page whose browser has an authenticator, and no cookie."""
    with browser.new_context(viewport=LARGE, bypass_csp=False) as context:  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        page = context.new_page()
        tools = context.new_cdp_session(page)
        tools.send("WebAuthn.enable")
        tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        yield page


def make_passkey(installed: Installation, page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Create a passkey").click()
    page.wait_for_url(f"{installed.base}/console/")


def test_a_member_signs_in_out_and_recovers(installed: Installation, page: Page) -> None:
    link = installed.invitation("--role", "admin")
    make_passkey(installed, page, link)
    page.get_by_role("button", name="Sign out").press("Enter")  # By keyboard.
    expect(page).to_have_title("Sign in – Console")
    page.goto(f"{installed.base}/console/staff")
    expect(page).to_have_title("Sign in – Console")
    page.get_by_role("button", name="Sign in with a passkey").press("Enter")
    page.wait_for_url(f"{installed.base}/console/")

    page.context.clear_cookies()
    page.goto("about:blank")
    page.goto(link)  # It was used.
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This link was used")
    page.goto("about:blank")
    page.goto(installed.invitation())  # This authenticator has a passkey of Ada's already.
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("has a passkey for you already")


def test_the_pages_have_no_faults_of_accessibility(
    installed: Installation, browser: Browser, page: Page
) -> None:
    make_passkey(installed, page, installed.invitation("--role", "admin"))
    with browser.new_context(storage_state=page.context.storage_state(), bypass_csp=True) as other:
        page, found = other.new_page(), {}
        for path in PAGES:
            page.emulate_media(color_scheme="light")
            assert page.goto(installed.base + path).status == 200  # type: ignore[union-attr]
            found[path] = report(page, EVERY_RULE)
            page.emulate_media(color_scheme="dark")
            found[f"{path}, dark"] = report(page, COLOURS)
            page.set_viewport_size(SMALL)  # type: ignore[arg-type]
            assert page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"], path
            page.set_viewport_size(LARGE)  # type: ignore[arg-type]
    assert {name: text for name, text in found.items() if text} == {}
