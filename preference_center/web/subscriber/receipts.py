"""`/r/`: the goodbye after a change, and undo (screens B and D)."""

from flask import Blueprint, redirect
from werkzeug.wrappers import Response

from preference_center.core import consent, receipts, subscribers
from preference_center.core import undo as undoing
from preference_center.core.errors import UndoSupersededError, UndoTooLateError
from preference_center.core.receipts import ShownReceipt
from preference_center.links import Receipt, read_receipt
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber.forms import LeaveForm
from preference_center.web.subscriber.leaving import leave, look, to_receipt

blueprint = Blueprint("receipts", __name__)


@blueprint.get("/r/<link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Tell what changed and whether it still holds; safe to reload for ever."""
    return _page("subscriber/receipt.html", link, _read(link))


@blueprint.get("/r/<link>/undo")
@open_to(Caller.LINK)
def ask_undo(link: str) -> str:
    """Ask before undoing: the mail's link comes here, and looking changes nothing."""
    return _page("subscriber/undo.html", link, _read(link))


@blueprint.post("/r/<link>/undo")
@open_to(Caller.LINK)
def undo(link: str) -> Response:
    """Put everything back as it was."""
    receipt, now = _read(link), services().clock()
    with services().database.transaction() as session:
        subscriber = subscribers.lock(session, receipt.subscriber_id, now)
        shown_in = language(subscriber.locale)
        act = consent.Act(
            source="page",
            occurred_at=now,
            now=now,
            wording=render("subscriber/undo_wording.txt", shown_in).strip(),
            confirm_after=services().settings.confirm_after("page"),
        )
        outcome = undoing.undo(session, subscriber, receipt.first, receipt.last, act)
    if not outcome.changed:
        return redirect(url("receipts.show", link=link), 303)
    return to_receipt(receipt.subscriber_id, outcome)


@blueprint.post("/r/<link>/leave")
@open_to(Caller.LINK)
def leave_again(link: str) -> Response:
    """Leave after all, from the page that says everything is as it was."""
    receipt, form = _read(link), LeaveForm()
    standing, already = look(receipt.subscriber_id)[0], url("receipts.show", link=link)
    if not form.says_what_of(standing.topics):
        return redirect(already, 303)
    return leave(receipt.subscriber_id, form.chosen_topic, None, already)


def _read(link: str) -> Receipt:
    return read_receipt(link, services().settings.server_keys)


def _page(template: str, link: str, receipt: Receipt) -> str:
    shown, locale = _shown(receipt)
    if template == "subscriber/undo.html":
        _refuse(shown)
        if shown.state == "undone":
            template = "subscriber/receipt.html"
    return render(
        template,
        locale,
        receipt=shown,
        standing=shown.standing,
        undo_url=url("receipts.undo", link=link),
        action=url("receipts.leave_again", link=link),
        page_url=url("receipts.show", link=link),
    )


def _shown(receipt: Receipt) -> tuple[ShownReceipt, str]:
    person = receipt.subscriber_id
    with services().database.reading() as session:
        known = subscribers.find(session, person)
        locale = language(known.locale if known is not None else None)
        shown = receipts.read(
            session, person, receipt.first, receipt.last, locale, services().clock()
        )
    if shown is None:
        raise UndoSupersededError("what was changed is no longer on record")
    return shown, locale


def _refuse(shown: ShownReceipt) -> None:
    if shown.state == "expired":
        raise UndoTooLateError
    if shown.state in {"superseded", "final"}:
        raise UndoSupersededError
