"""Email a new preferences link to a subscriber who has lost theirs.

The answer and the time it takes are the same for known and unknown addresses (P8).
"""

from flask import Blueprint, abort, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import outbox
from preference_center.core.vocab import OutboxKind
from preference_center.links.cleaning import subscriber_id
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber.changes import has_smtp
from preference_center.web.subscriber.forms import LinkForm

blueprint = Blueprint("new_link", __name__)


@blueprint.get("/new-link")
@open_to(Caller.ANYONE)
def show() -> str:
    """Show the form."""
    _refuse_without_smtp()
    return _page()


@blueprint.post("/new-link")
@open_to(Caller.ANYONE)
def submit() -> Response | tuple[str, int]:
    """Queue an email to the address. The worker drops it if the address is unknown."""
    _refuse_without_smtp()
    form = LinkForm()
    if not form.validate():
        return _page(str(form.email.data or ""), problem=True), 400
    if not services().limits.hit(request.remote_addr or ""):
        abort(429)
    recipient = subscriber_id(str(form.email.data), services().settings.identity_key)
    with services().database.transaction() as session:
        outbox.request(session, [(recipient, OutboxKind.LINK, "")], services().clock())
    return redirect(url("new_link.sent"), 303)


@blueprint.get("/new-link/sent")
@open_to(Caller.ANYONE)
def sent() -> str:
    """Ask to check the inbox. The page is the same for every address."""
    _refuse_without_smtp()
    return render("subscriber/link_sent.html", language())


def _page(email: str = "", *, problem: bool = False) -> str:
    return render("subscriber/new_link.html", language(), email=email, problem=problem)


def _refuse_without_smtp() -> None:
    if not has_smtp():
        abort(404)
