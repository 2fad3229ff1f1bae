"""Signing in with an OpenID provider: identities are bound at invitation, and what is refused."""

import re
from collections.abc import Callable, Iterator
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
from tests.support.openid import Provider
from tests.support.site import ORIGIN, Site
from tests.support.web_fixtures import SiteMaker


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with openid.running() as provider:
        yield provider


@pytest.fixture
def site(site_with: SiteMaker, provider: Provider) -> Site:
    provider.claims, provider.signing_key, provider.subject = {}, None, "1001"
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


ATTACKS: dict[str, Callable[[Provider], object]] = {
    "another issuer": lambda provider: provider.claims.update(iss="https://evil.example.org"),
    "another audience": lambda provider: provider.claims.update(aud="another-client"),
    "another nonce": lambda provider: provider.claims.update(nonce="replayed"),
    "an old token": lambda provider: provider.claims.update(exp=1_000_000_000),
    "no subject": lambda provider: provider.claims.update(sub=None),
    "another key": lambda provider: setattr(
        provider, "signing_key", RSAKey.generate_key(2048, {"kid": "1"})
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused(site: Site, provider: Provider, attack: str) -> None:
    sign_in(site, provider, invitation(site))
    ATTACKS[attack](provider)
    response, client = sign_in(site, provider)
    assert response.status_code == 422, response.text
    assert client.get("/console/me", base_url=ORIGIN).status_code == 303


def test_a_callback_of_another_browser_is_refused(site: Site, provider: Provider) -> None:
    query = provider.consent(start(site.app.test_client(), invitation(site)))
    victim = site.app.test_client()
    start(victim)
    response = victim.get("/console/oidc/callback", base_url=ORIGIN, query_string=query)
    assert response.status_code == 422
    assert victim.get("/console/me", base_url=ORIGIN).status_code == 303


@pytest.mark.parametrize("query", [{}, {"error": "access_denied"}, {"code": "x", "state": "y"}])
def test_a_callback_without_a_request_is_refused(site: Site, query: dict[str, str]) -> None:
    assert site.get("/console/oidc/callback", query_string=query).status_code == 422


def test_without_a_provider_there_is_no_button(site_with: SiteMaker) -> None:
    site = site_with(secret_key=SECRET_KEY)
    assert "/console/oidc" not in site.get("/console/sign-in").text
    assert site.get("/console/oidc/callback").status_code == 422
