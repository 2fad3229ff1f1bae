"""Sign in with an OpenID provider: the authorization code flow with PKCE, state and nonce.

A member is the issuer and the subject, which an invitation has bound to them. Addresses that the
provider reports are ignored, because their owner can change.
"""

import logging
import re
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, redirect, request, session, url_for
from werkzeug.wrappers import Response

from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import signing_in
from preference_center.core.staff.identities import Identity
from preference_center.settings.settings import OidcSettings, Settings
from preference_center.web.access import Caller, open_to
from preference_center.web.console import sign_in
from preference_center.web.console.blueprint import blueprint
from preference_center.web.console.rendering import page
from preference_center.web.services import services

Value = TypeVar("Value")

log = logging.getLogger(__name__)

_EXTENSION = "console_oidc"
_INVITATION = "invitation"  # In the cookie, until the provider has answered.
_TIMEOUT_SECONDS = 10
# With a shared secret, or without a signature, others than the provider could make an ID token.
_ALGORITHMS = [f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)]
_ALGORITHMS.append("EdDSA")
_SUBJECT = re.compile(r"[ -~]{1,255}")  # OpenID Connect Core 1.0, section 2
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")


def configure(app: Flask, settings: Settings) -> None:
    """Make the client of the provider, if there is one. Its metadata are fetched when needed."""
    if settings.oidc is None:
        return
    from authlib.integrations.flask_client import OAuth  # It is optional.

    app.extensions[_EXTENSION] = OAuth(app).register(
        "console",
        client_id=settings.oidc.client_id,
        client_secret=settings.oidc.client_secret,
        server_metadata_url=f"{settings.oidc.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid",
            "code_challenge_method": "S256",
            "default_timeout": _TIMEOUT_SECONDS,
        },
    )


@blueprint.post("/oidc")
@open_to(Caller.ANYONE)
def start_oidc() -> str:
    """Send the browser to the provider. The token of an invitation binds the account to a member.

    A page redirects, because the pages' policy lets no form end at another site.
    """
    sign_in.limit()
    session.clear()
    if token := request.form.get("token"):
        session[_INVITATION] = token
    redirected: Response = _asked(lambda client: client.authorize_redirect(_callback_url()))
    return page("redirect.html", target=redirected.location)


@blueprint.get("/oidc/callback")
@open_to(Caller.ANYONE)
def finish_oidc() -> Response:
    """Verify what the provider says, and start a session. A refusal is logged."""
    try:
        identity = _asked(lambda client: _identity(client, _provider()))
        token = _session_of(identity)
    except StaffRefusal as refusal:
        log.warning("sign-in with the OpenID provider: %s", refusal)
        raise
    sign_in.keep(token)
    return redirect(url_for("console.overview"), 303)


def _session_of(identity: Identity) -> str:
    """Return the token of a new session."""
    invitation, now = session.get(_INVITATION), services().clock()
    with services().database.transaction() as writing:
        if invitation is None:
            return signing_in.with_identity(writing, identity, now)
        return signing_in.with_identity_and_invitation(writing, invitation, identity, now)


def _identity(client: Any, provider: OidcSettings) -> Identity:
    claims = {
        "iss": {"essential": True, "values": [provider.issuer]},
        "aud": {"essential": True, "values": [provider.client_id]},
        "sub": {"essential": True, "validate": lambda _, subject: _SUBJECT.fullmatch(subject)},
    }
    client.load_server_metadata()["id_token_signing_alg_values_supported"] = _ALGORITHMS
    answered = client.authorize_access_token(claims_options=claims)
    if not answered.get("userinfo"):
        raise StaffRefusal("the provider has sent no ID token")
    return Identity(provider.issuer, answered["userinfo"]["sub"])


def _asked(ask: Callable[[Any], Value]) -> Value:
    """Return what the provider's client returns, or raise StaffRefusal."""
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError
    from requests import RequestException

    try:
        return ask(_client())
    except (AuthlibBaseError, JoseError) as error:
        raise StaffRefusal(f"the provider did not sign you in ({_code_of(error)})") from None
    except (RequestException, RuntimeError, ValueError, KeyError, TypeError, AttributeError):
        raise StaffRefusal("the provider cannot be reached, or its answer cannot be read") from None


def _code_of(error: Any) -> str:
    """Return the code of an error. A callback can contain any text in its place."""
    code = str(error.error)
    return code if _ERROR_CODE.fullmatch(code) else "unknown error"


def _client() -> Any:
    _provider()
    return current_app.extensions[_EXTENSION]


def _provider() -> OidcSettings:
    found = services().settings.oidc
    if found is None:
        raise StaffRefusal("there is no OpenID provider here")
    return found


def _callback_url() -> str:
    return services().settings.console_url + url_for("console.finish_oidc")
