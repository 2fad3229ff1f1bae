"""`/r/`: the receipt after a change, and undo."""

from flask import Blueprint, redirect
from werkzeug.wrappers import Response

from preference_center.core import reasons, receipts, subscribers
from preference_center.core.errors import UndoSupersededError, UndoTooLateError
from preference_center.core.receipts import ShownReceipt
from preference_center.core.undo import Undo
from preference_center.core.vocab import ReasonCode, ReceiptState
from preference_center.links.server import Receipt, read_receipt
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber import wordings
from preference_center.web.subscriber.changes import (
    leave,
    load_preferences,
    make,
    own_context,
    preferences_url,
    to_receipt,
)
from preference_center.web.subscriber.forms import LeaveForm, ReasonForm

blueprint = Blueprint("receipts", __name__)


@blueprint.get("/r/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Show what changed and whether it still applies. Changes nothing."""
    return _page("subscriber/receipt.html", link, _read(link))


@blueprint.get("/r/<signed:link>/undo")
@blueprint.get("/r/<signed:link>/undo<appended:rest>")
@open_to(Caller.LINK)
def ask_undo(link: str, rest: str = "") -> str:
    """Ask before undoing. The undo link in emails opens this page. Changes nothing."""
    return _page("subscriber/undo.html", link, _read(link))


@blueprint.post("/r/<signed:link>/undo")
@open_to(Caller.LINK)
def undo(link: str) -> Response:
    """Restore the preferences from before the change."""
    receipt = _read(link)
    _, locale = load_preferences(receipt.subscriber_id)
    context = own_context(wording=wordings.shown_to_undo(locale))
    result = make(Undo(receipt.subscriber_id, receipt.first, receipt.last, context))
    return to_receipt(receipt.subscriber_id, result, url("receipts.show", link=link))


@blueprint.post("/r/<signed:link>/leave")
@open_to(Caller.LINK)
def leave_again(link: str) -> Response:
    """Unsubscribe with the button of the receipt page."""
    receipt, form = _read(link), LeaveForm()
    current, _ = load_preferences(receipt.subscriber_id)
    unchanged_url = url("receipts.show", link=link)
    if not form.is_for(current.topics):
        return redirect(unchanged_url, 303)
    return leave(receipt.subscriber_id, form.chosen_topic, None, unchanged_url)


@blueprint.post("/r/<signed:link>/reason")
@open_to(Caller.LINK)
def give_reason(link: str) -> Response | tuple[str, int]:
    """Record why the subscriber left. A second answer replaces the first."""
    receipt, form = _read(link), ReasonForm()
    shown, _ = _shown(receipt)
    if shown.reason_for is None:
        raise UndoSupersededError("the subscriber has not left by this change")
    if form.problem:
        return _page("subscriber/receipt.html", link, receipt, form), 400
    code, now = form.chosen, services().clock()
    with services().database.transaction() as session:
        reasons.record(session, receipt.subscriber_id, shown.reason_for, code, form.text, now)
    return redirect(url("receipts.show", link=link, _anchor="why"), 303)


def _read(link: str) -> Receipt:
    return read_receipt(link, services().settings.server_keys)


def _page(template: str, link: str, receipt: Receipt, form: ReasonForm | None = None) -> str:
    shown, locale = _shown(receipt)
    if template == "subscriber/undo.html":
        _refuse(shown)
        if shown.state is ReceiptState.UNDONE:
            template = "subscriber/receipt.html"
    return render(
        template,
        locale,
        receipt=shown,
        current=shown.preferences,
        problem=form.problem if form is not None else "",
        code=form.code.data if form is not None else None,
        note=form.text if form is not None else "",
        codes=list(ReasonCode),
        undo_url=url("receipts.undo", link=link),
        undo_digest=wordings.digest(wordings.to_undo(locale)),
        reason_url=url("receipts.give_reason", link=link),
        preferences_url=_preferences_url(receipt, shown),
        action=url("receipts.leave_again", link=link),
        page_url=url("receipts.show", link=link),
    )


def _preferences_url(receipt: Receipt, shown: ShownReceipt) -> str:
    topic = shown.changes[0].topic
    return preferences_url(receipt.subscriber_id, topic.slug if topic else "all", "receipt")


def _shown(receipt: Receipt) -> tuple[ShownReceipt, str]:
    now, zone = services().clock(), services().settings.time_zone
    with services().database.reading() as session:
        subscriber = subscribers.find(session, receipt.subscriber_id)
        locale = language(subscriber.locale if subscriber is not None else None)
        first, last = receipt.first, receipt.last
        shown = receipts.read(session, subscriber, first, last, locale, now, zone)
    if shown is None:
        raise UndoSupersededError("what was changed is no longer on record")
    return shown, locale


def _refuse(shown: ShownReceipt) -> None:
    if shown.state is ReceiptState.EXPIRED:
        raise UndoTooLateError
    if shown.state in (ReceiptState.SUPERSEDED, ReceiptState.FINAL):
        raise UndoSupersededError
