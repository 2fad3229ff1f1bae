"""The texts of pages and emails that members of staff can edit, and what each of them must keep.

An edited text is plain text, checked like a translation: the tags of its English text stay.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from gettext import c2py
from hashlib import sha256

from babel.messages import Catalog
from jinja2 import Environment, TemplateSyntaxError

from preference_center.i18n.catalogue import PLACEHOLDER, TAG, Forms, Text
from preference_center.i18n.locales import locale_of
from preference_center.util.text import is_one_line

# The note for those who leave is a text without an English one. GOODBYE_NOTE sets the standard.
GOODBYE_NOTE = ("The goodbye note",)
MAX_LENGTH = 1000
MAX_NOTE_LENGTH = 300  # as in the settings

_EDITABLE = re.compile(r"(subscriber|mail|errors)/.*|[^/]*\.(html|txt)")
_EXAMPLES = range(1000)  # Numbers that are tried to find those of each plural form.
_SHOWN_EXAMPLES = 4
_SPACES = re.compile(r"[ \t\r\n]+")  # A no-break space is part of a text.


@dataclass(frozen=True)
class Message:
    """A text of the templates: in English, one form or two. `templates` contain it."""

    english: Forms
    templates: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Return what identifies the text in a URL and in the database."""
        return key_of(self.english)

    @property
    def placeholders(self) -> list[str]:
        """Return the placeholders that the text may contain outside its tags."""
        found = (PLACEHOLDER.findall(TAG.sub("", each)) for each in self.english)
        return list(dict.fromkeys(each for form in found for each in form))

    @property
    def tags(self) -> list[str]:
        """Return the tags that the text must contain, in their order."""
        return TAG.findall(self.english[0])

    @property
    def is_note(self) -> bool:
        """Return True if this is the note for those who leave, which may be empty."""
        return self.english == GOODBYE_NOTE

    def problem(self, form: str) -> str | None:
        """Return what is wrong with an edited form, as a sentence, or None."""
        longest = MAX_NOTE_LENGTH if self.is_note else MAX_LENGTH
        if len(form) > longest:
            return f"The text has more than {longest:,} characters."
        if not is_one_line(form):
            return "The text has a control character."
        if self.is_note:
            return None
        if not form:
            return "The text is empty."
        try:
            Text(self.english, (form,), "", fuzzy=False).pieces(form)
        except ValueError as error:
            return f"The text {error}."
        return None


def key_of(english: Forms) -> str:
    """Return the digest of an English text, in hexadecimal."""
    return sha256(english[0].encode()).hexdigest()[:32]


def tidy(form: str) -> str:
    """Return a form on one line."""
    return _SPACES.sub(" ", form).strip(" ")


def messages(environment: Environment) -> dict[str, Message]:
    """Return the texts of pages and emails by key, in the order of the templates."""
    note = Message(GOODBYE_NOTE, ["subscriber/receipt.html"])
    found = {note.key: note}
    editable = filter(_EDITABLE.fullmatch, environment.list_templates())
    for template, english in template_texts(environment, editable):
        message = found.setdefault(key_of(english), Message(english))
        if template not in message.templates:
            message.templates.append(template)
    return found


def template_texts(
    environment: Environment, templates: Iterable[str]
) -> Iterator[tuple[str, Forms]]:
    """Yield each template with each of its English texts, in one form or two."""
    for template in templates:
        if not template.endswith((".html", ".txt")) or environment.loader is None:
            continue
        with suppress(TemplateSyntaxError, UnicodeDecodeError):  # Rendering will report it.
            source, *_ = environment.loader.get_source(environment, template)
            for _, _, text in environment.extract_translations(source):  # type: ignore[attr-defined]
                yield template, (text,) if isinstance(text, str) else _strings(text)


def plural_examples(code: str) -> list[str]:
    """Return some numbers for each plural form of a language, in the order of its forms."""
    catalogue = Catalog(locale=locale_of(code))
    form_of = c2py(catalogue.plural_expr)
    numbers: list[list[str]] = [[] for _ in range(catalogue.num_plurals)]
    for number in _EXAMPLES:
        numbers[form_of(number)].append(str(number))
    return [
        ", ".join(each[:_SHOWN_EXAMPLES]) + (" …" if len(each) > _SHOWN_EXAMPLES else "")
        for each in numbers
    ]


def valid(texts: Iterable[Text], code: str) -> Sequence[Text]:
    """Return the texts that fit their English text. A later version may need other plural forms."""
    plural_forms = Catalog(locale=locale_of(code)).num_plurals
    return [each for each in texts if each.problem(plural_forms) is None]


def _strings(texts: Sequence[str | None]) -> Forms:
    return tuple(each for each in texts if each is not None)
