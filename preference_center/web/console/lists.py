"""Lists of people by filters, files of them, and less email for all people of a list.

A change is for the people who were on the list when it was previewed, and for no others.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID, uuid4

from flask import abort, request
from werkzeug.wrappers import Response

from preference_center.core import topics
from preference_center.core.console_jobs import jobs
from preference_center.core.errors import ListRefusal
from preference_center.core.lists import frozen, people, reading
from preference_center.core.lists.choice import OFFERED, OFFERED_FOR_ALL, choose
from preference_center.core.staff_vocab import Right, Standing
from preference_center.core.vocab import Frequency, ReasonCode
from preference_center.data.jobs.options import TIME, ListOptions, is_filter
from preference_center.store.list_queries import ListFilter
from preference_center.web.console import once, selection
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.days import parse_day
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services

_Value = TypeVar("_Value")
_SHOW = "show"  # In the URL: the filters were chosen, even if all are empty.


@blueprint.get("/lists")
@staff_only(Right.LISTS)
def lists() -> str:
    """Show the filters, and the people that they select."""
    settings, now = services().settings, services().clock()
    wanted, after = _filter(request.args), _read(request.args, "after", UUID)
    is_asked = _SHOW in request.args or wanted != ListFilter() or after is not None
    with services().database.transaction() as session:
        found = None
        if is_asked:
            zone = settings.time_zone
            found = reading.show(session, wanted, after, member().id, now, zone)
        known = topics.list_topics(session)
        return page(
            "lists.html",
            wanted=wanted,
            found=found,
            is_first=after is None,
            latest=reading.latest(session),
            topics=topics.named(known),
            archived={each.slug for each in known if each.archived_at is not None},
            campaigns=people.campaigns(session, now),
            statuses=list(Standing),
            frequencies=list(Frequency),
            reasons=list(ReasonCode),
            offered=list(OFFERED),
            offered_for_all=list(OFFERED_FOR_ALL),
            max_people=frozen.MAX_PEOPLE,
            max_counted=reading.MAX_COUNTED,
            max_note=frozen.MAX_NOTE_LENGTH,
        )


@blueprint.post("/lists/preview")
@staff_only(Right.LISTS)
def preview_list() -> Response:
    """Store the list of the filters with a change, and go to the page that says what it does."""
    wanted, now, zone = _filter(request.form), services().clock(), services().settings.time_zone
    topic, note = request.form.get("about"), request.form.get("note", "").strip()
    new = uuid4()
    with services().database.transaction() as session:
        choice = choose(session, request.form.get("what", ""), topic, now, zone)
        list_id = once.created(session, new)
        if list_id == new:
            frozen.freeze(session, list_id, wanted, choice, note, member().id, now, zone)
    return to("console.show_list", list_id=list_id)


@blueprint.post("/lists/export")
@staff_only(Right.EXPORT)
def export_list() -> Response:
    """Start an export of the people of a frozen list, or of those whom the filters select."""
    frozen_id, now, new = _read(request.form, "list", UUID), services().clock(), uuid4()
    with services().database.transaction() as session:
        if frozen_id is not None:
            wanted = (reading.get(session, frozen_id) or abort(404)).filters
        else:
            wanted = _filter(request.form)
        listed = str(frozen_id) if frozen_id is not None else ""
        output = request.form.get("output", "")
        options = ListOptions(output=output, filters=wanted.plain(), frozen=listed)
        options.check()
        purpose, name = request.form.get("purpose", ""), options.file_name(now.strftime(TIME))
        job_id = once.created(session, new)
        if job_id == new:
            jobs.add_export(session, job_id, member().id, options.to_json(), purpose, name, now)
    return to("console.one_export", job_id=job_id)


@blueprint.get("/lists/<uuid:list_id>")
@staff_only(Right.LISTS)
def show_list(list_id: UUID) -> str:
    """Show what a change to a list would do, how far it is, or what it has done."""
    with services().database.reading() as session:
        found = reading.get(session, list_id) or abort(404)
        names = topics.names(session)
    return page("list.html", list=found, topics=names, now=services().clock())


@blueprint.get("/lists/<uuid:list_id>/people")
@staff_only(Right.LISTS)
def list_people(list_id: UUID) -> str:
    """Show the people of a frozen list, or those whom its undo has skipped."""
    start, skipped = selection.number("from") or 0, "skipped" in request.args
    now, by = services().clock(), member().id
    with services().database.transaction() as session:
        frozen_list = reading.get(session, list_id) or abort(404)
        found = reading.show_frozen(session, list_id, start, by, now, skipped=skipped)
        names = topics.names(session)
    following = start + reading.PAGE if found.more is not None else None
    values: dict[str, Any] = {"skipped": skipped, "following": following, "now": now}
    return page("list_people.html", list=frozen_list, found=found, topics=names, **values)


@blueprint.post("/lists/<uuid:list_id>/start")
@staff_only(Right.LISTS)
def start_list(list_id: UUID) -> Response:
    """Make the change, at once for a short list. A worker makes the rest of a long one."""
    with services().database.transaction() as session:
        frozen.start(session, list_id, member().id, services().clock())
    return to("console.show_list", list_id=list_id)


@blueprint.post("/lists/<uuid:list_id>/undo")
@staff_only(Right.LISTS)
def undo_list(list_id: UUID) -> Response:
    """Undo the change for all who have not changed since, likewise."""
    with services().database.transaction() as session:
        frozen.undo(session, list_id, member().id, services().clock())
    return to("console.show_list", list_id=list_id)


def _filter(values: Mapping[str, str]) -> ListFilter:
    """Return the filters in a URL or a form. What is empty selects all."""
    wanted = ListFilter(
        topic=_read(values, "topic", _line),
        status=_read(values, "status", Standing),
        frequency=_read(values, "frequency", Frequency),
        reason=_read(values, "reason", ReasonCode),
        campaign=_read(values, "campaign", _line),
        joined_from=_read(values, "joined_from", parse_day),
        joined_to=_read(values, "joined_to", parse_day),
        left_from=_read(values, "left_from", parse_day),
        left_to=_read(values, "left_to", parse_day),
    )
    if wanted.campaign is not None and wanted.topic is None:
        raise ListRefusal("choose the topic of the campaign, too")
    return wanted


def _read(values: Mapping[str, str], name: str, read: Callable[[str], _Value]) -> _Value | None:
    text = values.get(name, "").strip()
    try:
        return read(text) if text else None
    except ValueError:
        why = f"{name.replace('_', ' ')}: {text!r} cannot be used"
        raise ListRefusal(why, name) from None


def _line(text: str) -> str:
    if not is_filter(text):
        raise ValueError("not one short line")
    return text
