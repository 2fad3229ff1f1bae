"""One subscriber: find them, and read all that is on record about them.

An address is sent by POST, and is in no URL. Each view is in the audit trail.
"""

from datetime import datetime
from uuid import UUID

from flask import Response, abort, g, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from preference_center.core import data_complaints
from preference_center.core.errors import OnBehalfRefusal
from preference_center.core.staff import person as people
from preference_center.core.staff.changes import MAX_NOTE_LENGTH
from preference_center.core.staff_vocab import AuditAction, Channel, Right
from preference_center.core.vocab import Frequency, Pause
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, clean, subscriber_ids
from preference_center.web.console import selection
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.refilled import SentForm
from preference_center.web.console.rendering import SENT, page, to
from preference_center.web.services import services, style_source
from preference_center.web.subscriber import preferences_page

_SHOWN = 20  # rows of each kind on the page of a person
_OLDER = 50  # rows on a page of older ones
_SAID = (
    *("unsubscribed", "unsubscribed_before", "adjusted", "unchanged"),
    *("asked", "erased", "erased_before", "linked", "complained", "corrected"),
)
# The page is a preview for staff: nothing on it works, and only the console shows it in a frame.
_PREVIEW_POLICY = (
    "default-src 'none'; style-src {style}; img-src 'self' data:; form-action 'none'; "
    "frame-ancestors 'self'; base-uri 'none'; object-src 'none'; sandbox"
)


@blueprint.get("/people")
@staff_only(Right.PERSON)
def people_page() -> str:
    """Show the form that finds a person."""
    return page("people.html")


@blueprint.post("/people")
@staff_only(Right.PERSON)
def find_person() -> AnyResponse | str:
    """Go to the page of a person, by an address or a subscriber id."""
    text, now = request.form.get("person", "").strip(), services().clock()
    try:
        ids = subscriber_ids(text, services().settings.identity_key)
    except UnclearAddressError as error:
        why = f"neither an address nor a subscriber id: {error}"
        raise OnBehalfRefusal(why, "person") from None
    with services().database.transaction() as session:
        found = people.find(session, ids, member().id, now)
    if len(found) == 1:
        return to("console.person", subscriber_id=found[0])
    if found:
        return page("people.html", found=found)
    email = clean(text) if "@" in text else ""
    this = url_for("console.person", subscriber_id=ids[0])
    return page("person_unknown.html", id=ids[0], email=email, shown_on=this, **form_values())


@blueprint.get("/people/<uuid:subscriber_id>")
@staff_only(Right.PERSON)
def person(subscriber_id: UUID) -> str:
    """Show what is on record about a person."""
    audits, said = Right.STAFF in member().rights, request.args.get("said")
    with services().database.transaction() as session:
        found = people.read(
            session, subscriber_id, _SHOWN, by=member().id, audits=audits, now=services().clock()
        )
    if not found.is_known:
        email = _email_again(subscriber_id)
        return page("person_unknown.html", id=subscriber_id, email=email, **form_values())
    said = said if said in _SAID else ""
    return page("person.html", person=found, held=found, said=said, shown=_SHOWN, **form_values())


@blueprint.get("/people/<uuid:subscriber_id>/changes")
@staff_only(Right.PERSON)
def person_changes(subscriber_id: UUID) -> str:
    """Show the changes from before a row of the ledger."""
    before = selection.number("before")
    if before is None:
        abort(404)
    with services().database.transaction() as session:
        older = people.older_changes(
            session, subscriber_id, _OLDER, before, by=member().id, now=services().clock()
        )
    return page("person_older.html", id=subscriber_id, kind="changes", held=older, shown=_OLDER)


@blueprint.get("/people/<uuid:subscriber_id>/emails")
@staff_only(Right.PERSON)
def person_emails(subscriber_id: UUID) -> str:
    """Show the emails that senders were allowed to send before one of them."""
    with services().database.transaction() as session:
        older = people.older_emails(
            session,
            subscriber_id,
            _OLDER,
            (_moment("at"), request.args.get("topic", ""), request.args.get("campaign", "")),
            by=member().id,
            now=services().clock(),
        )
    return page("person_older.html", id=subscriber_id, kind="emails", held=older, shown=_OLDER)


@blueprint.get("/people/<uuid:subscriber_id>/preview")
@staff_only(Right.PERSON)
def person_preview(subscriber_id: UUID) -> str:
    """Show the frame with the preferences page as the person sees it."""
    return page("person_preview.html", id=subscriber_id)


@blueprint.get("/people/<uuid:subscriber_id>/preview/page")
@staff_only(Right.PERSON)
def person_preview_page(subscriber_id: UUID) -> Response:
    """Return the preferences page as the person sees it, without a link that works."""
    with services().database.transaction() as session:
        people.look_at(
            session,
            subscriber_id,
            AuditAction.PERSON_READ,
            by=member().id,
            now=services().clock(),
        )
    response = Response(preferences_page.preview(subscriber_id), mimetype="text/html")
    policy = _PREVIEW_POLICY.format(style=style_source())
    response.headers["Content-Security-Policy"] = policy
    return response


def form_values() -> dict[str, object]:
    """Return what the forms for changes on a person's behalf offer."""
    return {
        "channels": list(Channel),
        "frequencies": list(Frequency),
        "pauses": list(Pause),
        "max_note": MAX_NOTE_LENGTH,
        "acknowledge_days": data_complaints.ACKNOWLEDGE_WITHIN.days,
    }


def _email_again(subscriber_id: UUID) -> str:
    """Return the address in a form that is shown again, or "": no path has an address."""
    sent: SentForm | None = g.get(SENT)
    email = sent.values.get("email", "") if sent is not None else ""
    is_own = fingerprint(email, services().settings.identity_key) == subscriber_id
    return email if is_own else ""


def _moment(name: str) -> datetime:
    """Return a time with a zone from the URL, or answer 404."""
    return selection.moment(request.args.get(name, "")) or abort(404)
