"""The blueprint of the console, and what each of its requests must pass.

`CONSOLE_URL` must be the host that was asked, a change must have the session's CSRF token, and the
member who is signed in must have the right that the view declares.
"""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, current_app, g, redirect, request, session, url_for
from flask_wtf.csrf import validate_csrf
from werkzeug.wrappers import Response
from wtforms import ValidationError

from preference_center.core.staff import sessions
from preference_center.core.staff.members import Member
from preference_center.core.staff.sessions import SignedIn
from preference_center.core.staff_vocab import Right
from preference_center.settings.settings import Settings
from preference_center.web.access import Caller, open_to
from preference_center.web.assets import ConsoleAssets
from preference_center.web.services import services

View = TypeVar("View", bound=Callable[..., Any])

SESSION = "id"  # In the cookie: the token of the session.
PAGE = "is_console_page"  # In `g`: whether the response is a page of the console.
MAX_BODY_BYTES = 65_536
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; object-src 'none'"
)
READING = ("GET", "HEAD", "OPTIONS")

blueprint = Blueprint("console", __name__)


def configure(app: Flask, settings: Settings) -> None:
    """Set the key and the attributes of the console's cookie. No other page has a cookie."""
    secure = settings.console_url.startswith("https:")
    app.config.update(
        SECRET_KEY=settings.secret_key or None,
        SESSION_COOKIE_NAME="__Host-console" if secure else "console",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        WTF_CSRF_TIME_LIMIT=None,  # A token is valid as long as its session.
    )


def staff_only(
    right: Right | None = None, *, max_body: int = MAX_BODY_BYTES
) -> Callable[[View], View]:
    """Declare that a view is for members of staff with a right, by default for all of them.

    Its body has at most `max_body` bytes.
    """

    def declare(view: View) -> View:
        view.right = right  # type: ignore[attr-defined]
        view.max_body = max_body  # type: ignore[attr-defined]
        return open_to(Caller.STAFF)(view)

    return declare


def assets() -> ConsoleAssets:
    """Return the console's files, in the brand's colours."""
    found = services().console or abort(404)
    return found.below(services().style_sheet())


def member() -> Member:
    """Return the member who is signed in."""
    found: SignedIn = g.signed_in
    return found.member


def signed_in() -> SignedIn:
    """Return the member who is signed in, with their session."""
    found: SignedIn = g.signed_in
    return found


@blueprint.before_request
def admit() -> Response | None:
    """Answer 404, 400, 403 or the page to sign in, unless the request may reach its view."""
    _refuse_elsewhere()
    view = current_app.view_functions.get(request.endpoint or "", _no_view)
    request.max_content_length = getattr(view, "max_body", MAX_BODY_BYTES)
    g.signed_in = _find_signed_in()
    if request.method not in READING:
        _refuse_without_token()
    _refuse_null()
    if getattr(view, "caller", None) is not Caller.STAFF:
        return None
    if g.signed_in is None:
        session.pop(SESSION, None)
        return redirect(url_for("console.sign_in"), 303)
    right: Right | None = getattr(view, "right", None)
    if right is not None and right not in member().rights:
        abort(403)
    return None


@blueprint.before_app_request
def admit_without_view() -> Response | None:
    """Treat an address of the console without a view as if it had one for all staff.

    So a stranger cannot tell which addresses have a view.
    """
    path = f"{request.script_root}{request.path}/"  # Also the address without the last slash.
    if request.endpoint is None and path.startswith(url_for("console.overview")):
        return admit()
    return None


@staff_only()
def _no_view() -> NoReturn:
    abort(404)


@blueprint.after_request
def add_policy(response: Response) -> Response:
    """Allow its script and its style sheet to a page of the console."""
    if g.get(PAGE):
        response.headers.setdefault("Content-Security-Policy", _POLICY)
    return response


def _refuse_elsewhere() -> None:
    """Answer 404 where the console is not set up, and at every other host than its own."""
    if services().console is None or _host() != services().settings.console_host:
        abort(404)


def _host() -> str:
    """Return the host that was asked, without the port that a proxy may leave out."""
    return urlsplit(f"//{request.host}").hostname or ""


def _find_signed_in() -> SignedIn | None:
    token = session.get(SESSION)
    if token is None:
        return None
    now, database = services().clock(), services().database
    with database.reading() as reading:
        found = sessions.find(reading, token, now)
    if found is not None and not found.is_seen:
        with database.transaction() as writing:
            sessions.was_seen(writing, found.digest, now)
    return found


def _refuse_without_token() -> None:
    token = request.headers.get("X-CSRFToken") or request.form.get("csrf_token")
    try:
        validate_csrf(token)
    except ValidationError:
        abort(400)


def _refuse_null() -> None:
    """Answer 400 to bytes that are no text, and to a null character, which PostgreSQL has not."""
    try:
        query = request.args
    except UnicodeDecodeError:
        abort(400)
    sent = (
        *(request.view_args or {}).items(),
        *query.items(multi=True),
        *request.form.items(multi=True),
    )
    if any("\0" in str(value) for _, value in sent):
        abort(400)
