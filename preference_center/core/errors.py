"""Refusals. Each is turned into a page, a status or an exit code in one place per door.

Refusal
├── TopicRefusal
│   ├── UnknownTopicError
│   ├── TopicExistsError
│   └── InvalidTopicError
├── UnknownSubscriberError
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


class UndoRefusal(Refusal):
    """A change cannot be undone from its receipt."""


class UndoTooLateError(UndoRefusal):
    """The days of undo are over."""


class UndoSupersededError(UndoRefusal):
    """A newer choice touched what this change touched."""


class UndoNotOfferedError(UndoRefusal):
    """The change was not the person's own."""
