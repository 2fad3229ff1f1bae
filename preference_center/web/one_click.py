"""RFC 8058: a mailbox provider posts to the address in `List-Unsubscribe`.

It answers 200 itself, whatever the body says: the signed link in the path is enough (M4 to M9).
No cookie, no redirect, no question, and the stop is committed before the answer.
"""

import logging

from flask import Blueprint, Response

from preference_center.core import consent
from preference_center.links.minter import read_link
from preference_center.web.access import Caller, open_to
from preference_center.web.bodies import read_body
from preference_center.web.services import services

log = logging.getLogger(__name__)

blueprint = Blueprint("mail_systems", __name__)

MAX_BODY_BYTES = 4096  # bytes


@blueprint.post("/u/<signed:link>")
@open_to(Caller.LINK)
def one_click(link: str) -> Response:
    """End consent to the mail's topic, or to everything where `ONE_CLICK_SCOPE=all`."""
    settings, now = services().settings, services().clock()
    # First: who holds no link cannot hold a thread with a body that never ends.
    signed = read_link("unsubscribe", link, settings.link_keys)
    body = read_body(MAX_BODY_BYTES)
    context = consent.ChangeContext(
        source="one-click",
        occurred_at=now,
        recorded_at=now,
        campaign=signed.campaign,
        notice_delay=settings.notice_delay("one-click"),
    )
    topic = None if settings.one_click_scope == "all" else signed.topic
    with services().database.transaction() as session:
        result = consent.leave(session, signed.subscriber_id, topic, context)
    log.info("one-click stop, new=%s, rfc8058=%s", result.changed, _is_as_the_rfc_says(body))
    return Response("You are unsubscribed.\n", mimetype="text/plain")


def _is_as_the_rfc_says(body: bytes) -> bool:
    return b"List-Unsubscribe" in body and b"One-Click" in body
