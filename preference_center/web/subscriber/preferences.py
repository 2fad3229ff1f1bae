"""`/p/`: a subscriber's preferences on one page.

A signed-in link opens it too, and can start topics at once. When it has expired, a page that is
still open can be sent: it counts as one that a preferences link opened, so that no choice is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from preference_center.core import joining, subscribers, subscriptions, topics
from preference_center.core.errors import StalePageError
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.preferences_form import SaveForm, SaveResult, TopicUpdate, is_current
from preference_center.core.receipts import ShownReceipt
from preference_center.core.vocab import Frequency, KeyKind, NotSaved, Pause, ReceiptState
from preference_center.links.minter import Link, read_link
from preference_center.links.server import SIGNED_IN_CAMPAIGN, read_receipt, read_signed_in
from preference_center.links.signing import BadLink, signer
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber import account_links, trials, wordings
from preference_center.web.subscriber.changes import (
    count_page_view,
    has_smtp,
    leave,
    load_preferences,
    load_receipt,
    make,
    own_context,
    preferences_link,
    receipt_of,
    unsubscribe,
)
from preference_center.web.subscriber.forms import (
    LeaveForm,
    PreferencesForm,
    read_preferences,
    sent_preferences,
)

_MAX_URL = 6_000  # Proxies commonly refuse a request line of more than 8 KB.
_SAID = ("language", "nothing")  # What a form that made no change has done.

blueprint = Blueprint("preferences", __name__)


@blueprint.get("/p/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str | tuple[str, int]:
    """Show every topic and how often the subscriber gets it. Changes nothing.

    Choices that `switch_language` has put into the URL are shown and not saved.
    """
    opened = _open(link)
    if opened.expired:
        return render("errors/expired.html", language()), 410
    count_page_view(opened.signed)
    return _page(opened, form=_kept(link))


@blueprint.post("/p/<signed:link>/leave")
@open_to(Caller.LINK)
def submit(link: str) -> Response | str | tuple[str, int]:
    """Unsubscribe from a topic or from everything, depending on the pressed button."""
    opened, form = _open(link), LeaveForm()
    signed = opened.signed
    if not form.is_for(lambda: load_preferences(signed.subscriber_id)[0].topics):
        return _page(opened, problem="leave"), 400
    topic, unchanged_url = form.chosen_topic, url("preferences.show", link=opened.link)
    if trials.is_test(signed):
        return trials.show(unsubscribe(signed.subscriber_id, topic, signed.campaign), unchanged_url)
    return leave(signed.subscriber_id, topic, signed.campaign, unchanged_url)


@blueprint.post("/p/<signed:link>/language")
@open_to(Caller.LINK)
def switch_language(link: str) -> Response | str:
    """Show the page in the language of the pressed button, with its choices. Changes nothing.

    The choices are in the URL, so that a browser can go back to the page and load it again.
    """
    opened, form = _open(link), sent_preferences()
    kept = {**form.query(), "seal": _seal(opened.link, form)} if form is not None else {}
    shown_url = url("preferences.show", link=opened.link, **kept)
    if len(shown_url) > _MAX_URL:
        return _page(opened, form=form)
    return redirect(shown_url, 303)


@blueprint.post("/p/<signed:link>/save")
@open_to(Caller.LINK)
def save(link: str) -> Response | str | tuple[str, int]:
    """Save the form, or show which preferences have changed since the page was opened."""
    opened, form = _open(link), sent_preferences()
    signed = opened.signed
    current, locale = load_preferences(signed.subscriber_id)
    if form is None:
        return _page(opened, problem="leave"), 400
    stored = _language_to_store(form, current)
    wordings_shown = wordings.shown_to_tick(current.shown, locale) if opened.signed_in else None
    change = SaveForm(
        signed.subscriber_id,
        form.updates,
        own_context(signed.campaign, language=stored if form.touched else None),
        stored,
        has_smtp(),
        form.pause,
        wordings_shown,
    )
    try:
        if trials.is_test(signed):
            return trials.show(change, url("preferences.show", link=link))
        saved = make(change)
    except StalePageError:
        return _page(opened, problem="stale", form=form), 409
    notices: dict[str, object] = {**_notices(saved)}
    if form.touched and stored is not None and "lang" in request.args:
        notices["lang"] = stored  # The form's choice overrides the switch.
    if saved.result.changed:
        notices["saved"] = receipt_of(signed.subscriber_id, saved.result)
    elif not saved.requested:
        switched = stored is not None and stored != (current.locale or locale)
        notices["said"] = "language" if switched else "nothing"
    return redirect(url("preferences.show", link=opened.link, **notices), 303)


@blueprint.post("/p/<signed:link>/my-data")
@open_to(Caller.LINK)
def request_account_link(link: str) -> Response:
    """Email a link to what is on record. The answer is the same whatever that is."""
    opened = _open(link)
    if trials.is_test(opened.signed):
        return redirect(url("preferences.show", link=link), 303)
    return account_links.send(opened.signed.subscriber_id)


def _notices(saved: SaveResult) -> dict[str, list[str]]:
    """Return the topics to list in the URL of the page: those requested, and those refused."""
    refused = {
        why.value: [slug for slug, each in saved.refused.items() if each is why] for why in NotSaved
    }
    return {"requested": saved.requested, **refused}


def _language_to_store(form: PreferencesForm, current: SubscriberPreferences) -> str | None:
    """Return the language of the form, unless one is stored and the form did not change it."""
    chosen = form.touched or current.locale is None
    return form.language if chosen and form.language in services().languages.offered else None


@dataclass(frozen=True)
class _Opened:
    """A link that was opened: its text, what it says, and whether it is a signed-in link.

    One that has `expired` is as a preferences link, and `link` is the text of one.
    """

    link: str
    signed: Link
    signed_in: bool = False
    expired: bool = False


def _open(link: str) -> _Opened:
    """Return what a preferences link or a signed-in link says, or raise BadLink."""
    settings = services().settings
    try:
        return _Opened(link, read_link("preferences", link, settings.link_keys))
    except BadLink:
        read = read_signed_in(link, settings.server_keys)
    signed = Link(read.day, read.subscriber_id, "all", SIGNED_IN_CAMPAIGN)
    if services().clock() < read.expires_at:
        return _Opened(link, signed, signed_in=True)
    plain = preferences_link(signed.subscriber_id, signed.topic, signed.campaign)
    return _Opened(plain, signed, expired=True)


def _kept(link: str) -> PreferencesForm | None:
    """Return the choices in the URL, or None. The seal keeps a sender from preselecting any."""
    form = read_preferences(request.args)
    seal = request.args.get("seal", "").encode()
    good = form is not None and compare_digest(seal, _seal(link, form).encode())
    return form if good else None


def _seal(link: str, form: PreferencesForm) -> str:
    """Return the signature of choices in a URL."""
    key = services().database.signing_keys[KeyKind.SERVER][-1]
    choices = urlencode(form.query(), doseq=True)
    return signer("choices", key).get_signature(f"{link}?{choices}").decode()


def preview(subscriber_id: UUID) -> str:
    """Return the page as a preferences link opens it, in the subscriber's language or the default.

    It contains no link that works: its forms and links lead nowhere.
    """
    current, locale = load_preferences(subscriber_id, services().languages.choose)
    signed = Link(services().clock().date(), subscriber_id, "all", "")
    urls = dict.fromkeys(("action", "save_url", "language_url", "account_url", "page_url"), "#")
    return _rendered(_Opened("", signed), current, locale, urls)


def _page(opened: _Opened, problem: str = "", form: PreferencesForm | None = None) -> str:
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
    opened: _Opened,
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


def _can_ask(opened: _Opened, current: SubscriberPreferences) -> bool:
    """Return True if more may be asked for of a topic that is received."""
    told = has_smtp() and current.email is not None
    return (told or opened.signed_in) and current.reachable


def _joinable(opened: _Opened, current: SubscriberPreferences) -> tuple[set[str], set[str]]:
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
