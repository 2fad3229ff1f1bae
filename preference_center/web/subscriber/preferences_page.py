"""The page of a subscriber's preferences, as a link opens it and as a form is shown again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import request, url_for

from preference_center.core import joining, subscribers, subscriptions, topics
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.preferences_form import TopicUpdate, is_current
from preference_center.core.receipts import ShownReceipt
from preference_center.core.vocab import Frequency, NotSaved, Pause, ReceiptState
from preference_center.links.minter import Link, read_link
from preference_center.links.server import SIGNED_IN_CAMPAIGN, read_receipt, read_signed_in
from preference_center.links.signing import BadLink
from preference_center.web.services import render, services, url
from preference_center.web.subscriber import trials, wordings
from preference_center.web.subscriber.changes import (
    has_smtp,
    load_preferences,
    load_receipt,
    preferences_link,
)
from preference_center.web.subscriber.forms import PreferencesForm

_SAID = ("language", "nothing")  # What a form that made no change has done.


@dataclass(frozen=True)
class Opened:
    """A link that was opened: its text, what it says, and whether it is a signed-in link.

    One that has `expired` is as a preferences link, and `link` is the text of one.
    """

    link: str
    signed: Link
    signed_in: bool = False
    expired: bool = False


def open_link(link: str) -> Opened:
    """Return what a preferences link or a signed-in link says, or raise BadLink."""
    settings = services().settings
    try:
        return Opened(link, read_link("preferences", link, settings.link_keys))
    except BadLink:
        read = read_signed_in(link, settings.server_keys)
    signed = Link(read.day, read.subscriber_id, "all", SIGNED_IN_CAMPAIGN)
    if services().clock() < read.expires_at:
        return Opened(link, signed, signed_in=True)
    plain = preferences_link(signed.subscriber_id, signed.topic, signed.campaign)
    return Opened(plain, signed, expired=True)


def preview(subscriber_id: UUID) -> str:
    """Return the page as a preferences link opens it, in the subscriber's language or the default.

    It contains no link that works: its forms and links lead nowhere.
    """
    current, locale = load_preferences(subscriber_id, services().languages.choose)
    signed = Link(services().clock().date(), subscriber_id, "all", "")
    urls = dict.fromkeys(("action", "save_url", "language_url", "account_url", "page_url"), "#")
    return _rendered(Opened("", signed), current, locale, urls)


def show(opened: Opened, problem: str = "", form: PreferencesForm | None = None) -> str:
    """Return the page, with what was wrong with the form that was sent, and its choices."""
    link = opened.link
    current, locale = load_preferences(opened.signed.subscriber_id)
    urls = {
        "action": url("preferences.submit", link=link),
        "save_url": url("preferences.save", link=link),
        "language_url": url_for("preferences.switch_language", link=link),
        "account_url": url("preferences.request_account_link", link=link),
        "page_url": url("preferences.show", link=link),
    }
    return _rendered(opened, current, locale, urls, problem, form)


def _rendered(
    opened: Opened,
    current: SubscriberPreferences,
    locale: str,
    urls: Mapping[str, str],
    problem: str = "",
    form: PreferencesForm | None = None,
) -> str:
    signed = opened.signed
    asked = form.updates if form is not None else []
    differing = _differing(current, asked)
    problem = problem or ("stale" if differing else "")
    startable = _startable(current)
    joinable = startable or opened.signed_in
    waiting, at_once = _joinable(opened, current) if joinable else (set(), set())
    return render(
        "subscriber/preferences.html",
        locale,
        current=current,
        signed_in=opened.signed_in,
        startable=startable | at_once,
        at_once=at_once,
        tick_digests=_tick_digests(current, at_once, locale),
        can_ask=_can_ask(opened, current),
        waiting=waiting,
        pauses=_pauses(current),
        pause=form.pause if form is not None else None,
        problem=problem if current.all_stopped_at is None or problem == "stale" else "",
        asked={each.slug: each for each in asked if each.changes},
        differing=differing,
        shown_language=services().languages.choose(current.locale) if current.locale else locale,
        chosen_language=form.language if form is not None and form.touched else "",
        undo_digest=wordings.undo_digest(locale),
        is_test=trials.is_test(signed),
        **_told(signed, current, is_problem=bool(problem)),
        **urls,
    )


def _told(signed: Link, current: SubscriberPreferences, *, is_problem: bool) -> dict[str, object]:
    """Return what the URL of the page tells: what was saved or not, and what can be undone."""
    saved, saved_link = _receipt(signed, "saved")
    _, undo_link = _receipt(signed, "receipt")
    said = request.args.get("said")
    return {
        "said": said if said in _SAID and not is_problem else "",
        "saved": saved if not is_problem else None,
        "saved_undo_url": url("receipts.undo", link=saved_link) if saved_link else "",
        "undo_url": url("receipts.undo", link=undo_link) if undo_link else "",
        "requested": _named(current, "requested"),
        "refused": {why: names for why in NotSaved if (names := _named(current, why))},
    }


def _startable(current: SubscriberPreferences) -> set[str]:
    """Return the topics whose confirm link can be emailed."""
    found = {slug for slug, topic in current.topics.items() if current.can_start(topic)}
    return found if has_smtp() else set()


def _pauses(current: SubscriberPreferences) -> dict[Pause, datetime]:
    """Return the pauses that the page offers, with their end: only longer ones during a pause."""
    now, zone = services().clock(), services().settings.time_zone
    return subscriptions.longer_pauses(current.paused_until, now, zone)


def _can_ask(opened: Opened, current: SubscriberPreferences) -> bool:
    """Return True if more may be asked for of a topic that is received."""
    told = has_smtp() and current.email is not None
    return (told or opened.signed_in) and current.reachable


def _joinable(opened: Opened, current: SubscriberPreferences) -> tuple[set[str], set[str]]:
    """Return the topics that an emailed confirm link would start, and those that the page would."""
    now, shown = services().clock(), {topic.slug for topic in current.shown}
    with services().database.reading() as session:
        subscriber = subscribers.find(session, opened.signed.subscriber_id)
        known = topics.list_topics(session)
        waiting = joining.waiting(session, subscriber, known, now)
    if not opened.signed_in:
        return waiting, set()
    starting = (each for each in known if joining.starts_at_once(subscriber, each, now))
    return waiting, {each.slug for each in starting} & shown


def _tick_digests(current: SubscriberPreferences, at_once: set[str], locale: str) -> dict[str, str]:
    """Return the digest of what the page says about each topic that it starts at once."""
    starting = (topic for topic in current.shown if topic.slug in at_once)
    return {topic.slug: wordings.digest(wordings.to_tick(topic, locale)) for topic in starting}


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


def _receipt(signed: Link, name: str) -> tuple[ShownReceipt | None, str]:
    """Return the receipt in the page's URL, and its link, if it is theirs and can be undone."""
    link = request.args.get(name, "")
    try:
        receipt = read_receipt(link, services().settings.server_keys)
    except BadLink:
        return None, ""
    if receipt.subscriber_id != signed.subscriber_id:
        return None, ""
    shown, _ = load_receipt(receipt)
    active = shown is not None and shown.state is ReceiptState.ACTIVE
    return (shown, link) if active else (None, "")
