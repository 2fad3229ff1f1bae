"""`/u/`: leave this topic or everything, or ask for less of it (screen A)."""

from datetime import datetime

from flask import Blueprint
from werkzeug.wrappers import Response

from preference_center.core import subscribers, subscriptions, topics
from preference_center.core.preferences import TopicPreference
from preference_center.links.minter import Link, read_link
from preference_center.web.access import Caller, open_to
from preference_center.web.services import render, services, url
from preference_center.web.subscriber.changes import (
    count_page_view,
    leave,
    load_preferences,
    own_act,
    preferences_url,
    to_receipt,
)
from preference_center.web.subscriber.forms import LeaveForm, LessForm

blueprint = Blueprint("leave", __name__)


@blueprint.get("/u/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Show what can be left; look, and change nothing."""
    signed = _read(link)
    count_page_view(signed)
    return _page(link, signed)


@blueprint.post("/u/<signed:link>/leave")
@open_to(Caller.LINK)
def submit(link: str) -> Response | tuple[str, int]:
    """Do what the pressed button says."""
    signed, form = _read(link), LeaveForm()
    if not form.validate():
        return _page(link, signed, problem="leave"), 400
    topic = signed.topic if form.scope.data == "topic" else None
    already = url("leave.show", link=link)
    return leave(signed.subscriber_id, topic, signed.campaign, already)


@blueprint.post("/u/<signed:link>/less")
@open_to(Caller.LINK)
def ask_for_less(link: str) -> Response | tuple[str, int]:
    """Cap or pause the topic; whoever gets none of it now keeps getting none."""
    signed, form = _read(link), LessForm()
    if not form.validate():
        return _page(link, signed, problem="less"), 400
    context = own_act(signed.campaign)
    with services().database.transaction() as session:
        topic = topics.get_or_create(session, signed.topic, context.recorded_at)
        person = subscribers.lock(session, signed.subscriber_id, context.recorded_at)
        result = subscriptions.reduce_or_pause(session, person, topic, form.choice.data, context)
    return to_receipt(signed.subscriber_id, result, url("leave.show", link=link))


def _read(link: str) -> Link:
    return read_link("unsubscribe", link, services().settings.link_keys)


def _page(link: str, signed: Link, problem: str = "") -> str:
    standing, locale = load_preferences(signed.subscriber_id)
    topic, now = standing.topics.get(signed.topic), services().clock()
    return render(
        "subscriber/leave.html",
        locale,
        standing=standing,
        topic=topic,
        topic_name=topics.name_from_slug(signed.topic),
        single=standing.is_complete(signed.topic),
        options=_options(topic, now) if topic is not None and topic.received else [],
        problem=problem if standing.all_stopped_at is None else "",
        action=url("leave.submit", link=link),
        less_url=url("leave.ask_for_less", link=link),
        preferences_url=preferences_url(signed.subscriber_id, signed.topic, signed.campaign),
        page_url=url("leave.show", link=link),
    )


def _options(topic: TopicPreference, now: datetime) -> list[tuple[str, datetime | None]]:
    """Return what is less than now: caps, and pauses with when they end."""
    ends = {length: subscriptions.paused_until(length, now) for length in subscriptions.PAUSES}
    longer = [
        (length, end)
        for length, end in ends.items()
        if topic.paused_until is None or end > topic.paused_until
    ]
    return [*((cap, None) for cap in topic.smaller), *longer]
