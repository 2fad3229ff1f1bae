"""A member's own page: their passkeys, their sessions, and the emails that they want."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64Error

from flask import Response, abort, jsonify, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from preference_center.core.staff import emails, passkeys, sessions, signing_in
from preference_center.core.staff.emails import Wanted
from preference_center.core.staff_vocab import AuditAction
from preference_center.web.console import sign_in, webauthn
from preference_center.web.console.blueprint import blueprint, member, signed_in, staff_only
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services


@blueprint.get("/me")
@staff_only()
def me() -> str:
    """Show the passkeys, the sessions and the choice of the member."""
    now = services().clock()
    with services().database.reading() as reading:
        known = passkeys.list_of(reading, member().id)
        opened = sessions.list_open(reading, member().id, now)
        wanted = emails.wanted_by(reading, member().id)
    return page(
        "me.html",
        passkeys=known,
        sessions=opened,
        this=signed_in().digest,
        wanted=wanted,
        encode=_encoded,
    )


@blueprint.post("/me/emails")
@staff_only()
def choose_emails() -> AnyResponse:
    """Store which emails the member wants."""
    wanted = Wanted(figures="figures" in request.form, alerts="alerts" in request.form)
    with services().database.transaction() as writing:
        emails.choose(writing, member().id, wanted, services().clock())
    return to("console.me")


@blueprint.post("/me/passkeys/options")
@staff_only()
def passkey_options() -> Response:
    """Return what the browser asks an authenticator to create."""
    with services().database.transaction() as writing:
        challenge = passkeys.new_challenge(writing, services().clock())
        known = passkeys.list_of(writing, member().id)
    return jsonify(webauthn.creation_options(services().settings, member(), known, challenge))


@blueprint.post("/me/passkeys")
@staff_only()
def add_passkey() -> Response:
    """Store a further passkey."""
    response, now = sign_in.sent("credential"), services().clock()
    challenge = webauthn.challenge_of(response, creation=True)
    name = sign_in.passkey_name()
    passkey = webauthn.created(services().settings, response, member(), name, now)
    with services().database.transaction() as writing:
        signing_in.add_passkey(writing, challenge, passkey, now)
    return jsonify(location=url_for("console.me"))


@blueprint.post("/me/passkeys/<key>/remove")
@staff_only()
def remove_passkey(key: str) -> AnyResponse:
    """Remove a passkey that is not the last one."""
    with services().database.transaction() as writing:
        passkeys.remove(writing, member().id, _decoded(key), services().clock())
    return to("console.me")


@blueprint.post("/me/sessions/<key>/end")
@staff_only()
def end_session(key: str) -> AnyResponse:
    """End one of the member's sessions."""
    now = services().clock()
    with services().database.transaction() as writing:
        sessions.end(writing, member().id, _decoded(key), now, AuditAction.SESSION_ENDED)
    return to("console.me")


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _decoded(key: str) -> bytes:
    try:
        return urlsafe_b64decode(key + "=" * (-len(key) % 4))
    except (BadBase64Error, ValueError):
        abort(404)
