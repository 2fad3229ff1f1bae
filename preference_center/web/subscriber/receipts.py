"""`/r/`: the receipt after a change, and undo."""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import reasons
from preference_center.core.errors import (
    UndoNotOfferedError,
    UndoRefusal,
    UndoSupersededError,
    UndoTooLateError,
)
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.receipts import ShownReceipt
from preference_center.core.subscriptions import Reduce
from preference_center.core.undo import Undo
from preference_center.core.vocab import Frequency, ReceiptState
from preference_center.links.server import Receipt, read_receipt
from preference_center.web.access import Caller, open_to
from preference_center.web.services import offered_codes, render, services, url
from preference_center.web.subscriber import wordings
from preference_center.web.subscriber.changes import (
    has_smtp,
    leave,
    load_preferences,
    load_receipt,
    make,
    own_context,
    preferences_url,
    to_receipt,
)
from preference_center.web.subscriber.forms import CapForm, LeaveForm, ReasonForm

_REFUSALS: dict[type[UndoRefusal], tuple[str, int]] = {
    UndoTooLateError: ("errors/too_late.html", 410),
    UndoSupersededError: ("errors/superseded.html", 409),
    UndoNotOfferedError: ("errors/superseded.html", 409),
}

blueprint = Blueprint("receipts", __name__)


@blueprint.get("/r/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Show what changed and whether it still applies. Changes nothing."""
    receipt = _read(link)
    return _page(link, receipt, *_shown(receipt))


@blueprint.get("/r/<signed:link>/undo")
@blueprint.get("/r/<signed:link>/undo<appended:rest>")
@open_to(Caller.LINK)
def ask_undo(link: str, rest: str = "") -> str:
    """Ask before undoing. The undo link in emails opens this page. Changes nothing."""
    receipt = _read(link)
    shown, locale = _shown(receipt)
    _refuse(shown)
    if shown.state is ReceiptState.UNDONE:
        return _page(link, receipt, shown, locale)
    return render(
        "subscriber/undo.html",
        locale,
        receipt=shown,
        current=shown.preferences,
        undo_url=url("receipts.undo", link=link),
        undo_digest=wordings.undo_digest(locale),
        receipt_url=url("receipts.show", link=link),
        preferences_url=_preferences_url(link, receipt, shown),
        page_url=url("receipts.ask_undo", link=link),
    )


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
    unchanged_url = url("receipts.show", link=link)
    if not form.is_for(lambda: load_preferences(receipt.subscriber_id)[0].topics):
        return redirect(unchanged_url, 303)
    return leave(receipt.subscriber_id, form.chosen_topic, None, unchanged_url)


@blueprint.post("/r/<signed:link>/less")
@open_to(Caller.LINK)
def cap(link: str) -> Response:
    """Cap a topic that still comes, as the page offers to those who got too many emails."""
    receipt, form = _read(link), CapForm()
    current, _ = load_preferences(receipt.subscriber_id)
    unchanged_url = url("receipts.show", link=link)
    if not form.validate() or form.topic.data not in current.topics:
        return redirect(unchanged_url, 303)
    topic = str(form.topic.data)
    result = make(Reduce(receipt.subscriber_id, topic, Frequency.MONTHLY, own_context()))
    return to_receipt(receipt.subscriber_id, result, unchanged_url)


@blueprint.post("/r/<signed:link>/reason")
@open_to(Caller.LINK)
def give_reason(link: str) -> Response | tuple[str, int]:
    """Record why the subscriber left. A second answer replaces the first."""
    receipt, form = _read(link), ReasonForm()
    shown, locale = _shown(receipt)
    if shown.reason_for is None:
        raise UndoSupersededError("the subscriber has not left by this change")
    if form.is_too_long:
        return _page(link, receipt, shown, locale, form), 400
    code, now = form.chosen, services().clock()
    if code is not None:
        with services().database.transaction() as session:
            reasons.record(session, receipt.subscriber_id, shown.reason_for, code, form.text, now)
    return redirect(url("receipts.show", link=link, _anchor="why"), 303)


@blueprint.errorhandler(UndoRefusal)
def refuse(refusal: UndoRefusal) -> tuple[str, int]:
    """Say why a change cannot be undone, on a page that leads to the preferences."""
    link = (request.view_args or {})["link"]
    subscriber_id = _read(link).subscriber_id
    _, locale = load_preferences(subscriber_id)
    template, status = _REFUSALS[type(refusal)]
    return render(
        template, locale, preferences_url=preferences_url(subscriber_id, "all", "receipt")
    ), status


def _read(link: str) -> Receipt:
    return read_receipt(link, services().settings.server_keys)


def _page(
    link: str, receipt: Receipt, shown: ShownReceipt, locale: str, form: ReasonForm | None = None
) -> str:
    """Return the receipt, or the form for a reason with its error."""
    return render(
        "subscriber/receipt.html",
        locale,
        receipt=shown,
        current=shown.preferences,
        problem="long" if form is not None else "",
        code=form.chosen if form is not None else shown.reason,
        note=form.text if form is not None else "",
        codes=offered_codes(),
        cappable=_cappable(shown.preferences),
        undo_url=url("receipts.undo", link=link),
        undo_digest=wordings.undo_digest(locale),
        reason_url=url("receipts.give_reason", link=link),
        cap_url=url("receipts.cap", link=link),
        preferences_url=_preferences_url(link, receipt, shown),
        action=url("receipts.leave_again", link=link),
        page_url=url("receipts.show", link=link),
    )


def _preferences_url(link: str, receipt: Receipt, shown: ShownReceipt) -> str:
    """Return the path of the preferences page; without SMTP, undo is its only way back."""
    topic = shown.changes[0].topic
    undo = {} if has_smtp() else {"receipt": [link]}
    slug = topic.slug if topic else "all"
    return preferences_url(receipt.subscriber_id, slug, "receipt", **undo)


def _cappable(current: SubscriberPreferences) -> TopicPreference | None:
    """Return the topic that is sent most often, unless it is capped to once a month.

    The choice does not depend on what is capped, so that no second cap is offered.
    """
    topic = max(current.received, key=lambda each: len(each.caps), default=None)
    return topic if topic is not None and Frequency.MONTHLY in topic.smaller else None


def _shown(receipt: Receipt) -> tuple[ShownReceipt, str]:
    shown, locale = load_receipt(receipt)
    if shown is None:
        raise UndoSupersededError("what was changed is no longer on record")
    return shown, locale


def _refuse(shown: ShownReceipt) -> None:
    if shown.state is ReceiptState.EXPIRED:
        raise UndoTooLateError
    if shown.state in (ReceiptState.SUPERSEDED, ReceiptState.FINAL):
        raise UndoSupersededError
