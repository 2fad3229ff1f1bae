"""`/hooks/<provider>`: a mail provider posts events about emails that it sent for us.

The answer is 200 once every event is committed, repeated events included; after any other answer
the provider posts again. A request without a valid signature gets 403 and changes nothing.
"""

from flask import Blueprint, Response, abort, request

from preference_center.core import inbound_counts
from preference_center.core.vocab import InboundEffect
from preference_center.inbound.events import EventProcessor
from preference_center.providers.event import InvalidSignatureError, WebhookRequest
from preference_center.web import errors
from preference_center.web.access import Caller, open_to
from preference_center.web.bodies import read_body
from preference_center.web.services import services

blueprint = Blueprint("provider_webhooks", __name__)
errors.register_machine(blueprint)


@blueprint.post("/hooks/<provider>")
@open_to(Caller.PROVIDER)
def take(provider: str) -> Response:
    """Process the events. A provider without a configured secret gets 404."""
    app_services, now = services(), services().clock()
    reader = app_services.providers.get(provider)
    if reader is None:
        abort(404)
    posted = WebhookRequest(
        read_body(reader.max_body_bytes), lambda name: request.headers.get(name, "")
    )
    try:
        events = reader.read(posted, now)
    except InvalidSignatureError:
        app_services.inbound_counts.count(
            inbound_counts.key(provider, InboundEffect.INVALID_SIGNATURE, now)
        )
        raise
    if not events:
        app_services.inbound_counts.count(inbound_counts.key(provider, InboundEffect.IGNORED, now))
    EventProcessor(app_services.database, app_services.settings, app_services.clock).process_all(
        provider, events
    )
    return Response("Done.\n", mimetype="text/plain")
