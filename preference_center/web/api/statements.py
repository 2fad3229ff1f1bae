"""What every change on a subscriber's behalf states."""

from typing import Annotated

from pydantic import Field

from preference_center.core.change import ChangeContext
from preference_center.core.on_behalf import Statement
from preference_center.core.vocab import Source
from preference_center.web.api.models import FilledLine, FilledText, Model
from preference_center.web.api.routes import Call


class StatementBody(Model):
    """How the subscriber asked for a change, why it may be made, and in which words."""

    channel: Annotated[
        FilledLine,
        Field(description="How the subscriber asked.", examples=["phone"]),
    ]
    grounds: Annotated[
        FilledLine,
        Field(description="Why the change may be made.", examples=["consent"]),
    ]
    wording: Annotated[
        FilledText,
        Field(
            description="What the subscriber was told or said. It is not erased with them: put no "
            "personal data into it.",
            examples=["Yes, send me the newsletter."],
        ),
    ]

    @property
    def statement(self) -> Statement:
        return Statement(self.channel, self.grounds, self.wording)

    def context(self, call: Call) -> ChangeContext:
        """Return the context of the change, which is made now."""
        return self.statement.context(Source.API, call.now, call.app.settings.time_zone)
