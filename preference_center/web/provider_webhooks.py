"""`/hooks/<provider>`: a mail provider tells what happened to mails that it sent for us.

It answers 200 when all of it is committed, repeats included: what was answered with anything else,
the provider posts again. Who proves nothing gets 403, and changes nothing.
"""

from flask import Blueprint, Response, abort, request

from preference_center.core import inbound_counts
from preference_center.core.vocab import InboundEffect
from preference_center.inbound.events import EventProcessor
from preference_center.providers.event import InvalidSignatureError, WebhookRequest
from preference_center.web.access import Caller, open_to
from preference_center.web.bodies import read_body
from preference_center.web.services import services

blueprint = Blueprint("hooks", __name__)


@blueprint.post("/hooks/<provider>")
@open_to(Caller.PROVIDER)
def take(provider: str) -> Response:
    """Do what each event says; a provider without a secret of ours is not there."""
    wired, now = services(), services().clock()
    reader = wired.providers.get(provider)
    if reader is None:
        abort(404)
    posted = WebhookRequest(
        read_body(reader.max_body_bytes), lambda name: request.headers.get(name, "")
    )
    try:
        events = reader.read(posted, now)
    except InvalidSignatureError:
        wired.inbound_counts.count(
            inbound_counts.key(provider, InboundEffect.INVALID_SIGNATURE, now)
        )
        raise
    if not events:
        wired.inbound_counts.count(inbound_counts.key(provider, InboundEffect.IGNORED, now))
    EventProcessor(wired.database, wired.settings, wired.clock).process_all(provider, events)
    return Response("Done.\n", mimetype="text/plain")
