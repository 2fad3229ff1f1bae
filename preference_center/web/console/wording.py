"""The texts of pages and emails: find one by its words or by where it appears."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flask import abort, request

from preference_center.core import edited_texts
from preference_center.core.edited_texts import Forms, Version
from preference_center.core.staff_vocab import Right
from preference_center.i18n.edited import Message
from preference_center.settings.reader import PSEUDO
from preference_center.web.console.blueprint import blueprint, staff_only
from preference_center.web.console.rendering import page
from preference_center.web.services import services

MAX_FOUND = 100  # texts on one page

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
    code = offered(request.args.get("lang", editable()[0]))
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


def editable() -> list[str]:
    """Return the offered languages that have texts of their own."""
    return [code for code in services().languages.offered if code != PSEUDO]


def places_of(message: Message) -> list[str]:
    """Return the pages and emails whose templates have a text; an email has several templates."""
    return list(dict.fromkeys(_ENDING.sub("", each) for each in message.templates))


def offered(code: str) -> str:
    """Return a language that has texts of its own, or answer 404."""
    return code if code in editable() else abort(404)


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
