"""Fill the form of a page with what was sent, so that nothing has to be typed again.

The form is the one with the same action and the same hidden fields. Hidden fields, files and
passwords stay as the page has them.
"""

from dataclasses import dataclass

from lxml.html import FormElement, HtmlElement, document_fromstring, fromstring, tostring
from werkzeug.datastructures import MultiDict

from preference_center.util.text import without_controls

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


def refilled(page: str, sent: SentForm) -> str | None:
    """Return the page with its form as it was sent, and the problem; None if it has no such form.

    The problem is said before its field, or at the top of the form if it names none. The form has
    the id FORM_ID, and is not hidden in closed details.
    """
    document = document_fromstring(page)
    form = next((each for each in document.forms if _is_sent(each, sent)), None)
    if form is None:
        return None
    form.set("id", FORM_ID)
    for details in form.iterancestors("details"):
        details.set("open")
    _fill(form, sent.values)
    if sent.problem:
        _say(form, sent)
    return str(tostring(document, encoding="unicode", doctype="<!doctype html>"))


def typed(values: MultiDict[str, str]) -> list[str]:
    """Return what a form says, without the fields that each page has of its own."""
    found = [value for name, value in values.items(multi=True) if name not in OWN_FIELDS]
    return [each for each in found if each.strip()]


def _is_sent(form: FormElement, sent: SentForm) -> bool:
    """Return True if a form has the action and the hidden fields of what was sent."""
    hidden = [each for each in form.iter("input") if each.get("type") == "hidden"]
    action, _, _ = (form.get("action") or "").partition("?")
    return action == sent.action and all(
        each.get("value", "") in sent.values.getlist(each.name)
        for each in hidden
        if each.name not in OWN_FIELDS
    )


def _fill(form: FormElement, values: MultiDict[str, str]) -> None:
    """Set the fields. Several fields of one name get its values in their order."""
    left = {name: [_allowed(each) for each in found] for name, found in values.lists()}
    for field in form.iter("input", "textarea", "select"):
        if field.tag == "select":
            for option in field.iter("option"):
                _mark(option, "selected", is_set=_value(option) in values.getlist(field.name))
        elif field.get("type") in _CHOICES:
            _mark(field, "checked", is_set=field.get("value", "on") in values.getlist(field.name))
        elif field.get("type") not in _KEPT and left.get(field.name):
            text = left[field.name].pop(0)
            # Browsers skip a line feed at the beginning of a <textarea>.
            field.value = text if field.tag == "input" else f"\n{text}"


def _allowed(text: str) -> str:
    """Return a text without the characters that XML does not allow, which lxml refuses."""
    return without_controls(text.replace("\r\n", "\n")).replace("\ufffe", "").replace("\uffff", "")


def _value(option: HtmlElement) -> str:
    return str(option.get("value", (option.text or "").strip()))


def _mark(element: HtmlElement, name: str, *, is_set: bool) -> None:
    """Set or remove an attribute without a value."""
    element.attrib.pop(name, None)
    if is_set:
        element.set(name)


def _say(form: FormElement, sent: SentForm) -> None:
    """Write the problem before its field, which refers to it.

    A field like `name-de` may be called `name` in a form of one language.
    """
    said = fromstring(f'<span class="wrong" id="{PROBLEM_ID}"></span>')
    said.text = _allowed(sent.problem)
    names = (sent.field, sent.field.partition("-")[0]) if sent.field else ()
    fields = form.iter("input", "textarea", "select")
    field = next((each for each in fields if each.name in names), None)
    if field is None or field.get("type") in _CHOICES:
        form.insert(0, said)
        return
    field.addprevious(said)
    described = field.get("aria-describedby")
    field.set("aria-describedby", f"{described} {PROBLEM_ID}" if described else PROBLEM_ID)
    field.set("aria-invalid", "true")
