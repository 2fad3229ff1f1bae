"""RFC 8058: a mailbox provider posts to the address in `List-Unsubscribe`.

It answers 200 itself, whatever the body says: the signed link in the path is enough (M4 to M9).
No cookie, no redirect, no question, and the stop is committed before the answer.
"""

import logging

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from preference_center.core import consent, subscribers, topics
from preference_center.links import read_link
from preference_center.web.access import Caller, open_to
from preference_center.web.services import services

log = logging.getLogger(__name__)

blueprint = Blueprint("mail_systems", __name__)

LONGEST_BODY = 4096  # bytes


@blueprint.post("/u/<link>")
@open_to(Caller.LINK)
def one_click(link: str) -> Response:
    """End consent to the mail's topic, or to everything where `ONE_CLICK_SCOPE=all`."""
    settings, now = services().settings, services().clock()
    signed = read_link("unsubscribe", link, settings.link_keys)
    body = _body()
    act = consent.Act(
        source="one-click",
        occurred_at=now,
        now=now,
        campaign=signed.campaign,
        confirm_after=settings.confirm_after("one-click"),
    )
    with services().database.transaction() as session:
        topic = topics.ensure(session, signed.topic, now)
        subscriber = subscribers.lock(session, signed.subscriber_id, now)
        if settings.one_click_scope == "all":
            outcome = consent.end_consent(session, subscriber, "all", act)
        else:
            outcome = consent.end_consent(session, subscriber, "topic", act, topic)
    log.info("one-click stop, new=%s, rfc8058=%s", outcome.changed, _is_as_the_rfc_says(body))
    return Response("You are unsubscribed.\n", mimetype="text/plain")


def _body() -> bytes:
    """Return the body, whatever its type and transfer encoding; 413 if it is too long.

    It is read as bytes before anything parses it: `request.form` is empty for most of the bodies
    that clients send. One byte more than allowed is read, since a chunked body has no length.
    """
    request.max_content_length = LONGEST_BODY + 1
    body = request.get_data(cache=True)
    if len(body) > LONGEST_BODY:
        raise RequestEntityTooLarge
    return body


def _is_as_the_rfc_says(body: bytes) -> bool:
    return b"List-Unsubscribe" in body and b"One-Click" in body
