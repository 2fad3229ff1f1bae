"""`/hooks/<provider>`: a mail provider posts events about emails that it sent for us.

The answer is 200 once every event is committed, repeated events included; after any other answer
the provider posts again. A request without a valid signature gets 403 and changes nothing.
"""

import logging

from flask import Blueprint, Response, abort, request

from preference_center.core import inbound_counts
from preference_center.core.inbound_vocab import InboundEffect
from preference_center.inbound.events import EventProcessor
from preference_center.providers.event import (
    InvalidSignatureError,
    MalformedEventError,
    WebhookRequest,
)
from preference_center.web import errors
from preference_center.web.access import Caller, open_to
from preference_center.web.bodies import read_body
from preference_center.web.services import services

log = logging.getLogger(__name__)

blueprint = Blueprint("provider_webhooks", __name__)
errors.register_machine(blueprint)


@blueprint.post("/hooks/<provider>")
@open_to(Caller.PROVIDER)
def take(provider: str) -> Response:
    """Process the events of a provider; 404 if its secret is not configured."""
    app, now = services(), services().clock()
    reader = app.event_readers.get(provider)
    if reader is None:
        abort(404)
    body = read_body(reader.max_body_bytes)
    posted = WebhookRequest(body, lambda name: request.headers.get(name, ""))
    try:
        events = reader.read(posted, now)
    except (InvalidSignatureError, MalformedEventError) as error:
        log.warning("webhook of %s refused: %s", provider, error)
        if isinstance(error, InvalidSignatureError):
            effect = InboundEffect.INVALID_SIGNATURE
            app.inbound_counts.count(inbound_counts.key(provider, effect, now))
        raise
    if not events:
        app.inbound_counts.count(inbound_counts.key(provider, InboundEffect.IGNORED, now))
    EventProcessor(app.database, app.settings, app.clock).process_all(provider, events)
    return Response("Done.\n", mimetype="text/plain")
