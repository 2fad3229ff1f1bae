"""Complaints of subscribers about how data about them are used, with their deadline."""

from itertools import islice
from uuid import UUID

from flask import request
from werkzeug.wrappers import Response

from preference_center.core import data_complaints
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, Right
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services

_MAX_SHOWN = 200


@blueprint.get("/complaints")
@staff_only(Right.PERSON)
def complaints() -> str:
    """Show the complaints that are not closed, oldest first."""
    now = services().clock()
    with services().database.transaction() as session:
        found = list(islice(data_complaints.read(session, closed=False), _MAX_SHOWN))
        if found:
            people = [each.subscriber_id for each in found]
            audit.record_views(session, member().id, AuditAction.COMPLAINTS_READ, now, people)
    return page("complaints.html", complaints=found, now=now)


@blueprint.post("/complaints/<uuid:subscriber>/<int(max=2147483647):number>/acknowledge")
@staff_only(Right.PERSON)
def acknowledge(subscriber: UUID, number: int) -> Response:
    """Record that a complaint was acknowledged."""
    now = services().clock()
    with services().database.transaction() as session:
        data_complaints.acknowledge(session, subscriber, number, _operator(), now)
        audit.record(session, member().id, AuditAction.COMPLAINT_ACKNOWLEDGED, now, subscriber)
    return to("console.complaints")


@blueprint.post("/complaints/<uuid:subscriber>/<int(max=2147483647):number>/close")
@staff_only(Right.PERSON)
def close_complaint(subscriber: UUID, number: int) -> Response:
    """Record the outcome of a complaint, which the person then finds in their data."""
    now = services().clock()
    outcome = data_complaints.cleaned(request.form.get("outcome", ""))
    with services().database.transaction() as session:
        data_complaints.close(session, subscriber, number, outcome, _operator(), now)
        audit.record(session, member().id, AuditAction.COMPLAINT_CLOSED, now, subscriber)
    return to("console.complaints")


def _operator() -> str:
    """Return who has acknowledged or closed a complaint, which the person can read.

    It is not which employee: the audit trail has that (Court of Justice, C-579/21).
    """
    return services().settings.brand_name
