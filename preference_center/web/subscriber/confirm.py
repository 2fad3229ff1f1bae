"""`/c/`: start a topic with a confirm link that was emailed to the address."""

from flask import Blueprint, redirect
from werkzeug.wrappers import Response

from preference_center.core import joining, preferences, subscribers, topics
from preference_center.core.errors import LinkTooOldError
from preference_center.core.joining import AskAgain, StartTopic
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.vocab import ConfirmState
from preference_center.links.server import Confirm, read_confirm
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber.changes import (
    chosen_language,
    has_smtp,
    join_wording,
    make,
    own_context,
    preferences_url,
    to_receipt,
)

blueprint = Blueprint("confirm", __name__)


@blueprint.get("/c/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Ask before starting the topic. Changes nothing."""
    confirm = _read(link)
    current, state, locale = _load(confirm)
    return render(
        "subscriber/confirm.html",
        locale,
        current=current,
        state=state,
        topic=current.topics[confirm.topic],
        action=url("confirm.submit", link=link),
        again_url=url("confirm.ask_again", link=link),
        preferences_url=preferences_url(confirm.subscriber_id, confirm.topic, "confirm"),
        page_url=url("confirm.show", link=link),
    )


@blueprint.post("/c/<signed:link>/join")
@open_to(Caller.LINK)
def submit(link: str) -> Response:
    """Start the topic, or redirect to the page that says why the link cannot start it."""
    confirm = _read(link)
    current, _, locale = _load(confirm)
    wording = join_wording(current.topics[confirm.topic].name, locale)
    context = own_context("confirm", wording)
    change = StartTopic(confirm.subscriber_id, confirm.topic, confirm.asked_at, context)
    result = make(change)
    return to_receipt(confirm.subscriber_id, result, url("confirm.show", link=link))


@blueprint.post("/c/<signed:link>/again")
@open_to(Caller.LINK)
def ask_again(link: str) -> Response:
    """Email a new link to replace one that a later unsubscribe has invalidated."""
    confirm = _read(link)
    current, state, _ = _load(confirm)
    if state is not ConfirmState.UNSUBSCRIBED:
        return redirect(url("confirm.show", link=link), 303)
    subscriber_id, topic = confirm.subscriber_id, current.topics[confirm.topic]
    refused = make(AskAgain(subscriber_id, topic.slug, has_smtp(), chosen_language()))
    notice = refused.value if refused is not None else "requested"
    here = preferences_url(subscriber_id, topic.slug, "confirm", **{notice: [topic.slug]})
    return redirect(here, 303)


def _read(link: str) -> Confirm:
    """Return the content of a link. Raise BadLink, or LinkTooOldError after 7 days."""
    confirm = read_confirm(link, services().settings.server_keys)
    if services().clock().date() > confirm.day + joining.LINK_LIFETIME:
        raise LinkTooOldError
    return confirm


def _load(confirm: Confirm) -> tuple[SubscriberPreferences, ConfirmState, str]:
    """Return the preferences, what the link can do now, and the language of the page.

    Raise LinkTooOldError if the topic is gone, or the address has bounced since.
    """
    with services().database.reading() as session:
        subscriber = subscribers.find(session, confirm.subscriber_id)
        locale = language(subscriber.locale if subscriber is not None else None)
        known, now = topics.list_topics(session), services().clock()
        wanted = next((topic for topic in known if topic.slug == confirm.topic), None)
        state = joining.confirm_state(subscriber, wanted, confirm.asked_at)
        if state is ConfirmState.EXPIRED:
            raise LinkTooOldError
        return preferences.read(subscriber, known, locale, now), state, locale
