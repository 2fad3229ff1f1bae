"""What pages do with a text or a part of the brand: draft it, publish it, put a version back."""

from uuid import UUID

from flask import abort, request

from preference_center.core import edited_texts
from preference_center.core.edited_texts import Forms, Place
from preference_center.core.errors import EditRefusal
from preference_center.core.staff_vocab import TextEdit
from preference_center.web.console import once
from preference_center.web.console.blueprint import member
from preference_center.web.console.selection import MAX_NUMBER
from preference_center.web.services import services


def save_draft(place: Place, forms: Forms) -> None:
    """Store a draft, which was checked."""
    with services().database.transaction() as session:
        edited_texts.save_draft(session, place, forms, by=member().id, now=services().clock())


def change(place: Place, edit: str) -> dict[str, str]:
    """Discard the draft, or publish it or an earlier version: those that the form names.

    Return what the next page says of it, or answer 404 if there is no such edit. This process shows
    at once what is published, others soon.
    """
    if edit not in set(TextEdit):
        abort(404)
    by, now = member().id, services().clock()
    with services().database.transaction() as session:
        if edit == TextEdit.DISCARD:
            edited_texts.discard_draft(session, place, by=by, now=now)
        elif once.is_first(session):
            if edit == TextEdit.PUBLISH:
                edited_texts.publish(session, place, _draft_id(), by=by, now=now)
            else:
                edited_texts.restore(session, place, _publication(), by=by, now=now)
    services().languages.refresh()
    return {} if edit == TextEdit.DISCARD else {"said": "published"}


def _draft_id() -> UUID:
    try:
        return UUID(request.form.get("draft", ""))
    except ValueError:
        raise EditRefusal("there is no such draft") from None


def _publication() -> int | None:
    """Return the version to put back, or None if the form asks for what is standard."""
    if "publication" not in request.form:
        return None
    found = request.form.get("publication", type=int)
    if found is None or not 0 < found <= MAX_NUMBER:
        raise EditRefusal("there is no such version of this text")
    return found
