"""The forms of the subscriber pages.

They carry no CSRF token: nobody can forge a post to an address they do not know, and whoever
knows it needs no forgery (design 5).
"""

from collections.abc import Container

from flask import request
from flask_wtf import FlaskForm
from wtforms import EmailField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp, ValidationError

from preference_center.core.preferences import FREQUENCIES
from preference_center.core.preferences_form import TopicUpdate
from preference_center.core.reasons import CODES, MAX_NOTE_LENGTH
from preference_center.core.subscriptions import PAUSES
from preference_center.links.addresses import UnclearAddressError, clean, is_mailable
from preference_center.links.minter import SLUG
from preference_center.web.bodies import MAX_FORM_BYTES, read_body


class Form(FlaskForm):  # type: ignore[misc]
    """A form of ours, read whole from the request's body."""

    class Meta:
        csrf = False

    def __init__(self) -> None:
        read_body(MAX_FORM_BYTES)
        # FlaskForm by itself would read JSON too, and fail on JSON that is no object.
        super().__init__(formdata=request.form)


class LeaveForm(Form):
    """What to leave: one topic, or everything. The pressed button's value is the answer."""

    scope = RadioField(choices=["topic", "all"], validators=[InputRequired()])
    topic = StringField(validators=[Optional(), Regexp(f"^{SLUG.pattern}$")])

    @property
    def chosen_topic(self) -> str | None:
        """Return the topic to leave, or None for everything."""
        return str(self.topic.data) if self.scope.data == "topic" else None

    def says_what_of(self, known: Container[str]) -> bool:
        """Tell whether a button was pressed that leaves everything or one of the topics `known`."""
        return bool(self.validate()) and (self.scope.data == "all" or self.topic.data in known)


class LessForm(Form):
    """How much less: a cap, or a pause."""

    choice = RadioField(choices=[*FREQUENCIES[1:], *PAUSES], validators=[InputRequired()])


class PauseForm(Form):
    """For how long to pause everything."""

    length = RadioField(choices=list(PAUSES), validators=[InputRequired()])


class ReasonForm(Form):
    """Why somebody left: a code, a note, or both."""

    code = RadioField(choices=list(CODES), validators=[Optional()])
    note = TextAreaField()

    @property
    def text(self) -> str:
        """Return the note, its line breaks counted once."""
        return str(self.note.data or "").replace("\r\n", "\n").strip()

    @property
    def problem(self) -> str:
        """Return what is wrong: `nothing` was said, or too much (`long`)."""
        if len(self.text) > MAX_NOTE_LENGTH:
            return "long"
        return "" if self.validate() and (self.code.data or self.text) else "nothing"


class LinkForm(Form):
    """Where to mail a fresh link."""

    email = EmailField(validators=[InputRequired(), Length(max=320)])

    def validate_email(self, field: EmailField) -> None:
        try:
            mailable = is_mailable(clean(str(field.data)))
        except UnclearAddressError:
            mailable = False
        if not mailable:
            raise ValidationError


def read_updates() -> list[TopicUpdate] | None:
    """Return what the form of preferences says of each topic it showed; None if it cannot be read.

    A form of a person who can choose no topic still says which language they want.
    """
    read_body(MAX_FORM_BYTES)
    form = request.form
    wishes = [
        TopicUpdate(
            slug=slug,
            was=form.get(f"was-{slug}", ""),
            wants=form.get(f"often-{slug}", "every") if f"on-{slug}" in form else "off",
            resume=f"resume-{slug}" in form,
        )
        for slug in dict.fromkeys(form.getlist("topic"))
    ]
    known = {"off", *FREQUENCIES}
    good = all({wish.was, wish.wants} <= known and SLUG.fullmatch(wish.slug) for wish in wishes)
    return wishes if good and (wishes or "language" in form) else None
