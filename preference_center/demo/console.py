"""Sign the visitor of the demo in to the console, so that no passkey is needed to look at it."""

from flask import request, session

from preference_center.core.staff import members, sessions
from preference_center.core.staff_vocab import StaffRole
from preference_center.web.console.blueprint import SESSION
from preference_center.web.services import services

STAFF = "mara@northwind.example"  # an admin who may export


def sign_in() -> None:
    """Start a session for the visitor of a page of the console who has none."""
    if request.method != "GET" or not (request.endpoint or "").startswith("console."):
        return
    now, database = services().clock(), services().database
    with database.reading() as reading:
        found = sessions.find(reading, session.get(SESSION, ""), now)
    if found is not None or request.endpoint in ("console.style", "console.script"):
        return
    with database.transaction() as writing:
        member, _ = members.invite(writing, STAFF, StaffRole.ADMIN, now, by=None, may_export=True)
        session[SESSION] = sessions.start(writing, member.id, now, "the demo")
