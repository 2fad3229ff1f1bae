"""Sessions of the console: their cookie, their end, and a role that is taken away."""

from datetime import timedelta

import pytest

from preference_center.core.staff import members, sessions
from preference_center.core.staff_vocab import AuditAction, StaffRole
from tests.support.console import SECRET_KEY, Console, invite
from tests.support.site import ORIGIN
from tests.support.web_fixtures import SiteMaker

SIGN_IN = (303, "/console/sign-in")


def opened(console: Console, path: str = "/console/me") -> tuple[int, str | None]:
    response = console.get(path)
    return response.status_code, response.location


def test_the_cookie_is_only_for_this_host_and_not_for_scripts(console: Console) -> None:
    cookie = console.get("/console/sign-in", headers={"Cookie": ""}).headers["Set-Cookie"]
    assert cookie.startswith("__Host-console=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))


def test_on_localhost_the_cookie_works_without_https(site_with: SiteMaker) -> None:
    site = site_with(secret_key=SECRET_KEY, public_url="http://localhost:8000")
    response = site.client.get("/console/sign-in", base_url="http://localhost:8000")
    assert response.headers["Set-Cookie"].startswith("console=")
    assert "Secure" not in response.headers["Set-Cookie"]


def test_subscriber_pages_have_no_cookie_even_beside_a_session(console: Console) -> None:
    response = console.get("/sign-up")
    assert "Set-Cookie" not in response.headers
    assert "Cookie" not in response.headers.get("Vary", "")


@pytest.mark.parametrize(
    ("step", "steps"), [(sessions.MAX_IDLE, 1), (timedelta(minutes=50), 15)], ids=["idle", "old"]
)
def test_a_session_ends(console: Console, step: timedelta, steps: int) -> None:
    for _ in range(steps - 1):
        console.site.now += step
        if console.site.now - console.member.created_at < sessions.MAX_LENGTH:
            assert opened(console) == (200, None)
    console.site.now += step
    assert opened(console) == SIGN_IN


def test_signing_out_ends_the_session_for_copies_of_the_cookie(console: Console) -> None:
    copied = console.client.get_cookie("__Host-console", "mail.example.org")
    assert copied is not None
    assert console.post("/console/sign-out").status_code == 303
    console.client.set_cookie("__Host-console", copied.value, domain="mail.example.org")
    assert opened(console) == SIGN_IN
    assert console.actions()[-1] == (AuditAction.SIGNED_OUT, None)


def test_a_member_ends_another_of_their_sessions(console: Console) -> None:
    with console.site.database.transaction() as session:
        token = sessions.start(session, console.member.id, console.site.now, "a phone")
    page = console.get("/console/me").text
    path = page.partition("/console/me/sessions/")[2].partition('"')[0]
    assert console.post(f"/console/me/sessions/{path}").status_code == 303
    with console.site.database.reading() as session:
        assert sessions.find(session, token, console.site.now) is None
    assert opened(console) == (200, None)


def test_a_member_cannot_end_the_session_of_another(console: Console) -> None:
    other = Console(console.site, "viewer")
    with console.site.database.reading() as session:
        [theirs] = sessions.list_open(session, other.member.id, console.site.now)
    from base64 import urlsafe_b64encode

    key = urlsafe_b64encode(theirs.digest).decode().rstrip("=")
    console.post(f"/console/me/sessions/{key}/end")
    assert opened(other) == (200, None)


def test_a_role_that_is_taken_away_holds_from_the_next_request_on(console: Console) -> None:
    other = Console(console.site, "support")
    invite(console.site, "second@example.org", "admin")
    assert opened(console, "/console/staff") == (200, None)
    email = {"email": "admin@example.org"}
    with console.site.database.transaction() as session:
        members.change(
            session,
            email["email"],
            StaffRole.VIEWER,
            may_export=False,
            by=other.member.id,
            now=console.site.now,
        )
    assert opened(console, "/console/staff") == (403, None)


def test_a_removed_member_is_signed_out(console: Console) -> None:
    other = Console(console.site, "support")
    assert console.post("/console/staff/remove", email="support@example.org").status_code == 303
    assert opened(other) == SIGN_IN


def test_a_session_of_before_the_sign_in_is_dropped(console: Console) -> None:
    """Session fixation: what an attacker has put into the cookie is not signed in."""
    client = console.site.app.test_client()
    client.get("/console/sign-in", base_url=ORIGIN)
    fixed = client.get_cookie("__Host-console", "mail.example.org")
    assert fixed is not None
    with console.client.session_transaction(base_url=ORIGIN) as cookie:
        mine = cookie["id"]
    client.set_cookie("__Host-console", fixed.value, domain="mail.example.org")
    assert client.get("/console/me", base_url=ORIGIN).status_code == 303
    assert mine not in fixed.value
