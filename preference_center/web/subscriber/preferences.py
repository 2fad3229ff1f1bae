"""`/p/`: a subscriber's preferences on one page."""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import receipts, subscribers, subscriptions
from preference_center.core.errors import StalePageError
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.preferences_form import (
    PauseAll,
    SaveForm,
    SaveResult,
    TopicUpdate,
    is_current,
)
from preference_center.core.receipts import ShownReceipt
from preference_center.core.vocab import Frequency, NotSaved, Pause, ReceiptState
from preference_center.links.minter import Link, read_link
from preference_center.links.server import read_receipt
from preference_center.links.signing import BadLink
from preference_center.web.access import Caller, open_to
from preference_center.web.services import render, services, url
from preference_center.web.subscriber import wordings
from preference_center.web.subscriber.changes import (
    count_page_view,
    has_smtp,
    leave,
    load_preferences,
    make,
    own_context,
    receipt_of,
    to_receipt,
)
from preference_center.web.subscriber.forms import LeaveForm, PauseForm, read_updates

blueprint = Blueprint("preferences", __name__)


@blueprint.get("/p/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Show every topic and how often the subscriber gets it. Changes nothing."""
    signed = _read(link)
    count_page_view(signed)
    return _page(link, signed)


@blueprint.post("/p/<signed:link>/leave")
@open_to(Caller.LINK)
def submit(link: str) -> Response | tuple[str, int]:
    """Unsubscribe from a topic or from everything, depending on the pressed button."""
    signed, form = _read(link), LeaveForm()
    current, _ = load_preferences(signed.subscriber_id)
    if not form.is_for(current.topics):
        return _page(link, signed, problem="leave"), 400
    unchanged_url = url("preferences.show", link=link)
    return leave(signed.subscriber_id, form.chosen_topic, signed.campaign, unchanged_url)


@blueprint.post("/p/<signed:link>/pause")
@open_to(Caller.LINK)
def pause(link: str) -> Response | tuple[str, int]:
    """Pause every topic that the subscriber receives."""
    signed, form = _read(link), PauseForm()
    if not form.validate():
        return _page(link, signed, problem="pause"), 400
    context = own_context(signed.campaign)
    result = make(PauseAll(signed.subscriber_id, form.chosen, context))
    return to_receipt(signed.subscriber_id, result, _here(link, said="nothing"))


@blueprint.post("/p/<signed:link>/save")
@open_to(Caller.LINK)
def save(link: str) -> Response | tuple[str, int]:
    """Save the form, or show which preferences have changed since the page was opened."""
    signed = _read(link)
    current, locale = load_preferences(signed.subscriber_id)
    asked = read_updates()
    if asked is None:
        return _page(link, signed, problem="leave"), 400
    chosen = _chosen_language()
    context = own_context(signed.campaign)
    try:
        saved = make(SaveForm(signed.subscriber_id, asked, context, chosen, has_smtp()))
    except StalePageError:
        return _page(link, signed, problem="stale", asked=asked), 409
    if saved.result.changed:
        receipt = receipt_of(signed.subscriber_id, saved.result)
        return redirect(_here(link, saved=receipt, **_notices(saved)), 303)
    switched = chosen is not None and chosen != (current.locale or locale)
    said = "requested" if saved.requested else "language" if switched else "nothing"
    return redirect(_here(link, said=said, **_notices(saved)), 303)


def _notices(saved: SaveResult) -> dict[str, list[str]]:
    """Return the topics to list in the URL of the page: those requested, and those refused."""
    refused = {
        why.value: [slug for slug, each in saved.refused.items() if each is why] for why in NotSaved
    }
    return {"requested": saved.requested, **refused}


def _chosen_language() -> str | None:
    """Return the language chosen in the form, if it is offered."""
    chosen = request.form.get("language")
    return chosen if chosen in services().languages.offered else None


def _here(link: str, **values: object) -> str:
    if "lang" in request.args and (chosen := _chosen_language()) is not None:
        values["lang"] = chosen  # The form's choice overrides the switch.
    return url("preferences.show", link=link, **values)


def _read(link: str) -> Link:
    return read_link("preferences", link, services().settings.link_keys)


def _page(
    link: str, signed: Link, problem: str = "", asked: list[TopicUpdate] | None = None
) -> str:
    current, locale = load_preferences(signed.subscriber_id)
    now, zone = services().clock(), services().settings.time_zone
    saved, saved_link = _saved(signed, locale)
    return render(
        "subscriber/preferences.html",
        locale,
        current=current,
        pauses={pause: subscriptions.paused_until(pause, now, zone) for pause in Pause},
        problem=problem if current.all_stopped_at is None or problem == "stale" else "",
        asked={each.slug: each for each in asked or () if each.changes},
        differing=_differing(current, asked or []),
        chosen_language=_chosen_language() if problem else None,
        said=request.args.get("said", "") if not problem else "",
        saved=saved if not problem else None,
        saved_undo_url=url("receipts.undo", link=saved_link) if saved_link else "",
        undo_digest=wordings.digest(wordings.to_undo(locale)),
        requested=_named(current, "requested"),
        refused={why: names for why in NotSaved if (names := _named(current, why))},
        action=url("preferences.submit", link=link),
        save_url=url("preferences.save", link=link),
        pause_url=url("preferences.pause", link=link),
        page_url=url("preferences.show", link=link),
    )


def _named(current: SubscriberPreferences, what: str) -> list[str]:
    """Return the names of the topics listed under `what` in the URL of the page."""
    slugs = request.args.getlist(what)
    return [topic.name for topic in current.topics.values() if topic.slug in slugs]


def _differing(
    current: SubscriberPreferences, asked: list[TopicUpdate]
) -> list[tuple[TopicPreference, Frequency | None]]:
    """Return the topics that have changed since the form was shown, and the shown frequency."""
    return [
        (current.topics[each.slug], each.was)
        for each in asked
        if each.slug in current.topics and not is_current(each, current)
    ]


def _saved(signed: Link, locale: str) -> tuple[ShownReceipt | None, str]:
    """Return the receipt in the URL of the page, and its link, if it is this subscriber's."""
    link = request.args.get("saved", "")
    try:
        receipt = read_receipt(link, services().settings.server_keys)
    except BadLink:
        return None, ""
    if receipt.subscriber_id != signed.subscriber_id:
        return None, ""
    with services().database.reading() as session:
        subscriber = subscribers.find(session, receipt.subscriber_id)
        now, zone = services().clock(), services().settings.time_zone
        first, last = receipt.first, receipt.last
        shown = receipts.read(session, subscriber, first, last, locale, now, zone)
    active = shown is not None and shown.state is ReceiptState.ACTIVE
    return (shown, link) if active else (None, "")
