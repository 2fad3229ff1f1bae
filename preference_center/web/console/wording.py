"""The texts of pages and emails: find one, edit it as a draft, publish it, put a version back."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from uuid import UUID

from flask import abort, request
from werkzeug.wrappers import Response

from preference_center.core import edited_texts
from preference_center.core.edited_texts import Forms, Place, Version
from preference_center.core.errors import EditRefusal
from preference_center.core.samples import read
from preference_center.core.staff_vocab import Right
from preference_center.i18n.edited import Message, plural_examples, tidy
from preference_center.settings.reader import PSEUDO
from preference_center.web.console import once, samples
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.rendering import page, to
from preference_center.web.console.selection import MAX_NUMBER
from preference_center.web.services import services

MAX_FOUND = 100  # texts on one page
MAX_SIMILAR = 4
_SIMILARITY = 0.65  # as `difflib` measures it, from 0 to 1

_VIEW = ("show", "part", "width", "dark")  # what of a preview is seen
_ENDING = re.compile(r"(\.subject)?\.(html|txt)$")


@dataclass(frozen=True)
class Listed:
    """A text on the list: as it is shown now, and its draft if it has one."""

    message: Message
    current: Forms
    draft: Version | None
    is_edited: bool

    @property
    def place(self) -> str:
        """Return where the text appears first."""
        return places_of(self.message)[0]

    def has(self, word: str) -> bool:
        """Return True if the text has a word, in English or as it is shown."""
        shown = (*self.message.english, *self.current, *(self.draft.forms if self.draft else ()))
        return any(word in each.casefold() for each in shown)


@blueprint.get("/wording")
@staff_only(Right.WORDING)
def wording() -> str:
    """Show where texts appear, or those that are searched for."""
    code = _language(request.args.get("lang", editable()[0]))
    word, place = request.args.get("q", "").strip(), request.args.get("place", "")
    with services().database.reading() as session:
        drafts = edited_texts.drafts(session, code)
    listed = _listed(code, drafts)
    found = _found(listed, word.casefold(), place)
    return page(
        "wording.html",
        code=code,
        editable=editable(),
        word=word,
        place=place,
        places=list(dict.fromkeys(each.place for each in listed)),
        groups=_grouped(found[:MAX_FOUND], place),
        is_cut=len(found) > MAX_FOUND,
    )


@blueprint.get("/wording/<language>/<message>")
@staff_only(Right.WORDING)
def edit_text(language: str, message: str) -> str:
    """Show a text, its draft and its versions beside the page or the email that has it."""
    return _edit_page(language, _message(message))


@blueprint.post("/wording/<language>/<message>/draft")
@staff_only(Right.WORDING)
def save_draft(language: str, message: str) -> Response | tuple[str, int]:
    """Store a draft, or say beside each field what is wrong."""
    found, code = _message(message), _language(language)
    forms = tuple(
        tidy(request.form.get(f"form-{index}", "")) for index, _ in enumerate(_labels(found, code))
    )
    problems = [found.problem(each) for each in forms]
    if any(problems):
        return _edit_page(code, found, forms, problems), 422
    with services().database.transaction() as session:
        edited_texts.save_draft(
            session,
            Place(code, found.key),
            found.english,
            forms,
            by=member().id,
            now=services().clock(),
        )
    return _back(code, found)


@blueprint.post("/wording/<language>/<message>/discard")
@staff_only(Right.WORDING)
def discard_draft(language: str, message: str) -> Response:
    """Delete the draft."""
    found, code = _message(message), _language(language)
    with services().database.transaction() as session:
        edited_texts.discard_draft(session, Place(code, found.key))
    return _back(code, found)


@blueprint.post("/wording/<language>/<message>/publish")
@staff_only(Right.WORDING)
def publish_text(language: str, message: str) -> Response:
    """Publish the draft. This process shows it at once, others within seconds."""
    found, code = _message(message), _language(language)
    draft, now = _draft_id(), services().clock()
    with services().database.transaction() as session:
        if once.is_first(session):
            edited_texts.publish(session, Place(code, found.key), draft, by=member().id, now=now)
    services().languages.refresh()
    return _back(code, found, said="published")


@blueprint.post("/wording/<language>/<message>/restore")
@staff_only(Right.WORDING)
def restore_text(language: str, message: str) -> Response:
    """Publish an earlier version again, or the standard text."""
    found, code = _message(message), _language(language)
    publication, now = _publication(), services().clock()
    with services().database.transaction() as session:
        if once.is_first(session):
            place = Place(code, found.key)
            edited_texts.restore(
                session, place, found.english, publication, by=member().id, now=now
            )
    services().languages.refresh()
    return _back(code, found, said="published")


def editable() -> list[str]:
    """Return the offered languages that have texts of their own."""
    return [code for code in services().languages.offered if code != PSEUDO]


def places_of(message: Message) -> list[str]:
    """Return the pages and emails whose templates have a text; an email has several templates."""
    return list(dict.fromkeys(_ENDING.sub("", each) for each in message.templates))


def _edit_page(
    language: str, message: Message, forms: Forms = (), problems: Iterable[str | None] = ()
) -> str:
    code, languages, now = _language(language), services().languages, services().clock()
    with services().database.reading() as session:
        history = edited_texts.history(session, Place(code, message.key))
        sample = read(session, code, now, services().settings.time_zone)
    current = languages.current(code, message.english)
    shown = forms or (history.draft.forms if history.draft else current)
    labels = _labels(message, code)
    missing = (None,) * len(labels)
    fields = zip(labels, (*shown, *missing), (*problems, *missing), strict=False)
    having = samples.having(languages, code, message.english, sample, now)
    previewed = having or samples.SHOWN
    name = request.args.get("show", "")
    return page(
        "wording_text.html",
        code=code,
        message=message,
        places=places_of(message),
        current=current,
        standard=languages.standard(code, message.english),
        fields=list(fields),
        similar=[(each.key, languages.current(code, each.english)) for each in _similar(message)],
        has_problem=any(problems),
        said=request.args.get("said", ""),
        history=history,
        is_previewed=bool(having),
        shown=previewed,
        show=name if name in previewed else next(iter(previewed)),
        part="text" if request.args.get("part") == "text" else "html",
        narrow=request.args.get("width") == "phone",
        dark="dark" in request.args,
        sends=services().settings.smtp_url is not None,
    )


def _listed(code: str, drafts: Iterable[Version]) -> list[Listed]:
    languages, by_english = services().languages, {each.english: each for each in drafts}
    return [
        Listed(
            message,
            languages.current(code, message.english),
            by_english.get(message.english),
            languages.is_published(code, message.english),
        )
        for message in languages.messages.values()
    ]


def _found(listed: Iterable[Listed], word: str, place: str) -> list[Listed]:
    """Return the texts that have a word or are in a place; by default those that were edited."""
    if not word and not place:
        return [each for each in listed if each.draft is not None or each.is_edited]
    return [
        each
        for each in listed
        if (not word or each.has(word)) and (not place or place in places_of(each.message))
    ]


def _grouped(found: Iterable[Listed], place: str) -> dict[str, list[Listed]]:
    groups: dict[str, list[Listed]] = {}
    for each in found:
        groups.setdefault(place or each.place, []).append(each)
    return groups


def _similar(message: Message) -> list[Message]:
    """Return the texts that other subscribers see in the place of this one, by their words."""
    others = {each.english[0]: each for each in services().languages.messages.values()}
    del others[message.english[0]]
    found = get_close_matches(message.english[0], others, MAX_SIMILAR, _SIMILARITY)
    return [others[each] for each in found]


def _labels(message: Message, code: str) -> list[str]:
    """Return a label for each form of a text: some numbers for each plural form, otherwise ""."""
    return plural_examples(code) if len(message.english) > 1 else [""]


def _draft_id() -> UUID:
    try:
        return UUID(request.form.get("draft", ""))
    except ValueError:
        raise EditRefusal("there is no such draft") from None


def _publication() -> int | None:
    """Return the version to put back, or None if the form asks for the standard text."""
    if "publication" not in request.form:
        return None
    found = request.form.get("publication", type=int)
    if found is None or not 0 < found <= MAX_NUMBER:
        raise EditRefusal("there is no such version of this text")
    return found


def _language(code: str) -> str:
    return code if code in editable() else abort(404)


def _message(key: str) -> Message:
    return services().languages.messages.get(key) or abort(404)


def _back(code: str, message: Message, **said: str) -> Response:
    """Return the redirect to the text, with the preview that was looked at."""
    kept = {name: request.args[name] for name in _VIEW if name in request.args}
    return to("console.edit_text", language=code, message=message.key, **kept, **said)
