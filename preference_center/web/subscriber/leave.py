"""`/u/`: leave this topic, or everything (screen A)."""

from flask import Blueprint
from werkzeug.wrappers import Response

from preference_center.core import topics
from preference_center.links import Link, read_link, write_link
from preference_center.web.access import Caller, open_to
from preference_center.web.services import render, services, url
from preference_center.web.subscriber.forms import LeaveForm
from preference_center.web.subscriber.leaving import leave, look

blueprint = Blueprint("leave", __name__)


@blueprint.get("/u/<link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Show what can be left; look, and change nothing."""
    return _page(link, _read(link))


@blueprint.post("/u/<link>/leave")
@open_to(Caller.LINK)
def submit(link: str) -> Response | tuple[str, int]:
    """Do what the pressed button says."""
    signed, form = _read(link), LeaveForm()
    if not form.validate():
        return _page(link, signed, problem=True), 400
    topic = signed.topic if form.scope.data == "topic" else None
    already = url("leave.show", link=link)
    return leave(signed.subscriber_id, topic, signed.campaign, already)


def _read(link: str) -> Link:
    return read_link("unsubscribe", link, services().settings.link_keys)


def _page(link: str, signed: Link, *, problem: bool = False) -> str:
    standing, locale = look(signed.subscriber_id)
    preferences_link = write_link("preferences", signed, services().settings.link_keys)
    return render(
        "subscriber/leave.html",
        locale,
        standing=standing,
        topic=standing.topics.get(signed.topic),
        topic_name=topics.name_from_slug(signed.topic),
        single=standing.is_all_there_is(signed.topic),
        problem=problem and standing.all_stopped_at is None,
        action=url("leave.submit", link=link),
        preferences_url=url("preferences.show", link=preferences_link),
        page_url=url("leave.show", link=link),
    )
