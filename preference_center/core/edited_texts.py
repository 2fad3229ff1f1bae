"""The texts and the brand that members of staff edit: drafts, publications and versions.

A draft is seen in previews only. A publication replaces the text in every process: each reads
those that are newer than the ones it knows. The standard text is the one without any edit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from json import dumps, loads
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy.orm import Session

from preference_center.core.errors import EditRefusal
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.store import Database, UnavailableError
from preference_center.store.tables import EditedText, StaffRow

MAX_VERSIONS = 50  # of one text that are listed and kept
NO_LANGUAGE = ""

Forms = tuple[str, ...]


class PublishedText(NamedTuple):
    """A publication. No `forms` mean that the standard text was put back."""

    publication: int
    language: str
    english: Forms
    forms: Forms


class Place(NamedTuple):
    """A text in a language, by the digest of its English text; or what has the name `message`.

    What is the same in every language, like the brand's colour, has `NO_LANGUAGE`, and its name in
    place of an English text.
    """

    language: str
    message: str
    english: Forms


@dataclass(frozen=True)
class Version:
    """A version of a text. A draft has no `publication`. `staff` is the address of the editor."""

    id: UUID
    publication: int | None
    english: Forms
    forms: Forms
    staff: str
    at: datetime


@dataclass(frozen=True)
class History:
    """The draft of a text, and its publications, newest first."""

    draft: Version | None
    published: list[Version]


def newer(database: Database, publication: int) -> Sequence[PublishedText]:
    """Return what was published after a publication, oldest first; nothing if that is not known.

    It is not known before the keys are checked, and while the database cannot be used.
    """
    if database.is_silent or not database.keys_are_checked:
        return ()
    statement = select(
        EditedText.publication, EditedText.language, EditedText.english, EditedText.forms
    )
    newer_ones = statement.where(EditedText.publication > publication)
    try:
        with database.reading() as session:
            rows = session.execute(newer_ones.order_by(EditedText.publication)).all()
    except UnavailableError:
        return ()
    return [
        PublishedText(number or 0, language, _read(english), _read(forms))
        for number, language, english, forms in rows
    ]


def drafts(session: Session, language: str) -> list[Version]:
    """Return the drafts in a language, oldest first."""
    drafted = (EditedText.language == language, EditedText.publication.is_(None))
    return _versions(session, _all().where(*drafted).order_by(EditedText.at))


def history(session: Session, place: Place) -> History:
    """Return the draft of a text, and its newest publications."""
    published = _of(place).where(EditedText.publication.is_not(None))
    newest = published.order_by(EditedText.publication.desc()).limit(MAX_VERSIONS)
    return History(_draft(session, place), _versions(session, newest))


def is_expired() -> ColumnElement[bool]:
    """Return the condition of the publications that are no longer listed.

    What a subscriber agreed to is kept with the ledger, not here.
    """
    place = (EditedText.language, EditedText.message)
    newer_first = func.row_number().over(partition_by=place, order_by=EditedText.publication.desc())
    numbered = select(EditedText.id, newer_first.label("number"))
    ranked = numbered.where(EditedText.publication.is_not(None)).subquery()
    return EditedText.id.in_(select(ranked.c.id).where(ranked.c.number > MAX_VERSIONS))


def newest(session: Session, place: Place) -> Forms:
    """Return what was published last, or no forms."""
    published = _of(place).where(EditedText.publication.is_not(None))
    found = _versions(session, published.order_by(EditedText.publication.desc()).limit(1))
    return found[0].forms if found else ()


def save_draft(session: Session, place: Place, forms: Forms, *, by: UUID, now: datetime) -> None:
    """Store a draft, which replaces the one before it. The caller has checked the forms."""
    _record_draft(session, place, by, now)
    _delete_draft(session, place)
    session.add(_row(place, forms, by, now))


def discard_draft(session: Session, place: Place, *, by: UUID, now: datetime) -> None:
    """Delete the draft, if there is one."""
    if _draft(session, place) is not None:
        _record_draft(session, place, by, now, discarded=True)
        _delete_draft(session, place)


def publish(session: Session, place: Place, draft_id: UUID, *, by: UUID, now: datetime) -> None:
    """Publish the draft that was seen.

    Raises:
        EditRefusal: another draft has replaced it, or it is gone.
    """
    seen = _draft(session, place)
    if seen is None or seen.id != draft_id:
        raise EditRefusal("this draft has been changed since you opened the page; look at it again")
    _delete_draft(session, place)
    _record_and_publish(session, place, seen.forms, by, now)


def restore(
    session: Session, place: Place, publication: int | None, *, by: UUID, now: datetime
) -> None:
    """Publish an earlier version again, or the standard text if `publication` is None.

    Raises:
        EditRefusal: there is no such version.
    """
    forms: Forms = ()
    if publication is not None:
        earlier = _of(place).where(EditedText.publication == publication)
        found = _versions(session, earlier)
        if not found:
            raise EditRefusal("there is no such version of this text")
        forms = found[0].forms
    _record_and_publish(session, place, forms, by, now)


def add_publication(session: Session, place: Place, forms: Forms, by: UUID, now: datetime) -> None:
    """Publish without a draft. The caller has written to the audit trail before.

    The audit trail's lock gives publications the order of their commits.
    """
    last = session.scalar(select(func.max(EditedText.publication))) or 0
    row = _row(place, forms, by, now)
    row.publication = last + 1
    session.add(row)


def _draft(session: Session, place: Place) -> Version | None:
    found = _of(place).where(EditedText.publication.is_(None)).order_by(EditedText.at.desc())
    return next(iter(_versions(session, found)), None)


def _delete_draft(session: Session, place: Place) -> None:
    session.execute(
        delete(EditedText).where(
            EditedText.language == place.language,
            EditedText.message == place.message,
            EditedText.publication.is_(None),
        )
    )


def _record_draft(session: Session, place: Place, by: UUID, now: datetime, **details: bool) -> None:
    action = AuditAction.TEXT_DRAFTED if place.language else AuditAction.BRAND_DRAFTED
    audit.record(session, by, action, now, details={**_details(place), **details})


def _record_and_publish(
    session: Session, place: Place, forms: Forms, by: UUID, now: datetime
) -> None:
    action = AuditAction.TEXT_PUBLISHED if place.language else AuditAction.BRAND_PUBLISHED
    audit.record(session, by, action, now, details=_details(place))
    add_publication(session, place, forms, by, now)


def _details(place: Place) -> dict[str, object]:
    """Return what the audit trail says about a text: in which language it is, and the English."""
    if place.language:
        return {"language": place.language, "english": place.english[0]}
    return {"what": place.message}


def _row(place: Place, forms: Forms, by: UUID, now: datetime) -> EditedText:
    return EditedText(
        id=uuid4(),
        language=place.language,
        message=place.message,
        english=_written(place.english),
        forms=_written(forms),
        staff_id=by,
        at=now,
    )


def _all() -> Select[EditedText, str]:
    return select(EditedText, StaffRow.email).join(StaffRow, StaffRow.id == EditedText.staff_id)


def _of(place: Place) -> Select[EditedText, str]:
    return _all().where(EditedText.language == place.language, EditedText.message == place.message)


def _versions(session: Session, statement: Select[EditedText, str]) -> list[Version]:
    return [
        Version(row.id, row.publication, _read(row.english), _read(row.forms), email, row.at)
        for row, email in session.execute(statement)
    ]


def _read(text: str) -> Forms:
    return tuple(loads(text))


def _written(forms: Forms) -> str:
    return dumps(forms, ensure_ascii=False)
