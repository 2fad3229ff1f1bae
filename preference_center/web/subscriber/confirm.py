"""`/c/`: start a topic by a link that was emailed to the address (screen G)."""

from datetime import timedelta

from flask import Blueprint, redirect
from werkzeug.wrappers import Response

from preference_center.core import joining, preferences, subscribers, topics
from preference_center.core.errors import LinkTooOldError
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.vocab import ConfirmState
from preference_center.links.server import Confirm, read_confirm
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber.changes import (
    join_wording,
    own_act,
    preferences_url,
    smtp,
    to_receipt,
)

LIFE = timedelta(days=7)

blueprint = Blueprint("confirm", __name__)


@blueprint.get("/c/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Ask before joining: looking changes nothing."""
    confirm = _read(link)
    standing, state, locale = _look(confirm)
    if state is ConfirmState.EXPIRED:
        raise LinkTooOldError
    return render(
        "subscriber/confirm.html",
        locale,
        standing=standing,
        state=state,
        topic=standing.topics[confirm.topic],
        action=url("confirm.submit", link=link),
        again_url=url("confirm.ask_again", link=link),
        preferences_url=preferences_url(confirm.subscriber_id, confirm.topic, "confirm"),
        page_url=url("confirm.show", link=link),
    )


@blueprint.post("/c/<signed:link>/join")
@open_to(Caller.LINK)
def submit(link: str) -> Response:
    """Start the topic, or answer with the page that says why this link does not."""
    confirm = _read(link)
    standing, state, locale = _look(confirm)
    if state is ConfirmState.EXPIRED:
        raise LinkTooOldError
    context = own_act("confirm", join_wording(standing.topics[confirm.topic].name, locale))
    with services().database.transaction() as session:
        topic = topics.get(session, confirm.topic)
        person = subscribers.lock(session, confirm.subscriber_id, context.recorded_at)
        result = joining.join(session, person, topic, context, asked_at=confirm.asked_at)
    return to_receipt(confirm.subscriber_id, result, url("confirm.show", link=link))


@blueprint.post("/c/<signed:link>/again")
@open_to(Caller.LINK)
def ask_again(link: str) -> Response:
    """Email a newer link in place of one that an unsubscribe has overtaken."""
    confirm = _read(link)
    standing, state, _ = _look(confirm)
    if state is ConfirmState.EXPIRED:
        raise LinkTooOldError
    if state is not ConfirmState.UNSUBSCRIBED:
        return redirect(url("confirm.show", link=link), 303)
    person, topic, now = confirm.subscriber_id, standing.topics[confirm.topic], services().clock()
    with services().database.transaction() as session:
        refused = joining.ask_again(session, person, topic.slug, now, smtp=smtp())
    told = {refused.value: [topic.slug]} if refused is not None else {"mailed": [topic.slug]}
    return redirect(preferences_url(person, topic.slug, "confirm", **told), 303)


def _read(link: str) -> Confirm:
    """Return what a link says, or raise BadLink, or LinkTooOldError after its 7 days."""
    confirm = read_confirm(link, services().settings.server_keys)
    if services().clock().date() > confirm.day + LIFE:
        raise LinkTooOldError
    return confirm


def _look(confirm: Confirm) -> tuple[SubscriberPreferences, ConfirmState, str]:
    """Return where a person stands, what the link can do now, and the language to say it in."""
    with services().database.reading() as session:
        subscriber = subscribers.find(session, confirm.subscriber_id)
        locale = language(subscriber.locale if subscriber is not None else None)
        known, now = topics.list_topics(session), services().clock()
        wanted = next((topic for topic in known if topic.slug == confirm.topic), None)
        state = joining.confirm_state(subscriber, wanted, confirm.asked_at)
        return preferences.read(subscriber, known, locale, now), state, locale
