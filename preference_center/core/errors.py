"""Refusals. Each is turned into a page, a status or an exit code in one place per channel.

Refusal
├── TopicRefusal
│   ├── UnknownTopicError
│   ├── TopicExistsError
│   └── InvalidTopicError
├── UnknownSubscriberError
├── InvalidReasonError
├── StalePageError              a form shows what is no longer so
├── LinkTooOldError             a link that joins a topic has had its days
└── UndoRefusal
    ├── UndoTooLateError        more than 30 days have passed
    ├── UndoSupersededError     a later choice touched the same thing
    └── UndoNotOfferedError     a complaint, a bounce or staff ended it
"""


class Refusal(Exception):
    """Something we will not do, for a reason that the person asking should hear."""


class TopicRefusal(Refusal):
    """A topic cannot be used as asked."""


class UnknownTopicError(TopicRefusal):
    """There is no such topic."""


class TopicExistsError(TopicRefusal):
    """A topic of this slug, or of this mailto code, is there already."""


class InvalidTopicError(TopicRefusal):
    """A slug, a name or a policy could not be used."""


class InvalidReasonError(Refusal):
    """A reason is none of the codes, or its note is too long."""


class StalePageError(Refusal):
    """A form was sent from a page that is no longer true."""


class LinkTooOldError(Refusal):
    """A mailed link that joins a topic is more than 7 days old."""


class UndoRefusal(Refusal):
    """A change cannot be undone from its receipt."""


class UndoTooLateError(UndoRefusal):
    """The days of undo are over."""


class UndoSupersededError(UndoRefusal):
    """A newer choice touched what this change touched."""


class UndoNotOfferedError(UndoRefusal):
    """The change was not the person's own."""
