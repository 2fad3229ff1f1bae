"""The brand: its colour and its logo, which are edited as texts are, and the goodbye note."""

from dataclasses import dataclass

from flask import abort, request
from werkzeug.wrappers import Response

from preference_center.core import edited_texts
from preference_center.core.edited_texts import Forms, Place
from preference_center.core.staff_vocab import Right
from preference_center.i18n.brand import ACCENT, LOGO, NO_LANGUAGE
from preference_center.i18n.edited import GOODBYE_NOTE, key_of
from preference_center.settings.colours import DARK_PAPER, LIGHT_PAPER, Accent, accent, contrast
from preference_center.settings.logo import MAX_BYTES, logo_url
from preference_center.web.console import editing, samples
from preference_center.web.console.blueprint import blueprint, staff_only
from preference_center.web.console.previews import seen, view
from preference_center.web.console.rendering import page, to
from preference_center.web.console.wording import editable, offered
from preference_center.web.services import services

_PLACES = {name: Place(NO_LANGUAGE, name, (name,)) for (name,) in (ACCENT, LOGO)}


@dataclass(frozen=True)
class Sample:
    """A colour on a ground, as pages use them."""

    colour: str
    ground: str

    @property
    def contrast(self) -> float:
        """Return the contrast, from 1 to 21 (WCAG 2.2)."""
        return contrast(self.colour, self.ground)


@dataclass(frozen=True)
class Shades:
    """An accent where pages use it, and whether it is changed there to be readable."""

    accent: Accent

    @property
    def samples(self) -> dict[str, Sample]:
        """Return its uses by name."""
        found = self.accent
        return {
            "light": Sample(found.light, LIGHT_PAPER),
            "dark": Sample(found.dark, DARK_PAPER),
            "button": Sample(found.ink, found.button),
        }

    @property
    def is_mixed(self) -> bool:
        """Return True if links are in another colour than buttons, on light or dark pages."""
        return {self.accent.light, self.accent.dark} != {self.accent.button}


@blueprint.get("/brand")
@staff_only(Right.WORDING)
def brand() -> str:
    """Show the colour, the logo and the goodbye note beside the pages and the emails."""
    return _page()


@blueprint.post("/brand/<name>/draft")
@staff_only(Right.WORDING)
def draft_brand(name: str) -> Response | tuple[str, int]:
    """Store a draft, or say beside the field what is wrong."""
    place = _place(name)
    try:
        forms = _sent_accent() if place.english == ACCENT else _sent_logo()
    except ValueError as error:
        return _page({name: str(error)}), 422
    editing.save_draft(place, forms)
    return _back(name)


@blueprint.post("/brand/<name>/<edit>")
@staff_only(Right.WORDING)
def change_brand(name: str, edit: str) -> Response:
    """Discard or publish the draft, or publish an earlier version or what the settings say."""
    return _back(name, **editing.change(_place(name), edit))


def _page(problems: dict[str, str] | None = None) -> str:
    code, languages, settings = _language(), services().languages, services().settings
    with services().database.reading() as session:
        histories = {name: edited_texts.history(session, place) for name, place in _PLACES.items()}
    current = languages.shared()
    drafted = histories["accent"].draft
    return page(
        "brand.html",
        code=code,
        editable=editable(),
        histories=histories,
        problems=problems or {},
        sent=request.form.get("colour", ""),
        shades=Shades(accent(drafted.forms[0]) if drafted else current["accent"]),
        standard={"accent": settings.brand_accent.button, "logo": settings.brand_logo},
        max_bytes=MAX_BYTES,
        note=key_of(GOODBYE_NOTE),
        notes={each: languages.current(each, GOODBYE_NOTE)[0] for each in editable()},
        said=request.args.get("said", ""),
        view=view(samples.SHOWN),
    )


def _sent_accent() -> Forms:
    return (accent(f"#{request.form.get('colour', '').strip().lstrip('#')}").button,)


def _sent_logo() -> Forms:
    """Return the file as a data: URL, or "" if the form asks for the name in its place."""
    if request.form.get("none"):
        return ("",)
    file = request.files.get("logo")
    if file is None or not file.filename:
        raise ValueError("is missing: choose one")
    return (logo_url(file.stream.read(MAX_BYTES + 1)),)


def _place(name: str) -> Place:
    return _PLACES.get(name) or abort(404)


def _language() -> str:
    """Return the language of the preview."""
    return offered(request.args.get("lang", editable()[0]))


def _back(name: str, **said: str) -> Response:
    """Return the redirect to a part, with the preview that was looked at."""
    return to("console.brand", lang=_language(), **seen(), **said, _anchor=name)
