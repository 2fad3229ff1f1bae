"""RFC 8058 one-click: a mailbox provider posts to the URL in `List-Unsubscribe`.

The answer is 200 for any body, because the signed link in the path is sufficient (M4 to M9). It
sets no cookie, and never redirects or asks for confirmation. It is sent after the commit, or after
the unsubscribe was written to the spool.
"""

import asyncio
import logging
import re
import time
from urllib.parse import urlsplit

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from preference_center.asgi_adapter import ERROR, Headers
from preference_center.core.change import ALL, ChangeContext, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.vocab import Scope, Source
from preference_center.links.minter import TEST_CAMPAIGN, read_link
from preference_center.store import UnavailableError
from preference_center.web import errors
from preference_center.web.access import Caller, open_to
from preference_center.web.assets import coloured
from preference_center.web.bodies import read_body
from preference_center.web.headers import security_headers
from preference_center.web.link_paths import SignedLinkConverter
from preference_center.web.services import Services, services
from preference_center.web.spooling import spool_of, spooled

log = logging.getLogger(__name__)

blueprint = Blueprint("one_click", __name__)
errors.register_machine(blueprint)

MAX_BODY_BYTES = 4096
COMMIT_SECONDS = 0.1  # After that, an unsubscribe is spooled if the spool accepts it.
# Without a spool, a request waits until a dead connection is noticed (6) and replaced (3), but it
# does not while the database is silent.
_MAX_COMMIT_SECONDS = 9
_SILENT_SECONDS = 1
_ANSWER = b"You are unsubscribed.\n"
_TEST_ANSWER = b"This is a test link: nothing has changed. A real link would unsubscribe.\n"


@blueprint.post("/u/<signed:link>")
@open_to(Caller.LINK)
def one_click(link: str) -> Response:
    """End consent to the email's topic, or to all topics if `ONE_CLICK_SCOPE=all`."""
    if (refused := request.environ.get(ERROR)) is not None:
        raise refused  # The event loop has tried this request already.
    app = services()
    # Read the link first, so that a slow body occupies no thread without a valid link.
    change = _change(app, link)
    body = read_body(MAX_BODY_BYTES)
    if change is None:
        return Response(_TEST_ANSWER, mimetype="text/plain")
    try:
        result = app.unsubscribes.submit(change, _timeout(app))
        outcome = f"new={result.changed}"
    except UnavailableError as error:
        spool_of(app, error).write([spooled(change)])
        outcome = "spooled"
    _note(app, outcome, body)
    return Response(_ANSWER, mimetype="text/plain")


class OneClickEndpoint:
    """Answers one-click requests in an event loop (ASGI), as the view does in a thread.

    Mailbox providers post in bursts, and Flask and a thread would take longer for a request than
    all the rest.
    """

    def __init__(self, app: Services) -> None:
        self._app = app
        prefix = urlsplit(app.settings.public_url).path
        self._path = re.compile(rf"{re.escape(prefix)}/u/([A-Za-z0-9._-]+)")
        sheet = coloured(app.plain_sheet, app.settings.brand_accent)  # The answer contains none.
        self._headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(_ANSWER))),
            *security_headers(app.settings, sheet.source).items(),
        ]

    async def __call__(self, method: str, path: str, body: bytes) -> tuple[Headers, bytes] | None:
        """End consent and return the answer, or raise an error that Flask answers.

        Return None if Flask is to answer: for text appended to the link, for a test link, and
        until the keys of the database are checked.
        """
        found = self._path.fullmatch(path) if method == "POST" else None
        if found is None or not self._app.database.keys_are_checked:
            return None
        start = time.perf_counter()
        change = _change(self._app, SignedLinkConverter.cut(found[1]))
        if change is None:
            return None
        await self._unsubscribe(change, body)
        # Errors are counted and timed with Flask's answers.
        self._app.metrics.observe_request("one-click", "200", time.perf_counter() - start)
        return self._headers, _ANSWER

    async def _unsubscribe(self, change: Unsubscribe, body: bytes) -> None:
        app = self._app
        if len(body) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        try:
            result = await app.unsubscribes.submit_async(change, _timeout(app))
            outcome = f"new={result.changed}"
        except UnavailableError as error:
            spool = spool_of(app, error)
            await asyncio.to_thread(spool.write, [spooled(change)])
            outcome = "spooled"
        _note(app, outcome, body)


def _change(app: Services, link: str) -> Unsubscribe | None:
    """Return the unsubscribe of a signed link, None for a test link, or raise BadLink."""
    signed, now = read_link("unsubscribe", link, app.settings.link_keys), app.clock()
    if signed.campaign == TEST_CAMPAIGN:
        return None
    context = ChangeContext(
        source=Source.ONE_CLICK,
        occurred_at=now,
        recorded_at=now,
        campaign=signed.campaign,
        notice_delay=app.settings.notice_delay(Source.ONE_CLICK),
    )
    everything = app.settings.one_click_scope is Scope.ALL
    target = ALL if everything else Target.of(signed.topic)
    return Unsubscribe(signed.subscriber_id, target, context)


def _timeout(app: Services) -> float:
    """Return how many seconds a request waits for its commit."""
    if app.spool is not None and app.spool.state().accepts:
        return COMMIT_SECONDS
    return _SILENT_SECONDS if app.database.is_silent else _MAX_COMMIT_SECONDS


def _note(app: Services, outcome: str, body: bytes) -> None:
    """Count and log an unsubscribe that is acknowledged."""
    app.metrics.count_unsubscribe("spooled" if outcome == "spooled" else "committed")
    rfc_8058 = b"List-Unsubscribe" in body and b"One-Click" in body
    log.info("one-click unsubscribe, %s, rfc8058=%s", outcome, rfc_8058)
