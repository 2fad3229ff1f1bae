"""Sign in to the console, and create a passkey. A script of the page talks to the authenticator.

The token of an invitation is in the fragment of its URL, so that no log of a server contains it.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from flask import Response, abort, jsonify, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import members, passkeys, sessions, signing_in
from preference_center.core.staff_vocab import AuditAction
from preference_center.web.access import Caller, open_to
from preference_center.web.console import webauthn
from preference_center.web.console.blueprint import SESSION, blueprint, signed_in, staff_only
from preference_center.web.console.rendering import page, to
from preference_center.web.console.webauthn import BadResponseError
from preference_center.web.limits import counted_as
from preference_center.web.services import services

_DEFAULT_NAME = "Passkey"


@blueprint.get("/sign-in")
@open_to(Caller.ANYONE)
def sign_in() -> str:
    """Show the button to sign in."""
    return page("sign_in.html")


@blueprint.post("/sign-in/options")
@open_to(Caller.ANYONE)
def sign_in_options() -> Response:
    """Return what the browser asks a passkey to sign."""
    limit()
    with services().database.transaction() as writing:
        challenge = passkeys.new_challenge(writing, services().clock())
    return jsonify(webauthn.request_options(services().settings, challenge))


@blueprint.post("/sign-in")
@open_to(Caller.ANYONE)
def sign_in_with_passkey() -> Response:
    """Verify what a passkey has signed, and start a session."""
    limit()
    response, settings, now = sent("credential"), services().settings, services().clock()
    challenge = webauthn.challenge_of(response, creation=False)
    passkey_id = webauthn.credential_id(response)
    with services().database.transaction() as writing:
        token = signing_in.with_passkey(
            writing,
            challenge,
            passkey_id,
            lambda known: webauthn.signatures(settings, response, known),
            now,
        )
    return start(token)


@blueprint.get("/welcome")
@open_to(Caller.ANYONE)
def welcome() -> str:
    """Show the button to create the first passkey, or one after all others were lost."""
    return page("welcome.html")


@blueprint.post("/welcome/options")
@open_to(Caller.ANYONE)
def welcome_options() -> Response:
    """Return what the browser asks an authenticator to create for an invited member."""
    limit()
    token, now = str(_body().get("token", "")), services().clock()
    with services().database.transaction() as writing:
        member = members.invited(writing, token, now)
        if member is None:
            raise StaffRefusal("this link was used, replaced, or is older than 30 minutes")
        challenge = passkeys.new_challenge(writing, now)
        known = passkeys.list_of(writing, member.id)
    return jsonify(webauthn.creation_options(services().settings, member, known, challenge))


@blueprint.post("/welcome")
@open_to(Caller.ANYONE)
def welcome_with_passkey() -> Response:
    """Store the new passkey of an invited member, and start a session."""
    limit()
    response, settings, now = sent("credential"), services().settings, services().clock()
    challenge = webauthn.challenge_of(response, creation=True)
    with services().database.transaction() as writing:
        token = signing_in.with_invitation(
            writing,
            str(_body().get("token", "")),
            challenge,
            lambda member: webauthn.created(settings, response, member, passkey_name(), now),
            now,
        )
    return start(token)


@blueprint.post("/sign-out")
@staff_only()
def sign_out() -> AnyResponse:
    """End this session."""
    found, now = signed_in(), services().clock()
    with services().database.transaction() as writing:
        sessions.end(writing, found.member.id, found.digest, now, AuditAction.SIGNED_OUT)
    session.clear()
    return to("console.sign_in")


def start(token: str) -> Response:
    """Keep a new session, and tell the script which page to open."""
    keep(token)
    return jsonify(location=url_for("console.overview"))


def keep(token: str) -> None:
    """Put a new session into the cookie.

    What the cookie held before is dropped, so that no session can be fixed before the sign-in.
    """
    session.clear()
    session[SESSION] = token


def limit() -> None:
    """Answer 429 to a client that has tried too often. Its address is not stored."""
    key, address = services().settings.secret_key, counted_as(request.remote_addr or "")
    client = hmac.digest(key.encode(), f"sign-in\n{address}".encode(), sha256)
    with services().database.transaction() as writing:
        is_allowed = signing_in.take_request(writing, client, services().clock())
    if not is_allowed:
        abort(429)


def _body() -> Mapping[str, Any]:
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # Arrays in arrays, thousands deep.
        body = None
    return body if isinstance(body, dict) else {}


def sent(name: str) -> Mapping[str, Any]:
    """Return an object in the body, or raise BadResponseError."""
    value = _body().get(name)
    if not isinstance(value, dict):
        raise BadResponseError("the answer of the passkey is missing")
    return value


def passkey_name() -> str:
    """Return the name of a new passkey, as its owner chose it."""
    words = " ".join(str(_body().get("name", "")).split())
    name = "".join(each for each in words if each.isprintable())
    return name[: passkeys.MAX_NAME_LENGTH] or _DEFAULT_NAME
