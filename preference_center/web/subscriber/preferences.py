"""`/p/`: everything that somebody gets, on one page (screen F)."""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import preferences_form, receipts, subscriptions
from preference_center.core.errors import StalePageError
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.preferences_form import TopicUpdate
from preference_center.core.receipts import ShownReceipt
from preference_center.core.vocab import NotSaved
from preference_center.links.minter import Link, read_link
from preference_center.links.server import read_receipt
from preference_center.links.signing import BadLink
from preference_center.web.access import Caller, open_to
from preference_center.web.services import render, services, url
from preference_center.web.subscriber.changes import (
    count_page_view,
    leave,
    load_preferences,
    own_act,
    receipt_of,
    smtp,
    to_receipt,
)
from preference_center.web.subscriber.forms import LeaveForm, PauseForm, read_updates

blueprint = Blueprint("preferences", __name__)


@blueprint.get("/p/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Show every topic and what comes of it; look, and change nothing."""
    signed = _read(link)
    count_page_view(signed)
    return _page(link, signed)


@blueprint.post("/p/<signed:link>/leave")
@open_to(Caller.LINK)
def submit(link: str) -> Response | tuple[str, int]:
    """Do what the pressed button says."""
    signed, form = _read(link), LeaveForm()
    standing, _ = load_preferences(signed.subscriber_id)
    if not form.says_what_of(standing.topics):
        return _page(link, signed, problem="leave"), 400
    already = url("preferences.show", link=link)
    return leave(signed.subscriber_id, form.chosen_topic, signed.campaign, already)


@blueprint.post("/p/<signed:link>/pause")
@open_to(Caller.LINK)
def pause(link: str) -> Response | tuple[str, int]:
    """Pause every topic that comes."""
    signed, form = _read(link), PauseForm()
    if not form.validate():
        return _page(link, signed, problem="pause"), 400
    with services().database.transaction() as session:
        result = preferences_form.pause_all(
            session, signed.subscriber_id, form.length.data, own_act(signed.campaign)
        )
    return to_receipt(signed.subscriber_id, result, _here(link, said="nothing"))


@blueprint.post("/p/<signed:link>/save")
@open_to(Caller.LINK)
def save(link: str) -> Response | tuple[str, int]:
    """Do all that the form says, or show what is no longer as the page had it."""
    signed = _read(link)
    standing, locale = load_preferences(signed.subscriber_id)
    asked = read_updates()
    if asked is None:
        return _page(link, signed, problem="leave"), 400
    spoken = _spoken()
    context = own_act(signed.campaign)
    try:
        with services().database.transaction() as session:
            saved = preferences_form.save(
                session, signed.subscriber_id, asked, context, spoken, smtp=smtp()
            )
    except StalePageError:
        return _page(link, signed, problem="stale", asked=asked), 409
    if saved.result.changed:
        receipt = receipt_of(signed.subscriber_id, saved.result)
        return redirect(_here(link, saved=receipt, **_told(saved)), 303)
    switched = spoken is not None and spoken != (standing.locale or locale)
    said = "mailed" if saved.mailed else "language" if switched else "nothing"
    return redirect(_here(link, said=said, **_told(saved)), 303)


def _told(saved: preferences_form.SaveResult) -> dict[str, list[str]]:
    """Return the topics to name in the address of the page: those mailed, and those refused."""
    refused = {
        why.value: [slug for slug, each in saved.refused.items() if each is why] for why in NotSaved
    }
    return {"mailed": saved.mailed, **refused}


def _spoken() -> str | None:
    """Return the language that the form chooses, if it is one of ours."""
    chosen = request.form.get("language")
    return chosen if chosen in services().languages.offered else None


def _here(link: str, **values: object) -> str:
    if "lang" in request.args and (spoken := _spoken()) is not None:
        values["lang"] = spoken  # what is chosen here beats the switch
    return url("preferences.show", link=link, **values)


def _read(link: str) -> Link:
    return read_link("preferences", link, services().settings.link_keys)


def _page(
    link: str, signed: Link, problem: str = "", asked: list[TopicUpdate] | None = None
) -> str:
    standing, locale = load_preferences(signed.subscriber_id)
    now = services().clock()
    saved, saved_link = _saved(signed, locale)
    return render(
        "subscriber/preferences.html",
        locale,
        standing=standing,
        pauses={length: subscriptions.paused_until(length, now) for length in subscriptions.PAUSES},
        problem=problem if standing.all_stopped_at is None or problem == "stale" else "",
        asked={wish.slug: wish for wish in asked or () if wish.changes},
        differing=_differing(standing, asked or []),
        spoken=_spoken() if problem else None,
        said=request.args.get("said", "") if not problem else "",
        saved=saved if not problem else None,
        saved_undo_url=url("receipts.undo", link=saved_link) if saved_link else "",
        mailed=_named(standing, "mailed"),
        refused={why: names for why in NotSaved if (names := _named(standing, why))},
        action=url("preferences.submit", link=link),
        save_url=url("preferences.save", link=link),
        pause_url=url("preferences.pause", link=link),
        page_url=url("preferences.show", link=link),
    )


def _named(standing: SubscriberPreferences, what: str) -> list[str]:
    """Return the names of the topics that the address of the page lists under `what`."""
    slugs = request.args.getlist(what)
    return [topic.name for topic in standing.topics.values() if topic.slug in slugs]


def _differing(
    standing: SubscriberPreferences, asked: list[TopicUpdate]
) -> list[tuple[TopicPreference, str]]:
    """Return each topic that is not as the form had it, or cannot be joined, and what it was."""
    return [
        (standing.topics[wish.slug], wish.was)
        for wish in asked
        if wish.slug in standing.topics and not preferences_form.is_current(wish, standing)
    ]


def _saved(signed: Link, locale: str) -> tuple[ShownReceipt | None, str]:
    """Return what was just saved, as the address says; nothing if it is somebody else's."""
    link = request.args.get("saved", "")
    try:
        receipt = read_receipt(link, services().settings.server_keys)
    except BadLink:
        return None, ""
    if receipt.subscriber_id != signed.subscriber_id:
        return None, ""
    with services().database.reading() as session:
        shown = receipts.read(
            session,
            receipt.subscriber_id,
            receipt.first,
            receipt.last,
            locale,
            services().clock(),
        )
    return (shown, link) if shown is not None and shown.state == "standing" else (None, "")
