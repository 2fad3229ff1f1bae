"""What pages do with a text or a part of the brand: draft it, publish it, put a version back."""

from uuid import UUID

from flask import request

from preference_center.core import edited_texts
from preference_center.core.edited_texts import Forms, Place
from preference_center.core.errors import EditRefusal
from preference_center.web.console import once
from preference_center.web.console.blueprint import member
from preference_center.web.console.selection import MAX_NUMBER
from preference_center.web.services import services


def save_draft(place: Place, forms: Forms) -> None:
    """Store a draft, which was checked."""
    with services().database.transaction() as session:
        edited_texts.save_draft(session, place, forms, by=member().id, now=services().clock())


def discard_draft(place: Place) -> None:
    """Delete the draft."""
    with services().database.transaction() as session:
        edited_texts.discard_draft(session, place, by=member().id, now=services().clock())


def publish_draft(place: Place) -> None:
    """Publish the draft that the form names. This process shows it at once, others soon."""
    draft, now = _draft_id(), services().clock()
    with services().database.transaction() as session:
        if once.is_first(session):
            edited_texts.publish(session, place, draft, by=member().id, now=now)
    services().languages.refresh()


def restore(place: Place) -> None:
    """Publish the version that the form names again, or what is standard."""
    publication, now = _publication(), services().clock()
    with services().database.transaction() as session:
        if once.is_first(session):
            edited_texts.restore(session, place, publication, by=member().id, now=now)
    services().languages.refresh()


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
