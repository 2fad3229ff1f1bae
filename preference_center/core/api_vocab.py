"""Enums of the JSON API, the feed of events, webhooks and reports, as in `vocab`."""

from bisect import bisect
from enum import StrEnum


class EventName(StrEnum):
    """What the feed and webhooks call a change."""

    TOPIC_STARTED = "topic.started"
    TOPIC_STOPPED = "topic.stopped"
    TOPIC_CHANGED = "topic.changed"  # Its frequency, its pause, or what is on record of it.
    ALL_STOPPED = "all.stopped"
    ADDRESS_STOPPED = "address.stopped"
    STOP_LIFTED = "stop.lifted"  # Of all topics, or of the address.
    SUBSCRIBER_ERASING = "subscriber.erasing"


STOPS = (EventName.TOPIC_STOPPED, EventName.ALL_STOPPED, EventName.ADDRESS_STOPPED)


class ReportBy(StrEnum):
    """What each row of the report is about."""

    MAILING = "mailing"  # One campaign of one topic.
    CAMPAIGN = "campaign"  # All mailings with the same campaign, whatever their topics.
    TOPIC = "topic"
    MONTH = "month"


class EmailsReceived(StrEnum):
    """How many emails a subscriber was sent within 30 days, the newest one included."""

    NONE = "0"
    ONE = "1"
    FEW = "2-4"
    SEVERAL = "5-9"
    MANY = "10-19"
    MOST = "20-"

    @classmethod
    def of(cls, number: int) -> "EmailsReceived":
        """Return which of them a number of emails, from 0 up, is."""
        return list(cls)[bisect(_LEAST, number) - 1]


_LEAST = [int(each.partition("-")[0]) for each in EmailsReceived]


class Outcome(StrEnum):
    """What a change on a subscriber's behalf did to one topic."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"  # It was so before.
    CONFIRMATION_SENT = "confirmation_sent"  # The topic starts when the emailed link is used.
    COMPLAINED = "complained"  # Not started: an email was reported as spam.
    NO_EMAIL = "no_email"  # Not started: it was stopped, and a confirm link cannot be emailed.
    ARCHIVED = "archived"  # Not started: the topic is no longer sent.
    CHOSE_LESS = "chose_less"  # The subscriber's own cap or pause stays.

    @property
    def is_refused(self) -> bool:
        return self not in (Outcome.CHANGED, Outcome.UNCHANGED, Outcome.CONFIRMATION_SENT)


class ApiKeyKind(StrEnum):
    """What a key of the API may do to whom."""

    LIVE = "live"
    TEST = "test"  # It acts on reserved addresses (RFC 2606) only, and causes no email.


class ApiScope(StrEnum):
    """What a key of the API is for."""

    AUDIENCE = "audience"
    LINKS = "links"
    SIGNED_IN_LINKS = "links:signed-in"
    SIGN_UPS = "sign-ups"
    SUBSCRIBERS_READ = "subscribers:read"
    SUBSCRIBERS_WRITE = "subscribers:write"
    TOPICS = "topics"
    SUPPRESSIONS = "suppressions"
    REPORTS = "reports"
    EXPORTS = "exports"
    IMPORTS = "imports"
    EVENTS = "events"
    WEBHOOKS = "webhooks"


class WebhookState(StrEnum):
    """Whether events are delivered to a webhook."""

    ACTIVE = "active"
    PAUSED = "paused"  # It failed for three days.
    DISABLED = "disabled"  # It answered 410: it wants no more.
