"""Signing in with a passkey: what is accepted, and what an attacker would send."""

import re
from collections.abc import Mapping
from datetime import timedelta
from secrets import token_bytes
from typing import Any

import pytest
from werkzeug.test import TestResponse

from preference_center.core.staff import members, signing_in
from preference_center.core.staff_vocab import StaffRole
from tests.support.authenticator import PRESENT, VERIFIED, Authenticator
from tests.support.console import SECRET_KEY
from tests.support.site import ORIGIN, Site
from tests.support.web_fixtures import SiteMaker


class Browser:
    """A browser that has opened a page of the console and runs its script."""

    def __init__(self, site: Site, path: str = "/console/sign-in") -> None:
        self.client = site.app.test_client()
        page = self.client.get(path, base_url=ORIGIN).text
        self.token = page.partition('data-token="')[2].partition('"')[0]

    def post(self, path: str, **body: object) -> TestResponse:
        headers = {"X-CSRFToken": self.token}
        return self.client.post(path, base_url=ORIGIN, json=body, headers=headers)

    def options(self, path: str, **body: object) -> dict[str, Any]:
        response = self.post(f"{path}/options", **body)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.get_json()
        return found

    def is_signed_in(self) -> bool:
        return self.client.get("/console/me", base_url=ORIGIN).status_code == 200


@pytest.fixture
def site(site_with: SiteMaker) -> Site:
    return site_with(secret_key=SECRET_KEY)


def invitation(site: Site, email: str = "ada@example.org", role: str = "admin") -> str:
    with site.database.transaction() as session:
        return members.invite(session, email, StaffRole(role), site.now, by=None)[1]


def welcome(site: Site, passkey: Authenticator, token: str | None = None) -> Browser:
    """Create a passkey with an invitation, and return the browser, which is then signed in."""
    token, browser = token or invitation(site), Browser(site, "/console/welcome")
    answer = passkey.create(browser.options("/console/welcome", token=token))
    response = browser.post("/console/welcome", token=token, credential=answer, name="Phone")
    assert response.get_json() == {"location": "/console/"}
    return browser


def sign_in(site: Site, passkey: Authenticator, **changes: object) -> tuple[int, Browser]:
    browser = Browser(site)
    answer = passkey.get(browser.options("/console/sign-in"))
    return browser.post("/console/sign-in", credential={**answer, **changes}).status_code, browser


def test_a_passkey_is_made_with_an_invitation_and_signs_in(site: Site) -> None:
    passkey = Authenticator()
    assert welcome(site, passkey).is_signed_in()
    status, browser = sign_in(site, passkey)
    assert (status, browser.is_signed_in()) == (200, True)


def test_the_options_ask_for_a_discoverable_passkey_that_verifies_its_owner(site: Site) -> None:
    browser = Browser(site, "/console/welcome")
    public = browser.options("/console/welcome", token=invitation(site))["publicKey"]
    assert public["rp"]["id"] == "mail.example.org"
    chosen = public["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    public = browser.options("/console/sign-in")["publicKey"]
    assert (public["userVerification"], public.get("allowCredentials")) == ("required", None)


def test_an_invitation_is_not_replayed(site: Site) -> None:
    token = invitation(site)
    welcome(site, Authenticator(), token)
    browser = Browser(site, "/console/welcome")
    assert browser.post("/console/welcome/options", token=token).status_code == 422
    answer = Authenticator().create({"publicKey": {"user": {"id": "eA"}, "challenge": "eA"}})
    response = browser.post("/console/welcome", token=token, credential=answer)
    assert (response.status_code, browser.is_signed_in()) == (422, False)


def test_a_member_without_a_passkey_recovers_by_a_new_invitation(site: Site) -> None:
    welcome(site, Authenticator())
    with site.database.transaction() as session:
        _, token = members.invite(session, "ada@example.org", None, site.now, by=None)
    new = Authenticator()
    assert welcome(site, new, token).is_signed_in()
    assert sign_in(site, new)[0] == 200


ATTACKS: Mapping[str, Mapping[str, Any]] = {
    "another origin": {"origin": "https://evil.example.org"},
    "a port of the same host": {"origin": "https://mail.example.org:8443"},
    "without TLS": {"origin": "http://mail.example.org"},
    "another relying party": {"party": "example.org"},
    "without checking the owner": {"flags": PRESENT},
    "without anyone being present": {"flags": VERIFIED},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_passkey_is_not_made_by(site: Site, attack: str) -> None:
    token, browser = invitation(site), Browser(site, "/console/welcome")
    passkey = Authenticator(**ATTACKS[attack])
    answer = passkey.create(browser.options("/console/welcome", token=token))
    response = browser.post("/console/welcome", token=token, credential=answer)
    assert (response.status_code, browser.is_signed_in()) == (422, False)
    assert welcome(site, Authenticator(), token).is_signed_in()  # The invitation is still good.


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_passkey_does_not_sign_in_from(site: Site, attack: str) -> None:
    passkey = Authenticator()
    welcome(site, passkey)
    for name, value in ATTACKS[attack].items():
        setattr(passkey, name, value)
    status, browser = sign_in(site, passkey)
    assert (status, browser.is_signed_in()) == (422, False)


@pytest.mark.every_engine
@pytest.mark.parametrize("length", [0, 1024, 9000])
def test_a_passkey_with_an_impossible_id_is_refused(site: Site, length: int) -> None:
    token, browser = invitation(site), Browser(site, "/console/welcome")
    passkey = Authenticator(id=token_bytes(length))
    answer = passkey.create(browser.options("/console/welcome", token=token))
    assert browser.post("/console/welcome", token=token, credential=answer).status_code == 422


def test_an_answer_is_not_replayed(site: Site) -> None:
    passkey = Authenticator()
    welcome(site, passkey)
    browser = Browser(site)
    answer = passkey.get(browser.options("/console/sign-in"))
    assert browser.post("/console/sign-in", credential=answer).status_code == 200
    other = Browser(site)
    assert other.post("/console/sign-in", credential=answer).status_code == 422
    assert not other.is_signed_in()


def test_an_answer_after_five_minutes_is_refused(site: Site) -> None:
    passkey = Authenticator()
    welcome(site, passkey)
    browser = Browser(site)
    answer = passkey.get(browser.options("/console/sign-in"))
    site.now += timedelta(minutes=5)
    assert browser.post("/console/sign-in", credential=answer).status_code == 422


def test_an_answer_that_another_key_has_signed_is_refused(site: Site) -> None:
    passkey = Authenticator()
    welcome(site, passkey)
    passkey.key = Authenticator().key
    assert sign_in(site, passkey)[0] == 422


def test_a_passkey_does_not_sign_in_as_another_member(site: Site) -> None:
    passkey = Authenticator()
    welcome(site, passkey)
    passkey.user = b"another member"
    assert sign_in(site, passkey)[0] == 422


def test_a_copied_passkey_is_refused(site: Site) -> None:
    passkey = Authenticator(signatures=5)
    welcome(site, passkey)
    assert sign_in(site, passkey)[0] == 422
    passkey.signatures = 6
    assert sign_in(site, passkey)[0] == 200


@pytest.mark.parametrize("credential", [None, "x", [], {}, {"id": 1}, {"rawId": "", "response": 1}])
def test_a_malformed_answer_is_refused(site: Site, credential: object) -> None:
    for path in ("/console/sign-in", "/console/welcome"):
        response = Browser(site).post(path, credential=credential, token="x")
        assert response.status_code == 422, response.text


def test_a_client_that_tries_too_often_has_to_wait(site: Site) -> None:
    browser = Browser(site)
    statuses = [browser.post("/console/sign-in/options").status_code for _ in range(31)]
    assert statuses == [200] * 30 + [429]
    [(client, _, requests)] = site.rows()["staff_sign_ins"]  # Each process counts here.
    assert (len(client), requests) == (32, 30)
    site.now += signing_in.WINDOW
    assert browser.post("/console/sign-in/options").status_code == 200
    assert [row[2] for row in site.rows()["staff_sign_ins"]] == [1]


def test_a_further_passkey_is_added_and_removed(site: Site) -> None:
    browser = welcome(site, Authenticator())
    page = browser.client.get("/console/me", base_url=ORIGIN).text
    browser.token = page.partition('data-token="')[2].partition('"')[0]
    second = Authenticator()
    answer = second.create(browser.options("/console/me/passkeys"))
    assert (
        browser.post("/console/me/passkeys", credential=answer, name=" \ud800\0").status_code == 200
    )
    page = browser.client.get("/console/me", base_url=ORIGIN).text
    path = re.findall(r'action="(/console/me/passkeys/[^"]+/remove)"', page)[-1]
    response = browser.client.post(path, base_url=ORIGIN, data={"csrf_token": browser.token})
    assert response.status_code == 303
    assert page.count("/remove") == 2
    assert browser.client.get("/console/me", base_url=ORIGIN).text.count("/remove") == 0
