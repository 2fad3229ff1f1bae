"""The forms of the subscriber pages.

They carry no CSRF token: nobody can forge a post to an address they do not know, and whoever
knows it needs no forgery (design 5).
"""

from collections.abc import Container

from flask import request
from flask_wtf import FlaskForm
from wtforms import RadioField, StringField
from wtforms.validators import InputRequired, Optional, Regexp

from preference_center.links import SLUG
from preference_center.web.bodies import LONGEST_FORM, read_body


class LeaveForm(FlaskForm):  # type: ignore[misc]
    """What to leave: one topic, or everything. The pressed button's value is the answer."""

    class Meta:
        csrf = False

    scope = RadioField(choices=["topic", "all"], validators=[InputRequired()])
    topic = StringField(validators=[Optional(), Regexp(f"^{SLUG.pattern}$")])

    def __init__(self) -> None:
        read_body(LONGEST_FORM)
        # FlaskForm by itself would read JSON too, and fail on JSON that is no object.
        super().__init__(formdata=request.form)

    @property
    def chosen_topic(self) -> str | None:
        """Return the topic to leave, or None for everything."""
        return str(self.topic.data) if self.scope.data == "topic" else None

    def says_what_of(self, known: Container[str]) -> bool:
        """Tell whether a button was pressed that leaves everything or one of the topics `known`."""
        return bool(self.validate()) and (self.scope.data == "all" or self.topic.data in known)
