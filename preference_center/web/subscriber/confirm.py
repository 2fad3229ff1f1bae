"""`/c/`: join a topic by a link that was mailed to the address (screen G)."""

from datetime import datetime, timedelta

from flask import Blueprint
from werkzeug.wrappers import Response

from preference_center.core import choices, subscribers, topics
from preference_center.core.errors import LinkTooOldError
from preference_center.core.preferences import TopicStanding
from preference_center.server_links import Confirm, read_confirm
from preference_center.web.access import Caller, open_to
from preference_center.web.services import render, services, url
from preference_center.web.subscriber.changes import (
    joining,
    look,
    own_act,
    preferences_url,
    to_receipt,
)

LIFE = timedelta(days=7)

blueprint = Blueprint("confirm", __name__)


@blueprint.get("/c/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Ask before joining: looking changes nothing."""
    confirm = _read(link)
    standing, locale = look(confirm.subscriber_id)
    topic = standing.topics.get(confirm.topic)
    _refuse_what_is_over(confirm, topic, standing.bounced_at)
    return render(
        "subscriber/confirm.html",
        locale,
        standing=standing,
        topic=topic,
        action=url("confirm.submit", link=link),
        preferences_url=preferences_url(confirm.subscriber_id, confirm.topic, "confirm"),
        page_url=url("confirm.show", link=link),
    )


@blueprint.post("/c/<signed:link>/join")
@open_to(Caller.LINK)
def submit(link: str) -> Response:
    """Start the topic; whoever gets it already keeps getting it."""
    confirm = _read(link)
    standing, locale = look(confirm.subscriber_id)
    shown = standing.topics.get(confirm.topic)
    _refuse_what_is_over(confirm, shown, standing.bounced_at)
    act = own_act("confirm", joining(shown.name if shown else confirm.topic, locale))
    with services().database.transaction() as session:
        topic = topics.get(session, confirm.topic)
        person = subscribers.lock(session, confirm.subscriber_id, act.now)
        outcome = choices.join(session, person, topic, act, arrived_on=confirm.day)
    return to_receipt(confirm.subscriber_id, outcome, url("confirm.show", link=link))


def _read(link: str) -> Confirm:
    return read_confirm(link, services().settings.server_keys)


def _refuse_what_is_over(
    confirm: Confirm, topic: TopicStanding | None, bounced_at: datetime | None
) -> None:
    too_old = services().clock().date() > confirm.day + LIFE
    # It shows that mail arrived, but not that it still does.
    bounced = bounced_at is not None and bounced_at.date() > confirm.day
    gone = topic is None or topic.archived
    if too_old or bounced or gone:
        raise LinkTooOldError
