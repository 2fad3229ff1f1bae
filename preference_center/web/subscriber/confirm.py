"""`/c/`: start a topic with a confirm link that was emailed to the address.

The link of a sign-up has the same path; `sign_up_links` shows its page.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, redirect
from werkzeug.wrappers import Response

from preference_center.core import joining, preferences, subscribers, topics
from preference_center.core.joining import AskAgain, StartTopic
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.vocab import ConfirmState
from preference_center.links.server import Confirm, read_confirm
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber import sign_up_links, wordings
from preference_center.web.subscriber.changes import (
    chosen_language,
    has_smtp,
    make,
    own_context,
    preferences_url,
    to_receipt,
)

blueprint = Blueprint("confirm", __name__)


@dataclass(frozen=True)
class _Opened:
    """A link that was opened, and what it can do now. `names` are its topic's, by language."""

    confirm: Confirm
    current: SubscriberPreferences
    state: ConfirmState
    names: Mapping[str, str]
    locale: str


@blueprint.get("/c/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> tuple[str, int]:
    """Ask before starting the topic. Changes nothing."""
    if sign_up_links.is_one(link):
        return sign_up_links.show(link)
    opened = _open(link)
    return _page(link, opened), 410 if opened.state is ConfirmState.EXPIRED else 200


@blueprint.post("/c/<signed:link>/join")
@open_to(Caller.LINK)
def submit(link: str) -> Response | tuple[str, int]:
    """Start the topic, or redirect to the page that says why the link cannot start it.

    If the text of the page has changed since it was shown, show it again.
    """
    if sign_up_links.is_one(link):
        return sign_up_links.submit(link)
    opened, shown_url = _open(link), url("confirm.show", link=link)
    if opened.state is not ConfirmState.READY:
        return redirect(shown_url, 303)
    wording = wordings.shown_to_join(opened.names, opened.locale)
    if wording is None:
        return _page(link, opened, problem="changed"), 409
    confirm, context = opened.confirm, own_context("confirm", wording)
    result = make(StartTopic(confirm.subscriber_id, confirm.topic, confirm.asked_at, context))
    return to_receipt(confirm.subscriber_id, result, shown_url)


@blueprint.post("/c/<signed:link>/again")
@open_to(Caller.LINK)
def ask_again(link: str) -> Response:
    """Email a new link to replace one that a later unsubscribe has invalidated."""
    opened = _open(link)
    if opened.state is not ConfirmState.UNSUBSCRIBED:
        return redirect(url("confirm.show", link=link), 303)
    subscriber_id, topic = opened.confirm.subscriber_id, opened.confirm.topic
    refused = make(AskAgain(subscriber_id, topic, has_smtp(), chosen_language()))
    notice = refused.value if refused is not None else "requested"
    return redirect(preferences_url(subscriber_id, topic, "confirm", **{notice: [topic]}), 303)


@blueprint.post("/c/<signed:link>/never")
@open_to(Caller.LINK)
def never(link: str) -> Response:
    """Never email the address of a sign-up's link again."""
    return sign_up_links.never(link)


def _page(link: str, opened: _Opened, problem: str = "") -> str:
    confirm, locale = opened.confirm, opened.locale
    label = wordings.to_join(opened.names.get(locale, ""), locale)
    topic = opened.current.topics.get(confirm.topic)
    return render(
        "subscriber/confirm.html",
        locale,
        current=opened.current,
        masked=opened.current.masked,
        state=opened.state,
        texts=[topic] if topic is not None else [],
        asked_at=confirm.asked_at,
        label=label,
        digest=wordings.digest(label),
        problem=problem,
        action=url("confirm.submit", link=link),
        again_url=url("confirm.ask_again", link=link),
        preferences_url=preferences_url(confirm.subscriber_id, confirm.topic, "confirm"),
        page_url=url("confirm.show", link=link),
    )


def _open(link: str) -> _Opened:
    """Return what a link is for and what it can do now, or raise BadLink."""
    confirm = read_confirm(link, services().settings.server_keys)
    with services().database.reading() as session:
        subscriber = subscribers.find(session, confirm.subscriber_id)
        locale = language(subscriber.locale if subscriber is not None else None)
        known, now = topics.list_topics(session), services().clock()
        wanted = next((topic for topic in known if topic.slug == confirm.topic), None)
        state = joining.confirm_state(subscriber, wanted, confirm.asked_at)
        if now.date() > confirm.day + joining.LINK_LIFETIME:
            state = ConfirmState.EXPIRED
        current = preferences.read(subscriber, known, locale, now)
        offered = services().languages.offered
        names = {code: topics.name(wanted, code) for code in offered} if wanted else {}
        return _Opened(confirm, current, state, names, locale)
