"""The demo's page of a webhook: a program that can be stopped, and what is posted to it."""

from datetime import timedelta
from uuid import UUID

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from preference_center.core import subscribers, webhooks
from preference_center.demo import campaign, deliveries, inbox, receiver, rendering
from preference_center.demo.receiver import TOPIC, Program
from preference_center.links.server import Receipt, write_receipt
from preference_center.outbound.sequencer import Sequencer
from preference_center.web.access import Caller, open_to
from preference_center.web.services import services, url

blueprint = Blueprint("webhook", __name__, url_prefix="/webhook")  # below that of the pages

RETRY_AFTER = (timedelta(seconds=5),) * 8640  # for half a day


@blueprint.get("")
@open_to(Caller.ANYONE)
def show() -> Response:
    """Show the program, what it has received, and what waits for it."""
    with services().database.reading() as session:
        program = deliveries.program_on_record(session, rendering.folder())
        found = deliveries.load(session, program, services().clock()) if program else None
    return rendering.page(
        "demo/webhook.html",
        program=program,
        deliveries=found,
        topic=TOPIC,
        path=deliveries.PATH,
        refreshes=found is not None and found.is_changing,
    )


@blueprint.post("/events")
@open_to(Caller.ANYONE)
def receive() -> tuple[str, int]:
    """Receive an event, as the program does. Its signature says who has sent it."""
    headers = {name.lower(): value for name, value in request.headers}
    now = services().clock()
    return "", receiver.receive(rendering.folder(), headers, request.get_data(), now)


@blueprint.post("/add")
@open_to(Caller.ANYONE)
def add() -> AnyResponse:
    """Add the webhook, as `preference-center webhooks add` does."""
    app, folder = services(), rendering.folder()
    while Sequencer(app.database, app.clock).number():
        pass  # Otherwise the half year that was just made would be posted.
    with app.database.transaction() as session:
        if deliveries.program_on_record(session, folder) is None:
            target, now = f"{app.settings.public_url}{deliveries.PATH}", app.clock()
            webhook, secret = webhooks.add(session, target, (), now)
            reader_id, reader = deliveries.another_reader(session, app.settings.minter())
            program = Program(str(webhook.id), secret, reader, str(reader_id), now)
            receiver.save(folder, program)
    return _to_page()


@blueprint.post("/start")
@open_to(Caller.ANYONE)
def start() -> AnyResponse:
    """Start the program."""
    receiver.switch(rendering.folder(), services().clock(), is_running=True)
    return _to_page()


@blueprint.post("/stop")
@open_to(Caller.ANYONE)
def stop() -> AnyResponse:
    """Stop the program."""
    receiver.switch(rendering.folder(), services().clock(), is_running=False)
    return _to_page()


@blueprint.post("/leave")
@open_to(Caller.ANYONE)
def leave() -> AnyResponse:
    """Unsubscribe the program's reader, as a mailbox provider does (RFC 8058)."""
    latest = campaign.latest_campaign(rendering.folder(), TOPIC)
    minter, day = services().settings.minter(), services().clock().date()
    links = minter.mint(_program().reader, TOPIC, latest, day=day)
    inbox.press_unsubscribe(links.unsubscribe_url)
    return _to_page()


@blueprint.post("/undo")
@open_to(Caller.ANYONE)
def undo() -> AnyResponse:
    """Undo the newest change of the program's reader, as the button of its receipt does."""
    app, reader_id = services(), UUID(_program().reader_id)
    with app.database.reading() as session:
        subscriber = subscribers.find(session, reader_id) or abort(404)
    receipt = Receipt(app.clock().date(), reader_id, subscriber.seq, subscriber.seq)
    link = write_receipt(receipt, app.settings.server_keys)
    inbox.press(f"{app.settings.public_url}/r/{link}/undo")
    return _to_page()


def _program() -> Program:
    return receiver.load(rendering.folder()) or abort(404)


def _to_page() -> AnyResponse:
    return redirect(url("demo.webhook.show"), 303)
