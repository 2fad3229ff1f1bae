"""`/u/`: unsubscribe from this topic or from everything, or reduce the topic."""

from datetime import datetime

from flask import Blueprint
from werkzeug.wrappers import Response

from preference_center.core import subscriptions, topics
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.subscriptions import Reduce
from preference_center.core.vocab import Frequency, Pause, Scope
from preference_center.links.minter import Link, read_link
from preference_center.web.access import Caller, open_to
from preference_center.web.services import render, services, url
from preference_center.web.subscriber import trials
from preference_center.web.subscriber.changes import (
    count_page_view,
    leave,
    load_preferences,
    make,
    own_context,
    preferences_url,
    to_receipt,
    unsubscribe,
)
from preference_center.web.subscriber.forms import LeaveForm, ReduceForm

blueprint = Blueprint("leave", __name__)


@blueprint.get("/u/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Show the choices. Changes nothing."""
    signed = _read(link)
    count_page_view(signed)
    return _page(link, signed)


@blueprint.post("/u/<signed:link>/leave")
@open_to(Caller.LINK)
def submit(link: str) -> Response | str | tuple[str, int]:
    """Unsubscribe from the topic or from everything, depending on the pressed button."""
    signed, form = _read(link), LeaveForm()
    if not form.validate():
        return _page(link, signed, problem="leave"), 400
    topic = signed.topic if form.scope.data == Scope.TOPIC else None
    unchanged_url = url("leave.show", link=link)
    if trials.is_test(signed):
        return trials.show(unsubscribe(signed.subscriber_id, topic, signed.campaign), unchanged_url)
    return leave(signed.subscriber_id, topic, signed.campaign, unchanged_url)


@blueprint.post("/u/<signed:link>/less")
@open_to(Caller.LINK)
def reduce(link: str) -> Response | str | tuple[str, int]:
    """Cap or pause the topic. If the subscriber does not receive it, that does not change."""
    signed, form = _read(link), ReduceForm()
    if not form.validate():
        return _page(link, signed, problem="less"), 400
    context, shown_url = own_context(signed.campaign), url("leave.show", link=link)
    change = Reduce(signed.subscriber_id, signed.topic, form.chosen, context)
    if trials.is_test(signed):
        return trials.show(change, shown_url)
    return to_receipt(signed.subscriber_id, make(change), shown_url)


def _read(link: str) -> Link:
    return read_link("unsubscribe", link, services().settings.link_keys)


def _page(link: str, signed: Link, problem: str = "") -> str:
    current, locale = load_preferences(signed.subscriber_id)
    topic = current.topics.get(signed.topic)
    over = topic is not None and (topic.archived or topic.stopped_at is not None)
    can_leave = _can_leave(current, over=over)
    return render(
        "subscriber/leave.html",
        locale,
        current=current,
        topic=topic,
        topic_name=topics.name_from_slug(signed.topic),
        over=over,
        can_leave=can_leave,
        others=_others(current, signed.topic),
        single=current.is_complete(signed.topic),
        options=_options(topic) if topic is not None and topic.received else [],
        problem=problem if can_leave else "",
        is_test=trials.is_test(signed),
        action=url("leave.submit", link=link),
        reduce_url=url("leave.reduce", link=link),
        preferences_url=preferences_url(signed.subscriber_id, signed.topic, signed.campaign),
        page_url=url("leave.show", link=link),
    )


def _can_leave(current: SubscriberPreferences, *, over: bool) -> bool:
    """Return True if there is something to leave. `over` says that it is not the link's topic."""
    # What is sent to an address that is not on file is not known here.
    comes = bool(current.received) or current.email is None
    return current.all_stopped_at is None and (comes or not over)


def _others(current: SubscriberPreferences, slug: str) -> list[TopicPreference]:
    """Return the other topics that are known to be received."""
    received = current.received if current.email is not None else []
    return [topic for topic in received if topic.slug != slug]


def _options(topic: TopicPreference) -> list[tuple[Frequency | Pause, datetime | None]]:
    """Return the choices that reduce the topic: lower caps, and longer pauses with their end."""
    now, zone = services().clock(), services().settings.time_zone
    longer = subscriptions.longer_pauses(topic.paused_until, now, zone)
    return [*((cap, None) for cap in topic.smaller), *longer.items()]
