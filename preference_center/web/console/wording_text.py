"""One text of pages and emails: edit it as a draft, publish it, put a version back."""

from collections.abc import Iterable
from difflib import get_close_matches

from flask import abort, request
from werkzeug.wrappers import Response

from preference_center.core import edited_texts
from preference_center.core.edited_texts import Forms, Place
from preference_center.core.samples import read
from preference_center.core.staff_vocab import Right
from preference_center.i18n.edited import Message, plural_examples, tidy
from preference_center.web.console import editing, samples
from preference_center.web.console.blueprint import blueprint, staff_only
from preference_center.web.console.previews import seen, view
from preference_center.web.console.rendering import page, to
from preference_center.web.console.wording import offered, places_of
from preference_center.web.services import services

MAX_SIMILAR = 4
_SIMILARITY = 0.65  # as `difflib` measures it, from 0 to 1


@blueprint.get("/wording/<language>/<message>")
@staff_only(Right.WORDING)
def edit_text(language: str, message: str) -> str:
    """Show a text, its draft and its versions beside the page or the email that has it."""
    return _edit_page(_place(language, message))


@blueprint.post("/wording/<language>/<message>/draft")
@staff_only(Right.WORDING)
def save_draft(language: str, message: str) -> Response | tuple[str, int]:
    """Store a draft, or say beside each field what is wrong."""
    place = _place(language, message)
    text = Message(place.english)
    sent = range(len(_labels(place)))
    forms = tuple(tidy(request.form.get(f"form-{index}", "")) for index in sent)
    problems = [text.problem(each) for each in forms]
    if any(problems):
        return _edit_page(place, forms, problems), 422
    editing.save_draft(place, forms)
    return _back(place)


@blueprint.post("/wording/<language>/<message>/<edit>")
@staff_only(Right.WORDING)
def change_text(language: str, message: str, edit: str) -> Response:
    """Discard or publish the draft, or publish an earlier version or the standard text."""
    place = _place(language, message)
    return _back(place, **editing.change(place, edit))


def _edit_page(place: Place, forms: Forms = (), problems: Iterable[str | None] = ()) -> str:
    code, languages, now = place.language, services().languages, services().clock()
    message = languages.messages[place.message]
    with services().database.reading() as session:
        history = edited_texts.history(session, place)
        sample = read(session, code, now, services().settings.time_zone)
    current = languages.current(code, message.english)
    sent = forms or (history.draft.forms if history.draft else current)
    labels = _labels(place)
    missing = (None,) * len(labels)
    fields = zip(labels, (*sent, *missing), (*problems, *missing), strict=False)
    having = samples.having(languages, code, message.english, sample, now)
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
        view=view(having or samples.SHOWN),
    )


def _similar(message: Message) -> list[Message]:
    """Return the texts that other subscribers see in the place of this one, by their words."""
    others = {each.english[0]: each for each in services().languages.messages.values()}
    del others[message.english[0]]
    found = get_close_matches(message.english[0], others, MAX_SIMILAR, _SIMILARITY)
    return [others[each] for each in found]


def _labels(place: Place) -> list[str]:
    """Return a label for each form of a text: some numbers for each plural form, otherwise ""."""
    return plural_examples(place.language) if len(place.english) > 1 else [""]


def _place(language: str, message: str) -> Place:
    found = services().languages.messages.get(message) or abort(404)
    return Place(offered(language), found.key, found.english)


def _back(place: Place, **said: str) -> Response:
    """Return the redirect to the text, with the preview that was looked at."""
    return to("console.edit_text", language=place.language, message=place.message, **seen(), **said)
