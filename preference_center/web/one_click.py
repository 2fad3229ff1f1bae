"""RFC 8058 one-click: a mailbox provider posts to the URL in `List-Unsubscribe`.

The answer is 200 for any body, because the signed link in the path is sufficient (M4 to M9). It
sets no cookie, and never redirects or asks for confirmation. It is sent after the commit, or after
the unsubscribe was written to the spool.

Mailbox providers post in bursts, and Flask takes longer for a request than all the rest. So this is
a WSGI application (PEP 3333) in front of Flask's; Flask only answers the requests that it refuses.
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
from preference_center.web.services import Services

log = logging.getLogger(__name__)

blueprint = Blueprint("one_click", __name__)
errors.register_machine(blueprint)

MAX_BODY_BYTES = 4096
COMMIT_SECONDS = 0.1  # After that, an unsubscribe is spooled if there is a spool.
_REFUSED = "preference_center.one_click.refused"  # in the WSGI environment
_ANSWER = b"You are unsubscribed.\n"


class OneClick:
    """Ends consent to the email's topic, or to all topics if `ONE_CLICK_SCOPE=all`."""

    def __init__(self, flask_app: WSGIApplication, services: Services, prefix: str) -> None:
        self._flask_app, self._services = flask_app, services
        self._path = re.compile(f"{re.escape(prefix)}/u/({SignedLinkConverter.regex})")
        self._headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(_ANSWER))),
            *security_headers(services.settings).items(),
        ]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST":
            return self._flask_app(environ, start_response)
        found = self._path.fullmatch(environ["PATH_INFO"])
        if found is None:
            return self._flask_app(environ, start_response)
        try:
            self._unsubscribe(found[1], environ)
        except Exception as error:  # noqa: BLE001 (Flask's error handlers answer it)
            environ[_REFUSED] = error
            return self._flask_app(environ, start_response)
        start_response("200 OK", self._headers)
        return [_ANSWER]

    def _unsubscribe(self, text: str, environ: WSGIEnvironment) -> None:
        services, settings, now = self._services, self._services.settings, self._services.clock()
        if not services.database.keys_are_checked:
            check_schema(services.database)
        # Read the link first, so that a slow body occupies no thread without a valid link.
        link = read_link("unsubscribe", SignedLinkConverter.cut(text), settings.link_keys)
        body = _read_body(environ)
        context = ChangeContext(
            source=Source.ONE_CLICK,
            occurred_at=now,
            recorded_at=now,
            campaign=link.campaign,
            notice_delay=settings.notice_delay(Source.ONE_CLICK),
        )
        everything = settings.one_click_scope is Scope.ALL
        target = ALL if everything else Target.of(link.topic)
        outcome = self._end_consent(Unsubscribe(link.subscriber_id, target, context))
        log.info("one-click unsubscribe, %s, rfc8058=%s", outcome, _is_rfc_8058(body))

    def _end_consent(self, change: Unsubscribe) -> str:
        """Commit an unsubscribe, or spool it if that is not possible in time; say which."""
        spool = self._services.spool
        try:
            timeout = COMMIT_SECONDS if spool is not None else None
            result = self._services.unsubscribes.submit(change, timeout)
        except KeyCheckError:
            raise
        except UnavailableError:
            if spool is None:
                raise
            spool.write([_spooled(change)])
            return "spooled"
        return f"new={result.changed}"


@blueprint.post("/u/<signed:link>")
@open_to(Caller.LINK)
def refuse(link: str) -> Response:
    """Raise the error for which `OneClick` refused the request; the error handlers answer it."""
    raise request.environ[_REFUSED]


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
