"""RFC 8058 one-click: a mailbox provider posts to the URL in `List-Unsubscribe`.

The answer is 200 for any body, because the signed link in the path is sufficient (M4 to M9). It
sets no cookie, and never redirects or asks for confirmation. It is sent after the commit, or after
the unsubscribe was written to the spool.

Mailbox providers post in bursts, and Flask takes longer for a request than all the rest. So a WSGI
application (PEP 3333) in front of Flask's answers what they post.
"""

import logging
import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from preference_center.core.change import ALL, ChangeContext, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.vocab import Scope, Source
from preference_center.inbound.spool_rows import SpooledUnsubscribe
from preference_center.links.minter import read_link
from preference_center.store import KeyCheckError, UnavailableError
from preference_center.store.schema import check_schema
from preference_center.web import errors
from preference_center.web.access import Caller, open_to
from preference_center.web.headers import security_headers
from preference_center.web.link_paths import SignedLinkConverter
from preference_center.web.services import Services, services

log = logging.getLogger(__name__)

blueprint = Blueprint("one_click", __name__)
errors.register_machine(blueprint)

MAX_BODY_BYTES = 4096
COMMIT_SECONDS = 0.1  # After that, an unsubscribe is spooled if there is a spool.
# Without a spool, a request waits until a dead connection is noticed (6) and replaced (3), but it
# does not while the database is silent.
_MAX_COMMIT_SECONDS = 9
_SILENT_SECONDS = 1
_REFUSED = "preference_center.one_click.refused"  # An error, in the WSGI environment.
_ANSWER = b"You are unsubscribed.\n"


class OneClick:
    """Answers one-click requests whose path is a link and nothing else; Flask answers the others.

    It also answers those that are refused, and those with text appended to the link.
    """

    def __init__(self, flask_app: WSGIApplication, services: Services, prefix: str) -> None:
        self._flask_app, self._services = flask_app, services
        self._path = re.compile(rf"{re.escape(prefix)}/u/([A-Za-z0-9._-]+)")
        self._headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(_ANSWER))),
            *security_headers(services.settings).items(),
        ]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        found = self._path.fullmatch(environ["PATH_INFO"])
        if found is None or environ["REQUEST_METHOD"] != "POST":
            return self._flask_app(environ, start_response)
        try:
            unsubscribe(self._services, SignedLinkConverter.cut(found[1]), environ)
        except Exception as error:  # noqa: BLE001 (Flask's error handlers answer it)
            environ[_REFUSED] = error
            return self._flask_app(environ, start_response)
        start_response("200 OK", self._headers)
        return [_ANSWER]


@blueprint.post("/u/<signed:link>")
@open_to(Caller.LINK)
def one_click(link: str) -> Response:
    """Answer a request that `OneClick` has passed on, or raise the error for which it did."""
    if (refused := request.environ.get(_REFUSED)) is not None:
        raise refused
    unsubscribe(services(), link, request.environ)
    return Response(_ANSWER, mimetype="text/plain")


def unsubscribe(app: Services, link: str, environ: WSGIEnvironment) -> None:
    """End consent to the email's topic, or to all topics if `ONE_CLICK_SCOPE=all`."""
    now, database = app.clock(), app.database
    if not database.keys_are_checked:
        check_schema(database)
    # Read the link first, so that a slow body occupies no thread without a valid link.
    signed = read_link("unsubscribe", link, app.settings.link_keys)
    body = _read_body(environ)
    context = ChangeContext(
        source=Source.ONE_CLICK,
        occurred_at=now,
        recorded_at=now,
        campaign=signed.campaign,
        notice_delay=app.settings.notice_delay(Source.ONE_CLICK),
    )
    everything = app.settings.one_click_scope is Scope.ALL
    target = ALL if everything else Target.of(signed.topic)
    outcome = _end_consent(app, Unsubscribe(signed.subscriber_id, target, context))
    log.info("one-click unsubscribe, %s, rfc8058=%s", outcome, _is_rfc_8058(body))


def _end_consent(app: Services, change: Unsubscribe) -> str:
    """Commit an unsubscribe, or spool it if that is not possible in time; say which."""
    try:
        result = app.unsubscribes.submit(change, _timeout(app))
    except KeyCheckError:
        raise
    except UnavailableError:
        if app.spool is None:
            raise
        app.spool.write([_spooled(change)])
        return "spooled"
    return f"new={result.changed}"


def _timeout(app: Services) -> float:
    """Return how many seconds a request waits for its commit."""
    if app.spool is not None:
        return COMMIT_SECONDS
    return _SILENT_SECONDS if app.database.is_silent else _MAX_COMMIT_SECONDS


def _spooled(change: Unsubscribe) -> SpooledUnsubscribe:
    return SpooledUnsubscribe(
        subscriber_id=change.subscriber_id,
        target=change.target,
        source=change.context.source,
        acknowledged_at=change.context.occurred_at,
        campaign=change.context.campaign,
        notice_delay=change.context.notice_delay,
    )


def _read_body(environ: WSGIEnvironment) -> bytes:
    """Return the body, of any type and transfer encoding, or raise 413 if it is too long."""
    # Allow one more byte: a chunked body declares no length, and Werkzeug would truncate it at
    # the limit without an error.
    stream = get_input_stream(environ, max_content_length=MAX_BODY_BYTES + 1)
    body = stream.read()
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    return body


def _is_rfc_8058(body: bytes) -> bool:
    return b"List-Unsubscribe" in body and b"One-Click" in body
