"""`/p/`: what somebody gets, and leaving any of it (screen F, so far without asking for less)."""

from flask import Blueprint
from werkzeug.wrappers import Response

from preference_center.links import Link, read_link
from preference_center.web.access import Caller, open_to
from preference_center.web.services import render, services, url
from preference_center.web.subscriber.forms import LeaveForm
from preference_center.web.subscriber.leaving import leave, look

blueprint = Blueprint("preferences", __name__)


@blueprint.get("/p/<link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Show every topic that somebody gets; look, and change nothing."""
    return _page(link, _read(link))


@blueprint.post("/p/<link>/leave")
@open_to(Caller.LINK)
def submit(link: str) -> Response | tuple[str, int]:
    """Do what the pressed button says."""
    signed, form = _read(link), LeaveForm()
    standing, _ = look(signed.subscriber_id)
    if not form.says_what_of(standing.topics):
        return _page(link, signed, problem=True), 400
    already = url("preferences.show", link=link)
    return leave(signed.subscriber_id, form.chosen_topic, signed.campaign, already)


def _read(link: str) -> Link:
    return read_link("preferences", link, services().settings.link_keys)


def _page(link: str, signed: Link, *, problem: bool = False) -> str:
    standing, locale = look(signed.subscriber_id)
    return render(
        "subscriber/preferences.html",
        locale,
        standing=standing,
        problem=problem and standing.all_stopped_at is None,
        action=url("preferences.submit", link=link),
        page_url=url("preferences.show", link=link),
    )
