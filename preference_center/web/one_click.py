"""RFC 8058 one-click: a mailbox provider posts to the URL in `List-Unsubscribe`.

The answer is 200 for any body, because the signed link in the path is sufficient (M4 to M9). It
sets no cookie, and never redirects or asks for confirmation. It is sent after the commit.
"""

import logging

from flask import Blueprint, Response

from preference_center.core.apply import apply_one
from preference_center.core.change import ALL, ChangeContext, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.vocab import Scope, Source
from preference_center.links.minter import read_link
from preference_center.web import errors
from preference_center.web.access import Caller, open_to
from preference_center.web.bodies import read_body
from preference_center.web.services import services

log = logging.getLogger(__name__)

blueprint = Blueprint("one_click", __name__)
errors.register_machine(blueprint)

MAX_BODY_BYTES = 4096


@blueprint.post("/u/<signed:link>")
@open_to(Caller.LINK)
def one_click(link: str) -> Response:
    """End consent to the email's topic, or to all topics if `ONE_CLICK_SCOPE=all`."""
    settings, now = services().settings, services().clock()
    # Read the link first, so that a slow body occupies no thread without a valid link.
    signed = read_link("unsubscribe", link, settings.link_keys)
    body = read_body(MAX_BODY_BYTES)
    context = ChangeContext(
        source=Source.ONE_CLICK,
        occurred_at=now,
        recorded_at=now,
        campaign=signed.campaign,
        notice_delay=settings.notice_delay(Source.ONE_CLICK),
    )
    everything = settings.one_click_scope is Scope.ALL
    target = ALL if everything else Target.of(signed.topic)
    with services().database.transaction() as session:
        result = apply_one(session, Unsubscribe(signed.subscriber_id, target, context), now)
    log.info("one-click unsubscribe, new=%s, rfc8058=%s", result.changed, _is_rfc_8058(body))
    return Response("You are unsubscribed.\n", mimetype="text/plain")


def _is_rfc_8058(body: bytes) -> bool:
    return b"List-Unsubscribe" in body and b"One-Click" in body
