"""A fresh link by mail, for whoever has lost theirs (screen E).

It answers the same, in the same time, for addresses that are known and those that are not (P8).
"""

from flask import Blueprint, abort, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import outbox
from preference_center.core.vocab import OutboxKind
from preference_center.links.cleaning import subscriber_id
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber.forms import LinkForm

blueprint = Blueprint("new_link", __name__)


@blueprint.get("/new-link")
@open_to(Caller.ANYONE)
def show() -> str:
    """Show the form by itself."""
    _refuse_without_mail()
    return _page()


@blueprint.post("/new-link")
@open_to(Caller.ANYONE)
def submit() -> Response | tuple[str, int]:
    """Queue a mail to the address, if we know it; say the same whether we do or not."""
    _refuse_without_mail()
    wired, form = services(), LinkForm()
    if not form.validate():
        return _page(str(form.email.data or ""), problem=True), 400
    if not wired.limits.allow(request.remote_addr or ""):
        abort(429)
    person = subscriber_id(str(form.email.data), wired.settings.identity_key)
    with wired.database.transaction() as session:
        outbox.request(session, person, OutboxKind.LINK, wired.clock())
    return redirect(url("new_link.sent"), 303)


@blueprint.get("/new-link/sent")
@open_to(Caller.ANYONE)
def sent() -> str:
    """Say where to look; it tells nothing about any address."""
    return render("subscriber/link_sent.html", language())


def _page(email: str = "", *, problem: bool = False) -> str:
    return render("subscriber/new_link.html", language(), email=email, problem=problem)


def _refuse_without_mail() -> None:
    if services().settings.smtp_url is None:
        abort(404)
