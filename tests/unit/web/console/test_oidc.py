"""Signing in with an OpenID provider: identities are bound at invitation, and what is refused."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from werkzeug.test import TestResponse

from preference_center.core.staff import identities, members
from preference_center.core.staff.identities import Identity
from preference_center.core.staff_vocab import StaffRole
from preference_center.settings.settings import OidcSettings
from tests.support import openid
from tests.support.console import SECRET_KEY
from tests.support.openid import Claims, Provider
from tests.support.site import ORIGIN, Site
from tests.support.web_fixtures import SiteMaker


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with openid.running() as provider:
        yield provider


@pytest.fixture
def site(site_with: SiteMaker, provider: Provider) -> Site:
    provider.claims, provider.forge, provider.subject = {}, None, "1001"
    oidc = OidcSettings(
        issuer=provider.issuer, client_id=openid.CLIENT, client_secret=openid.SECRET, name="Staff"
    )
    return site_with(secret_key=SECRET_KEY, oidc=oidc)


def start(client: FlaskClient, invitation: str = "") -> str:
    """Press the button, and return the address at the provider to which it leads."""
    page = client.get("/console/welcome", base_url=ORIGIN).text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    data = {"csrf_token": found[1], "token": invitation}
    leads_on = client.post("/console/oidc", base_url=ORIGIN, data=data).text
    target = re.search(r'content="0; url=([^"]+)"', leads_on)
    assert target is not None
    return unescape(target[1])


def sign_in(site: Site, provider: Provider, invitation: str = "") -> tuple[TestResponse, Any]:
    client = site.app.test_client()
    query = provider.consent(start(client, invitation))
    response = client.get("/console/oidc/callback", base_url=ORIGIN, query_string=query)
    return response, client


def invitation(site: Site, email: str = "ada@example.org") -> str:
    with site.database.transaction() as session:
        return members.invite(session, email, StaffRole.ADMIN, site.now, by=None)[1]


def test_an_identity_is_bound_at_invitation_and_signs_in(site: Site, provider: Provider) -> None:
    response, client = sign_in(site, provider, invitation(site))
    assert (response.status_code, response.location) == (303, "/console/")
    assert "ada@example.org" in client.get("/console/me", base_url=ORIGIN).text
    response, client = sign_in(site, provider)
    assert client.get("/console/me", base_url=ORIGIN).status_code == 200


def test_the_request_has_pkce_state_nonce_and_asks_for_no_address(
    site: Site, provider: Provider
) -> None:
    provider.consent(start(site.app.test_client()))
    asked = provider.asked
    assert asked["code_challenge_method"] == "S256"
    assert (asked["response_type"], asked["scope"]) == ("code", "openid")
    assert min(len(asked[name]) for name in ("code_challenge", "state", "nonce")) >= 20
    assert asked["redirect_uri"] == f"{ORIGIN}/console/oidc/callback"


def test_an_unknown_identity_is_refused_whatever_address_it_reports(
    site: Site, provider: Provider
) -> None:
    sign_in(site, provider, invitation(site))
    provider.subject, provider.claims = "1002", {"email": "ada@example.org", "email_verified": True}
    response, client = sign_in(site, provider)
    assert response.status_code == 422
    assert client.get("/console/me", base_url=ORIGIN).status_code == 303


def test_an_identity_belongs_to_one_member(site: Site, provider: Provider) -> None:
    sign_in(site, provider, invitation(site))
    response, _ = sign_in(site, provider, invitation(site, "bob@example.org"))
    assert response.status_code == 422
    assert "Another member" in response.text


def test_a_removed_member_has_no_identity(site: Site, provider: Provider) -> None:
    sign_in(site, provider, invitation(site))
    with site.database.transaction() as session:
        bob, _ = members.invite(session, "bob@example.org", StaffRole.ADMIN, site.now, by=None)
        identities.bind(session, bob, Identity(provider.issuer, "1002"), site.now)
        members.remove(session, "ada@example.org", by=None, now=site.now)
    assert sign_in(site, provider)[0].status_code == 422


def public_key(provider: Provider) -> bytes:
    return provider.key.as_pem(private=False)


OTHER_KEY = RSAKey.generate_key(2048, {"kid": "1"})
FORGERIES: dict[str, Callable[[Provider, Claims], object]] = {
    "no signature": lambda _, claims: openid.with_hmac(b"", claims),
    "signed with the client's secret": lambda _, claims: openid.with_hmac(
        openid.SECRET.encode(), claims
    ),
    "signed with the public key": lambda provider, claims: openid.with_hmac(
        public_key(provider), claims
    ),
    "another key": lambda _, claims: openid.signed_by(OTHER_KEY, claims),
    "an unknown key id": lambda provider, claims: openid.signed_by(provider.key, claims, "2"),
    "no text": lambda _, claims: claims,
}
CLAIMS: dict[str, Claims] = {
    "another issuer": {"iss": "https://evil.example.org"},
    "another audience": {"aud": "another"},
    "another audience and our party": {"aud": ["another"], "azp": openid.CLIENT},
    "two audiences without a party": {"aud": [openid.CLIENT, "another"]},
    "two audiences and another party": {"aud": [openid.CLIENT, "another"], "azp": "another"},
    "an old token": {"exp": 1_000_000_000},
    "no end": {"exp": openid.ABSENT},
    "no nonce": {"nonce": openid.ABSENT},
    "another nonce": {"nonce": "replayed"},
    "no subject": {"sub": None},
    "another subject": {"sub": "1002"},
    "a subject that cannot be stored": {"sub": "1001\0"},
    "a subject that is too long": {"sub": "1" * 256},
}


def test_no_forged_token_signs_in(
    site: Site, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(site, provider, invitation(site))
    for attack in (*FORGERIES, *CLAIMS):
        forge = FORGERIES.get(attack)
        provider.forge = partial(forge, provider) if forge else None
        provider.claims = CLAIMS.get(attack, {})
        caplog.clear()
        response, client = sign_in(site, provider)
        assert_refused(response, client, caplog, attack)


def assert_refused(
    response: TestResponse,
    client: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    attack: str = "",
) -> None:
    """Check the page in words, and the one line of the log, which quotes nothing."""
    assert response.status_code == 422, (attack, response.text)
    found = re.search(r'class="problem">((The provider|This account)[^<]+)\.</p>', response.text)
    assert found is not None, (attack, response.text)
    why = f"{found[1][0].lower()}{found[1][1:]}"
    assert caplog.messages == [f"sign-in with the OpenID provider: {why}"], attack
    assert not re.search(r"100\d|[0-9a-f]{16}|evil|@", caplog.text)
    assert client.get("/console/me", base_url=ORIGIN).status_code == 303, attack


def test_a_code_of_another_browser_is_refused(
    site: Site, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(site, provider, invitation(site))
    code = provider.consent(start(site.app.test_client()))["code"]
    victim = site.app.test_client()
    query = {**provider.consent(start(victim)), "code": code}
    response = victim.get("/console/oidc/callback", base_url=ORIGIN, query_string=query)
    assert_refused(response, victim, caplog)


def test_a_callback_is_answered_once(
    site: Site, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(site, provider, invitation(site))
    client = site.app.test_client()
    query = provider.consent(start(client))
    cookie = client.get_cookie("__Host-console", domain="mail.example.org")
    assert cookie is not None
    client.get("/console/oidc/callback", base_url=ORIGIN, query_string=query)
    for replayed in (None, cookie.value):  # The cookie after it, and the one before it.
        other = site.app.test_client()
        if replayed is not None:
            other.set_cookie("__Host-console", replayed, domain="mail.example.org", secure=True)
        caplog.clear()
        response = other.get("/console/oidc/callback", base_url=ORIGIN, query_string=query)
        assert_refused(response, other, caplog)


def test_a_callback_of_another_browser_is_refused(site: Site, provider: Provider) -> None:
    query = provider.consent(start(site.app.test_client(), invitation(site)))
    victim = site.app.test_client()
    start(victim)
    response = victim.get("/console/oidc/callback", base_url=ORIGIN, query_string=query)
    assert response.status_code == 422
    assert victim.get("/console/me", base_url=ORIGIN).status_code == 303


@pytest.mark.parametrize(
    "query", [{}, {"error": "access_denied"}, {"error": "Call 1001"}, {"code": "x", "state": "y"}]
)
def test_a_callback_without_a_request_is_refused(
    site: Site, query: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    response = site.get("/console/oidc/callback", query_string=query)
    assert_refused(response, site.app.test_client(), caplog)
    assert "1001" not in response.text


def test_without_a_provider_there_is_no_button(site_with: SiteMaker) -> None:
    site = site_with(secret_key=SECRET_KEY)
    assert "/console/oidc" not in site.get("/console/sign-in").text
    assert site.get("/console/oidc/callback").status_code == 422
