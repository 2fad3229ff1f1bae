"""Notes of a day, which the charts show: added and removed by marketers."""

from uuid import UUID

from flask import request
from werkzeug.wrappers import Response

from preference_center.core.figures import day_notes
from preference_center.core.staff_vocab import Right
from preference_center.web.console import once
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.rendering import to
from preference_center.web.services import services


@blueprint.post("/day-notes")
@staff_only(Right.LISTS)
def add_day_note() -> Response:
    """Add a note of a day."""
    day, text = request.form.get("day", ""), request.form.get("text", "")
    with services().database.transaction() as session:
        if once.is_first(session):
            day_notes.add(session, day, text, by=member().id, now=services().clock())
    return to("console.overview", span=request.form.get("span"))


@blueprint.post("/day-notes/<uuid:note_id>/remove")
@staff_only(Right.LISTS)
def remove_day_note(note_id: UUID) -> Response:
    """Remove a note of a day."""
    with services().database.transaction() as session:
        day_notes.remove(session, note_id, by=member().id, now=services().clock())
    return to("console.overview", span=request.form.get("span"))
