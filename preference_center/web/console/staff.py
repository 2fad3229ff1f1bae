"""Members of staff and the audit trail, for admins."""

from uuid import UUID

from flask import request
from werkzeug.wrappers import Response

from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import audit, members
from preference_center.core.staff.tokens import new_token
from preference_center.core.staff_vocab import Right, StaffRole
from preference_center.settings.checks import header_address
from preference_center.web.console import once, selection
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services

_ENTRIES = 100  # rows of the audit trail on one page


@blueprint.get("/staff")
@staff_only(Right.STAFF)
def staff() -> str:
    """Show the members."""
    return _staff_page()


@blueprint.post("/staff/invite")
@staff_only(Right.STAFF)
def invite() -> str:
    """Invite a member, or one who has lost their passkeys: email the link, or show it once."""
    email = header_address(request.form.get("email", "").strip())
    if email is None:
        raise StaffRefusal("enter an email address, like name@example.org", "email")
    role, now, by = _role() if request.form.get("role") else None, services().clock(), member().id
    if "send" in request.form:
        if services().settings.smtp_url is None:
            raise StaffRefusal("no email can be sent: SMTP_URL is not set")
        with services().database.transaction() as session:
            if once.is_first(session):
                members.invite_by_email(session, email, role, now, by=by)
        return _staff_page(invited=email, link="")
    secret = once.secret()
    with services().database.transaction() as session:
        if once.is_first(session):
            members.invite(session, email, role, now, by=by, secret=secret)
    return _staff_page(invited=email, link=services().settings.invitation_url(new_token(secret)))


@blueprint.post("/staff/change")
@staff_only(Right.STAFF)
def change() -> Response:
    """Change the role of a member, and their right to export."""
    email, may_export = request.form.get("email", ""), "may_export" in request.form
    with services().database.transaction() as session:
        members.change(
            session, email, _role(), may_export=may_export, by=member().id, now=services().clock()
        )
    return to("console.staff")


@blueprint.post("/staff/remove")
@staff_only(Right.STAFF)
def remove() -> Response:
    """Remove a member with their passkeys and sessions."""
    with services().database.transaction() as session:
        members.remove(
            session, request.form.get("email", ""), by=member().id, now=services().clock()
        )
    return to("console.staff")


@blueprint.get("/audit")
@staff_only(Right.STAFF)
def audit_trail() -> str:
    """Show the audit trail, newest first; on request, of one subscriber."""
    before, about = selection.number("before"), request.args.get("about", type=UUID)
    with services().database.reading() as session:
        entries = audit.read(session, _ENTRIES, before=before, about=about)
    more = entries[-1].position if len(entries) == _ENTRIES else None
    return page("audit.html", entries=entries, more=more, about=about)


def _staff_page(**values: object) -> str:
    with services().database.reading() as session:
        known = members.list_all(session)
    return page("staff.html", members=known, roles=list(StaffRole), **values)


def _role() -> StaffRole:
    try:
        return StaffRole(request.form.get("role", ""))
    except ValueError:
        raise StaffRefusal("choose a role", "role") from None
