"""The forms of the subscriber pages.

They need no CSRF token: forging a request takes the signed link, and anyone with the link can use
it directly.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass
from enum import StrEnum

from flask import request
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import EmailField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp, ValidationError

from preference_center.core import data_complaints
from preference_center.core.preferences_form import TopicUpdate
from preference_center.core.reasons import MAX_NOTE_LENGTH
from preference_center.core.vocab import Frequency, Pause, ReasonCode, Scope
from preference_center.links.addresses import is_mailable
from preference_center.links.cleaning import UnclearAddressError, clean
from preference_center.links.minter import SLUG
from preference_center.web.bodies import MAX_FORM_BYTES, read_body

OFF = "off"  # The frequency in the form of a topic that is not received.
PRESS_LINK = "link"  # The button that asks for a link only.
MAX_URL_LENGTH = 500
_CAPS = [each.value for each in Frequency if each is not Frequency.EVERY]


def _values(vocabulary: type[StrEnum]) -> list[str]:
    return [member.value for member in vocabulary]


class Form(FlaskForm):  # type: ignore[misc]
    """A form, read from the request's whole body."""

    class Meta:
        csrf = False

    def __init__(self) -> None:
        read_body(MAX_FORM_BYTES)
        # By default FlaskForm also reads JSON, and fails on JSON that is not an object.
        super().__init__(formdata=request.form)


class LeaveForm(Form):
    """What to unsubscribe from: one topic, or everything. The pressed button sends `scope`."""

    scope = RadioField(choices=[Scope.TOPIC.value, Scope.ALL.value], validators=[InputRequired()])
    topic = StringField(validators=[Optional(), Regexp(f"^{SLUG.pattern}$")])

    @property
    def chosen_topic(self) -> str | None:
        """Return the topic to unsubscribe from, or None for everything."""
        return str(self.topic.data) if self.scope.data == Scope.TOPIC else None

    def is_for(self, load_topics: Callable[[], Container[str]]) -> bool:
        """Return True if the form is valid, and is for everything or for a topic that is loaded.

        Nothing is loaded for everything, so that it can be left while the database is away.
        """
        if not self.validate():
            return False
        return self.scope.data == Scope.ALL or self.topic.data in load_topics()


class ReduceForm(Form):
    """How to reduce a topic: by a frequency cap or a pause."""

    choice = RadioField(choices=[*_CAPS, *_values(Pause)], validators=[InputRequired()])

    @property
    def chosen(self) -> Frequency | Pause:
        """Return the chosen cap or pause."""
        chosen = str(self.choice.data)
        return Pause(chosen) if chosen in _values(Pause) else Frequency(chosen)


class CapForm(Form):
    """The topic to get at most once a month."""

    topic = StringField(validators=[InputRequired(), Regexp(f"^{SLUG.pattern}$")])


class ReasonForm(Form):
    """Why the subscriber left: a code, a note, or both. An empty form is no error."""

    code = RadioField(choices=_values(ReasonCode), validators=[Optional()])
    note = TextAreaField()

    @property
    def chosen(self) -> ReasonCode | None:
        """Return the chosen code, `other` if there is only a note, or None without an answer."""
        code = (self.code.data or "").strip()  # `Optional` accepts white space.
        if not self.validate() or not (code or self.text):
            return None
        return ReasonCode(code or ReasonCode.OTHER)

    @property
    def text(self) -> str:
        """Return the note, with each line break as one character."""
        return str(self.note.data or "").replace("\r\n", "\n").strip()

    @property
    def is_too_long(self) -> bool:
        return len(self.text) > MAX_NOTE_LENGTH


class ComplaintForm(Form):
    """What the subscriber complains about."""

    note = TextAreaField()

    @property
    def text(self) -> str:
        return data_complaints.cleaned(str(self.note.data or ""))

    @property
    def problem(self) -> str:
        """Return what is wrong with the text, or ""."""
        if not self.text:
            return "empty"
        return "long" if len(self.text) > data_complaints.MAX_LENGTH else ""


class LanguageForm(Form):
    """The language of our pages and emails."""

    language = StringField()


class SignUpForm(Form):
    """An address, and the topics to sign up for. `press` says if only a link is wanted.

    `form` and `next` are sent by the forms of other sites: their page, and the one to show next.
    """

    email = EmailField(validators=[InputRequired(), Length(max=320)])
    press = StringField()
    form = StringField()
    next = StringField()

    @property
    def address(self) -> str:
        """Return what was typed as the address."""
        return str(self.email.data or "")

    @property
    def topics(self) -> list[str]:
        """Return what was sent as slugs of topics."""
        return request.form.getlist("topic")

    @property
    def wants_link(self) -> bool:
        return bool(self.press.data == PRESS_LINK)

    @property
    def page_url(self) -> str:
        """Return the address of the page with the form, or "" if it is too long."""
        return _short(self.form.data)

    @property
    def next_url(self) -> str:
        """Return the address of the page to show next, or "" if it is too long."""
        return _short(self.next.data)

    def validate_email(self, field: EmailField) -> None:
        """Raise ValidationError unless email can be sent to the address."""
        try:
            mailable = is_mailable(clean(str(field.data)))
        except UnclearAddressError:
            mailable = False
        if not mailable:
            raise ValidationError


@dataclass(frozen=True)
class PreferencesForm:
    """The preferences form: each topic in it, a pause of everything, and the language chosen in it.

    `language` may be any text. `touched` is False if it is the one that the page had preselected.
    """

    updates: list[TopicUpdate]
    pause: Pause | None
    language: str
    touched: bool

    def query(self) -> dict[str, str | list[str]]:
        """Return the fields of what the form changes, for a URL that shows its choices again."""
        changed = [each for each in self.updates if each.changes]
        fields: dict[str, str | list[str]] = {"topic": [each.slug for each in changed]}
        for each in changed:
            fields[f"was-{each.slug}"] = each.was or OFF
            if each.wants is not None:
                fields |= {f"on-{each.slug}": "on", f"often-{each.slug}": each.wants}
            if each.resume:
                fields[f"resume-{each.slug}"] = "on"
        if self.pause is not None:
            fields["pause"] = self.pause
        return fields | ({"language": self.language} if self.touched else {})


def sent_preferences() -> PreferencesForm | None:
    """Return the posted preferences form, or None as `read_preferences` does."""
    read_body(MAX_FORM_BYTES)
    return read_preferences(request.form)


def read_preferences(form: MultiDict[str, str]) -> PreferencesForm | None:
    """Return the preferences form, or None if it is invalid, or has no choice and no language.

    The button that resumes every topic overrides the choice to pause them.
    """
    slugs, language = dict.fromkeys(form.getlist("topic")), form.get("language", "")
    resumes_all = form.get("press") == "resume"
    try:
        updates = [_update(form, slug, resumes_all=resumes_all) for slug in slugs]
        length = form.get("pause", "")
        pause = Pause(length) if length and not resumes_all else None
    except ValueError:
        return None
    good = all(SLUG.fullmatch(slug) for slug in slugs)
    if not good or not (updates or pause or "language" in form):
        return None
    return PreferencesForm(updates, pause, language, language != form.get("language-was", ""))


def _short(value: object) -> str:
    """Return an address of one line, or ""."""
    text = str(value or "")
    return text if len(text) <= MAX_URL_LENGTH and text.isascii() and text.isprintable() else ""


def _update(form: MultiDict[str, str], slug: str, *, resumes_all: bool) -> TopicUpdate:
    often = _frequency(form.get(f"often-{slug}", Frequency.EVERY))
    return TopicUpdate(
        slug=slug,
        was=_frequency(form.get(f"was-{slug}", "")),
        wants=often if f"on-{slug}" in form else None,
        resume=resumes_all or f"resume-{slug}" in form,
    )


def _frequency(text: str) -> Frequency | None:
    """Return a frequency, or None for `off`; raise ValueError for anything else."""
    return Frequency(text) if text != OFF else None
