"""Fill the form of a page with what was sent, so that nothing has to be typed again.

The page is our own, so it is well-formed. The form is the one with the same action and the same
hidden fields. Hidden fields, files and passwords stay as the page has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser

from werkzeug.datastructures import MultiDict

FORM_ID, PROBLEM_ID = "sent-form", "sent-problem"
OWN_FIELDS = ("csrf_token", "once", "shown_on")  # Each page has its own.
_CHOICES = ("checkbox", "radio")
_KEPT = ("hidden", "file", "password", "submit", "button")


@dataclass(frozen=True)
class SentForm:
    """A form that was sent to `action`. `field` is the one that `problem` is about, or ""."""

    action: str
    values: MultiDict[str, str]
    problem: str = ""
    field: str = ""


@dataclass
class _Piece:
    """A tag with its attributes, or what is between tags. An end tag is called like `/form`."""

    text: str
    tag: str = ""
    attributes: dict[str, str | None] = field(default_factory=dict)

    def set(self, name: str, value: str | None = None) -> None:
        """Set an attribute, which has no value if that is None."""
        self.attributes[name] = value
        self._write()

    def mark(self, name: str, *, is_set: bool) -> None:
        """Set or remove an attribute without a value."""
        self.attributes.pop(name, None)
        if is_set:
            self.attributes[name] = None
        self._write()

    @property
    def name(self) -> str:
        return self.attributes.get("name") or ""

    @property
    def type(self) -> str:
        return (self.attributes.get("type") or "") if self.tag == "input" else self.tag

    def _write(self) -> None:
        parts = [
            f" {name}" if value is None else f' {name}="{escape(value)}"'
            for name, value in self.attributes.items()
        ]
        self.text = f"<{self.tag}{''.join(parts)}>"


class _Reader(HTMLParser):
    """Splits a page into pieces, whose texts are together the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.pieces: list[_Piece] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pieces.append(_Piece(self.get_starttag_text() or "", tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pieces.append(_Piece(self.get_starttag_text() or ""))

    def handle_endtag(self, tag: str) -> None:
        self.pieces.append(_Piece(f"</{tag}>", f"/{tag}"))

    def handle_data(self, data: str) -> None:
        self.pieces.append(_Piece(data))

    def handle_entityref(self, name: str) -> None:
        self.pieces.append(_Piece(f"&{name};"))

    def handle_charref(self, name: str) -> None:
        self.pieces.append(_Piece(f"&#{name};"))

    def handle_comment(self, data: str) -> None:
        self.pieces.append(_Piece(f"<!--{data}-->"))

    def handle_decl(self, decl: str) -> None:
        self.pieces.append(_Piece(f"<!{decl}>"))


def refilled(page: str, sent: SentForm) -> str | None:
    """Return the page with its form as it was sent, and the problem; None if it has no such form.

    The problem is said before its field, or before the first field if it names none. The form has
    the id FORM_ID, and is not hidden in closed details.
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    pieces = reader.pieces
    for begin in [at for at, each in enumerate(pieces) if each.tag == "form"]:
        form = pieces[begin : _end(pieces, begin)]
        if _is_sent(form, sent):
            form[0].set("id", FORM_ID)
            _open_details(pieces[:begin])
            _fill(form, sent.values)
            if sent.problem:
                _say(form, sent)
            return "".join(each.text for each in pieces)
    return None


def typed(values: MultiDict[str, str]) -> list[str]:
    """Return what a form says, without the fields that each page has of its own."""
    found = [value for name, value in values.items(multi=True) if name not in OWN_FIELDS]
    return [each for each in found if each.strip()]


def _end(pieces: Sequence[_Piece], begin: int) -> int:
    return next(at for at in range(begin, len(pieces)) if pieces[at].tag == "/form") + 1


def _is_sent(form: Sequence[_Piece], sent: SentForm) -> bool:
    """Return True if a form has the action and the hidden fields of what was sent."""
    hidden = [each for each in form if each.type == "hidden" and each.name not in OWN_FIELDS]
    action, _, _ = (form[0].attributes.get("action") or "").partition("?")
    return action == sent.action and all(
        (each.attributes.get("value") or "") in sent.values.getlist(each.name) for each in hidden
    )


def _open_details(before: Sequence[_Piece]) -> None:
    """Open all details that are still open tags at the end of `before`."""
    around: list[_Piece] = []
    for each in before:
        if each.tag == "details":
            around.append(each)
        elif each.tag == "/details":
            around.pop()
    for each in around:
        each.set("open")


def _fill(form: Sequence[_Piece], values: MultiDict[str, str]) -> None:
    """Set the fields. Several fields of one name get its values in their order."""
    left = {name: list(found) for name, found in values.lists()}
    chosen: list[str] = []  # of the last <select>
    for at, each in enumerate(form):
        if each.type in _CHOICES:
            is_on = (each.attributes.get("value") or "on") in values.getlist(each.name)
            each.mark("checked", is_set=is_on)
        elif each.tag == "input" and each.type not in _KEPT and left.get(each.name):
            each.set("value", left[each.name].pop(0))
        elif each.tag == "textarea" and left.get(each.name):
            _write_text(form[at:], left[each.name].pop(0))
        elif each.tag == "select":
            chosen = values.getlist(each.name)
        elif each.tag == "option":
            value = each.attributes.get("value")
            each.mark("selected", is_set=(form[at + 1].text if value is None else value) in chosen)


def _write_text(field: Sequence[_Piece], text: str) -> None:
    """Set the text of a <textarea>, of which browsers skip a newline at the beginning."""
    for each in field[1:]:
        if each.tag == "/textarea":
            each.text = f"\n{escape(text)}{each.text}"
            return
        each.text = ""


def _say(form: Sequence[_Piece], sent: SentForm) -> None:
    """Write the problem before its field, which refers to it.

    A field like `name-de` may be called `name` in a form of one language.
    """
    names = (sent.field, sent.field.partition("-")[0]) if sent.field else ()
    about = [each for each in form if each.name in names]
    place = about[0] if about and about[0].type not in _CHOICES else form[0]
    said = f'<span class="wrong" id="{PROBLEM_ID}">{escape(sent.problem)}</span>'
    if place is form[0]:
        place.text = f"{place.text}\n{said}"
        return
    described = place.attributes.get("aria-describedby")
    place.set("aria-describedby", f"{described} {PROBLEM_ID}" if described else PROBLEM_ID)
    place.set("aria-invalid", "true")
    place.text = f"{said}\n{place.text}"
