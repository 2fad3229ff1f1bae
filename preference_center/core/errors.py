"""Refusals. Each channel turns them into pages, statuses or exit codes in one place.

Refusal
├── TopicRefusal
│   ├── UnknownTopicError
│   ├── TopicExistsError
│   ├── TopicInUseError
│   └── InvalidTopicError
├── ExportRefusal               an export has no such filter, or its format cannot be written
├── CursorExpiredError          a cursor of the feed is older than the events that are kept
├── ComplaintRefusal            a complaint cannot be stored, acknowledged or closed
├── DayNoteRefusal              a note of a day cannot be added
├── InvalidReasonError
├── InvalidCampaignError        its name is one of our own
├── ReportRefusal
├── ImportRefusal               the options of an import contradict each other
├── JobRefusal                  an export or an import cannot be started, cancelled or taken
│   └── UnknownJobError
├── ListRefusal                 a list of people cannot be shown or changed as asked
├── LinkRefusal                 two addresses cannot be linked
├── KeyInUseError               a request with the same Idempotency-Key is being made
├── KeyReusedError              the Idempotency-Key belongs to another request
├── OnBehalfRefusal             a change that staff make for a subscriber cannot be made
├── StaffRefusal               a member of staff or a passkey cannot be changed as asked
│   └── FormSentBeforeError     a form of the console was sent before
├── EditRefusal                an edited text cannot be published as asked
├── StalePageError              a form no longer shows the current preferences
├── StaleVersionError           a subscriber has changed since a program read them
├── UnknownSubscriberError
├── WebhookRefusal              a webhook cannot be added, or not be tested now
│   └── UnknownWebhookError
└── UndoRefusal
    ├── UndoTooLateError        more than 30 days have passed
    ├── UndoSupersededError     a newer change affects the same target
    └── UndoNotOfferedError     not the subscriber's own change, or repeated since
"""


class Refusal(Exception):
    """A request that is refused, for a reason that the caller is shown.

    `field` is the name of the value that it is about, as forms have it, or "".
    """

    def __init__(self, why: str = "", field: str = "") -> None:
        super().__init__(why)
        self.field = field


class TopicRefusal(Refusal):
    """A topic cannot be used as asked."""


class UnknownTopicError(TopicRefusal):
    """There is no such topic."""


class TopicExistsError(TopicRefusal):
    """A topic with this slug, or with this mailto code, exists already."""


class TopicInUseError(TopicRefusal):
    """A topic cannot be deleted, because subscribers or emails refer to it."""


class InvalidTopicError(TopicRefusal):
    """A slug, a language tag, a name or a description could not be used."""


class CursorExpiredError(Refusal):
    """A cursor of the feed is older than the events that are kept, or newer than the last one."""


class ExportRefusal(Refusal):
    """An export has no such filter, or cannot be written in its format."""


class ImportRefusal(Refusal):
    """The options of an import contradict each other."""


class InvalidCampaignError(Refusal):
    """A campaign has a name that this installation uses itself."""


class ReportRefusal(Refusal):
    """A report cannot be made as asked."""


class DayNoteRefusal(Refusal):
    """A note of a day cannot be added."""


class ComplaintRefusal(Refusal):
    """A complaint cannot be stored or acknowledged."""


class ListRefusal(Refusal):
    """A list of people cannot be shown or changed as asked."""


class LinkRefusal(Refusal):
    """Two subscribers cannot be linked."""


class InvalidReasonError(Refusal):
    """The note of a reason is too long."""


class KeyInUseError(Refusal):
    """A request with the same Idempotency-Key is being made."""


class KeyReusedError(Refusal):
    """The Idempotency-Key belongs to another request."""


class StalePageError(Refusal):
    """A form was sent from a page that is out of date."""


class StaleVersionError(Refusal):
    """A subscriber has changed since a program read them."""


class UnknownSubscriberError(Refusal):
    """There is no such subscriber."""


class WebhookRefusal(Refusal):
    """A webhook cannot be used as asked."""


class UnknownWebhookError(WebhookRefusal):
    """There is no such webhook."""


class UndoRefusal(Refusal):
    """A change cannot be undone from its receipt."""


class UndoTooLateError(UndoRefusal):
    """The time for undo is over."""


class UndoSupersededError(UndoRefusal):
    """A newer change affects the same target."""


class UndoNotOfferedError(UndoRefusal):
    """The change was not the subscriber's own, or another channel repeated it."""


class OnBehalfRefusal(Refusal):
    """A change on a subscriber's behalf cannot be made. Nothing was changed."""


class StaffRefusal(Refusal):
    """A member of staff, or a passkey of one, cannot be changed as asked."""


class FormSentBeforeError(StaffRefusal):
    """A form of the console was sent before, so what it creates may exist already."""


class JobRefusal(Refusal):
    """An export or an import of the console cannot be started, cancelled or taken."""


class UnknownJobError(JobRefusal):
    """There is no such export or import."""


class EditRefusal(Refusal):
    """An edited text cannot be published as asked."""
