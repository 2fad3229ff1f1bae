"""What a member of staff does for one subscriber who has asked for it."""

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, NoReturn
from uuid import UUID

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from preference_center.core import personal_data
from preference_center.core.errors import OnBehalfRefusal
from preference_center.core.linked import Correction
from preference_center.core.on_behalf import TopicWish
from preference_center.core.staff import changes, corrections
from preference_center.core.staff import person as people
from preference_center.core.staff.changes import Asked
from preference_center.core.staff_vocab import AuditAction, Channel, Right
from preference_center.core.unacknowledged import HELD_FOR
from preference_center.core.vocab import Frequency, Pause
from preference_center.data import access_copy
from preference_center.links.addresses import fingerprint, is_mailable
from preference_center.links.cleaning import UnclearAddressError, clean
from preference_center.util.text import without_controls
from preference_center.web.console import once
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.days import start_of_day
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services

ALL = "all"  # In the form: every topic, also later ones.
RESUME = "resume"
_IN_MEMORY = 1_000_000  # bytes of a copy; a larger one is written to a temporary file
_CHUNK = 65_536


@blueprint.post("/people/<uuid:subscriber_id>/unsubscribe")
@staff_only(Right.PERSON)
def unsubscribe_person(subscriber_id: UUID) -> AnyResponse:
    """Unsubscribe a person from a topic or from everything. They need not be on record."""
    what = request.form.get("what") or _refuse("choose what to unsubscribe from")
    topic = what if what != ALL else None
    email, asked = _own_address(subscriber_id), _asked()
    with services().database.transaction() as session:
        changed = changes.unsubscribe(session, subscriber_id, topic, email, asked)
    return _back(subscriber_id, "unsubscribed" if changed else "unsubscribed_before")


@blueprint.post("/people/<uuid:subscriber_id>/adjust")
@staff_only(Right.PERSON)
def adjust_person(subscriber_id: UUID) -> AnyResponse:
    """Change the frequency or the pause of a topic that a person gets."""
    topic, asked, wish = _topic(), _asked(), _wish(request.form.get("wish", ""))
    with services().database.transaction() as session:
        changed = changes.adjust(session, subscriber_id, topic, wish, asked)
    return _back(subscriber_id, "adjusted" if changed else "unchanged")


@blueprint.post("/people/<uuid:subscriber_id>/undo")
@staff_only(Right.PERSON)
def undo_for_person(subscriber_id: UUID) -> AnyResponse:
    """Undo a change that was made by mistake: the member's own or, for an admin, any member's."""
    row = request.form.get("row", type=int) or _refuse("choose what to undo")
    now, zone, me = services().clock(), services().settings.time_zone, member()
    of_others = Right.STAFF in me.rights
    with services().database.transaction() as session:
        if once.is_first(session):
            corrections.undo(session, subscriber_id, row, me.id, now, zone, of_others=of_others)
    return _back(subscriber_id, "corrected")


@blueprint.post("/people/<uuid:subscriber_id>/start")
@staff_only(Right.PERSON)
def start_for_person(subscriber_id: UUID) -> AnyResponse:
    """Email a person the link that starts a topic."""
    topic, asked, smtp = _topic(), _asked(), services().settings.smtp_url is not None
    with services().database.transaction() as session:
        changes.ask_to_start(session, subscriber_id, topic, asked, smtp=smtp)
    return _back(subscriber_id, "asked")


@blueprint.post("/people/<uuid:subscriber_id>/correct")
@staff_only(Right.PERSON)
def correct_person(subscriber_id: UUID) -> AnyResponse:
    """Record the person's new address. The histories of both are linked."""
    email, settings = _address(request.form.get("email", "")), services().settings
    newer, note = fingerprint(email, settings.identity_key), _note()
    # The person can read who recorded it: the operator, and not which employee.
    correction = Correction(subscriber_id, newer, note, settings.brand_name)
    with services().database.transaction() as session:
        changes.correct(session, correction, email, member().id, services().clock())
    return _back(subscriber_id, "linked")


@blueprint.post("/people/<uuid:subscriber_id>/complain")
@staff_only(Right.PERSON)
def complain_for_person(subscriber_id: UUID) -> AnyResponse:
    """Record a person's complaint about the use of their data, which came by phone or letter."""
    asked = _asked()
    received = start_of_day("received", asked.zone) or asked.now
    with services().database.transaction() as session:
        if once.is_first(session):
            changes.complain(session, subscriber_id, request.form.get("text", ""), received, asked)
    return _back(subscriber_id, "complained")


@blueprint.get("/people/<uuid:subscriber_id>/erase")
@staff_only(Right.PERSON)
def ask_erase_person(subscriber_id: UUID) -> str:
    """Say what stays, and ask. Changes nothing."""
    with services().database.transaction() as session:
        subscriber = people.look_at(
            session,
            subscriber_id,
            AuditAction.PERSON_READ,
            by=member().id,
            now=services().clock(),
        )
    return page("person_erase.html", id=subscriber_id, subscriber=subscriber, days=HELD_FOR.days)


@blueprint.post("/people/<uuid:subscriber_id>/erase")
@staff_only(Right.PERSON)
def erase_person(subscriber_id: UUID) -> AnyResponse:
    """Erase a person, as the API does: programs are told first."""
    with services().database.transaction() as session:
        erased = changes.erase(session, subscriber_id, member().id, services().clock())
    return _back(subscriber_id, "erased" if erased else "erased_before")


@blueprint.post("/people/<uuid:subscriber_id>/copy")
@staff_only(Right.PERSON)
def copy_person(subscriber_id: UUID) -> Response:
    """Return all that is held on a person as a ZIP: the file that they can download themselves."""
    now = services().clock()
    file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (_chunks closes it)
    with services().database.transaction() as session:
        found = people.look_at(
            session, subscriber_id, AuditAction.PERSON_EXPORTED, by=member().id, now=now
        )
        languages = services().languages
        readme = languages.render(
            languages.choose(found.locale if found is not None else None),
            "subscriber/readme.txt",
            address=(found.email if found is not None else None) or "",
            now=now,
            names=list(personal_data.SECTIONS),
        )
        access_copy.write(session, subscriber_id, file, readme, now)
    file.seek(0)
    response = Response(_chunks(file), mimetype="application/zip")
    name = f"{subscriber_id}.zip"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _asked() -> Asked:
    """Return how the person has asked, as the form says."""
    try:
        channel = Channel(request.form.get("channel", ""))
    except ValueError:
        _refuse("choose how they asked: by phone, letter, email or in person")
    zone = services().settings.time_zone
    return Asked(channel, _note(), member().id, services().clock(), zone)


def _note() -> str:
    """Return the note on one line. The command line shows it, and a terminal obeys controls."""
    return " ".join(without_controls(request.form.get("note", "")).split())


def _topic() -> str:
    return request.form.get("topic") or _refuse("choose a topic")


def _wish(text: str) -> TopicWish:
    if text == RESUME:
        return TopicWish(stop=False, resume=True)
    if text in list(Frequency):
        return TopicWish(stop=False, frequency=Frequency(text))
    if text in list(Pause):
        return TopicWish(stop=False, pause=Pause(text))
    return _refuse("choose what changes")


def _own_address(subscriber_id: UUID) -> str:
    """Return the address in the form if it is this person's, otherwise ""."""
    email = request.form.get("email", "")
    own = fingerprint(email, services().settings.identity_key) == subscriber_id
    return email if own else ""


def _address(text: str) -> str:
    try:
        email = clean(text)
    except UnclearAddressError as error:
        _refuse(f"this is not an address: {error}", "email")
    return email if is_mailable(email) else _refuse("email cannot be sent to this address", "email")


def _refuse(why: str, field: str = "") -> NoReturn:
    raise OnBehalfRefusal(why, field)


def _back(subscriber_id: UUID, said: str) -> AnyResponse:
    return to("console.person", subscriber_id=subscriber_id, said=said)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a file, and close it."""
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
