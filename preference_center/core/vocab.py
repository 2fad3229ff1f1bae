"""Enums that several packages share. This module imports nothing from the project.

CHECK constraints, forms, command-line choices, imports, exports and texts derive from these enums.
"""

from datetime import timedelta
from enum import StrEnum


class Source(StrEnum):
    """The channel through which a change came in."""

    ONE_CLICK = "one-click"
    PAGE = "page"
    MAILTO = "mailto"
    COMPLAINT = "complaint"
    BOUNCE = "bounce"
    PROVIDER = "provider"  # An unsubscribe that a provider reports by webhook.
    API = "api"
    IMPORT = "import"
    CONSOLE = "console"
    CLI = "cli"

    @property
    def is_own(self) -> bool:
        """Return True if a change from this source is the subscriber's own choice."""
        return self in OWN_SOURCES


OWN_SOURCES = (Source.PAGE, Source.ONE_CLICK, Source.MAILTO)
# Those who left on their own account: not by a bounce, and not by what the sender recorded.
RATED_SOURCES = (*OWN_SOURCES, Source.PROVIDER, Source.COMPLAINT)


class Event(StrEnum):
    """What a ledger row records."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    UNCONFIRMED = "unconfirmed"  # Imported as not confirmed yet.
    RESUBSCRIBED = "resubscribed"
    STAYED_OFF = "stayed_off"  # Not resumed when one topic was started after a global unsubscribe.
    REDUCED = "reduced"
    INCREASED = "increased"
    PAUSED = "paused"
    RESUMED = "resumed"
    UNDONE = "undone"
    LIFTED = "lifted"  # A suppression was removed: one by bounces in bulk, or on request.
    ERASED = "erased"


class Status(StrEnum):
    """What a subscription says about one subscriber and one topic."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    UNCONFIRMED = "unconfirmed"


class FetchKind(StrEnum):
    """How a sender learns of unsubscribes: by an audience check or an export."""

    AUDIENCE = "audience"
    PREFERENCES = "preferences"
    SUPPRESSIONS = "suppressions"


class Scope(StrEnum):
    """What an unsubscribe covers."""

    TOPIC = "topic"
    ALL = "all"  # Every topic, also later ones; emails about the account may still be sent.
    ADDRESS = "address"  # Every email to the address.


SILENCE_MEANS_NO = "no"  # the word of the column `silence` of imports and exports
SUPPRESSION_SCOPES = (Scope.ALL, Scope.ADDRESS)


class Frequency(StrEnum):
    """At most how often a subscriber gets a topic, from the most to the least."""

    EVERY = "every"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    @property
    def interval(self) -> timedelta:
        """Return the least time between two emails.

        It is half a day short of a week and of four weeks, so that a regular issue which is sent
        a little early is not left out.
        """
        return _INTERVALS[self]

    def is_less_than(self, other: "Frequency") -> bool:
        return self.interval > other.interval


_INTERVALS = {
    Frequency.EVERY: timedelta(0),
    Frequency.WEEKLY: timedelta(days=6, hours=12),
    Frequency.MONTHLY: timedelta(days=27, hours=12),
}


class Cadence(StrEnum):
    """How often a topic is sent."""

    IRREGULAR = "irregular"  # Also daily.
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    @property
    def caps_below(self) -> tuple[Frequency, ...]:
        """Return the frequencies that are less than a topic of this cadence is sent."""
        return tuple(each for each in Frequency if each.interval > _CADENCE_INTERVALS[self])


_CADENCE_INTERVALS = {
    Cadence.IRREGULAR: timedelta(0),
    Cadence.WEEKLY: timedelta(days=7),
    Cadence.MONTHLY: timedelta(days=28),
}


class Pause(StrEnum):
    """For how long a subscriber can pause a topic."""

    TWO_WEEKS = "2-weeks"
    ONE_MONTH = "1-month"
    THREE_MONTHS = "3-months"


class TopicPolicy(StrEnum):
    """Whether silence means consent to a topic."""

    OPT_IN = "opt_in"  # A subscriber without a subscription does not get the topic.
    OPT_OUT = "opt_out"  # A subscriber without a subscription gets the topic.


class TopicVisibility(StrEnum):
    """Where a topic is shown. Its links work in any case."""

    PUBLIC = "public"  # Pages offer it to every subscriber.
    HIDDEN = "hidden"  # Pages show it to subscribers who receive it.
    INTERNAL = "internal"  # No page lists it.


class OutboxKind(StrEnum):
    """What an email of this installation is for. Each has templates of the same name."""

    CHANGE_NOTICE = "change_notice"  # Confirms a change, with undo.
    OPT_IN_REQUEST = "opt_in_request"  # Holds the confirm link that starts a topic.
    SIGN_UP = "sign_up"  # Holds the link that confirms a sign-up.
    LINK = "link"  # Holds a fresh preferences link.
    ACCOUNT_LINK = "account_link"  # Holds the link to what is on record about the subscriber.
    DATA_COMPLAINT = "data_complaint"  # To the operator: what a subscriber complains about.
    STAFF_INVITATION = "staff_invitation"  # Holds the link to create a passkey.
    STAFF_FIGURES = "staff_figures"  # The figures of a week.
    STAFF_ALERT = "staff_alert"  # Says what has become worse.


# Emails to members of staff. Their id is in the place of a subscriber's.
TO_STAFF = (OutboxKind.STAFF_INVITATION, OutboxKind.STAFF_FIGURES, OutboxKind.STAFF_ALERT)


# What anyone can have sent to any address that they know.
OPEN_REQUESTS = (OutboxKind.SIGN_UP, OutboxKind.LINK)


class OutboxState(StrEnum):
    """The state of an email in the outbox."""

    PENDING = "pending"  # Gathers further changes until it is due.
    STARTED = "started"  # Gathers none; a worker may hold a lease on it.
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"  # It was no longer needed, or there was no address to send it to.


class ReasonCode(StrEnum):
    """Why a subscriber left, in the order in which a page offers the answers by default."""

    TOO_MANY = "too_many"
    NOT_RELEVANT = "not_relevant"
    NO_LONGER_INTERESTED = "no_longer_interested"
    NEVER_SIGNED_UP = "never_signed_up"
    CHANGED_ADDRESS = "changed_address"
    CONTENT_QUALITY = "content_quality"
    OTHER = "other"
    PREFER_NOT_SAY = "prefer_not_say"  # No page offers it, because an answer is voluntary.


class ReceiptState(StrEnum):
    """Whether the changes of a receipt still hold, and whether they can be undone."""

    ACTIVE = "active"  # They hold and can be undone.
    UNDONE = "undone"
    SUPERSEDED = "superseded"  # The subscriber has made a newer choice.
    EXPIRED = "expired"  # They hold; the time for undo is over.
    FINAL = "final"  # They hold, and undo was never offered.


class Decision(StrEnum):
    """Whether a sender may email a subscriber now."""

    ALLOW = "allow"
    DEFER = "defer"  # Not before a given time.
    DENY = "deny"


class DecisionReason(StrEnum):
    """Why the audience check defers or denies an email."""

    FREQUENCY = "frequency"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    UNCONFIRMED = "unconfirmed"
    NOT_SUBSCRIBED = "not_subscribed"
    UNKNOWN = "unknown"
    ERASED = "erased"
    DUPLICATE = "duplicate"  # The subscriber was allowed on another row of the request.


class KeyKind(StrEnum):
    """What a key of this installation is for. The database stores a check value of each key."""

    IDENTITY = "identity"  # Turns an address into a subscriber id; it never changes.
    SERVER = "server"  # Signs receipts and confirm links, and seals the ledger.
    LINK = "link"  # Signs the links in campaigns, and return paths.


class ConfirmState(StrEnum):
    """What the button on the page of an emailed confirm link would do now."""

    READY = "ready"  # Start the topic.
    RECEIVED = "received"  # Nothing: the subscriber receives the topic.
    UNREACHABLE = "unreachable"  # Nothing: erased, or the sender has suppressed the address.
    EXPIRED = "expired"  # Nothing: the topic is gone, or the address has bounced since.
    COMPLAINED = "complained"  # Nothing: a complaint came after the link was asked for.
    UNSUBSCRIBED = "unsubscribed"  # Nothing: an unsubscribe came after the link was asked for.


class NotSaved(StrEnum):
    """Why a preferences page refuses to start a topic or to send more of one."""

    NO_EMAIL = "no_email"  # We cannot send the email that this requires.
    TOO_OFTEN = "too_often"  # The subscriber asked for more too often within a day.
    COMPLAINED = "complained"  # An email of ours was reported as spam.


class ImportStatus(StrEnum):
    """The status in a row of an import."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    UNCONFIRMED = "unconfirmed"
    BOUNCED = "bounced"  # It also ends all email to the address.
    COMPLAINED = "complained"  # It also ends every topic.

    @property
    def ends_consent(self) -> bool:
        return self not in (ImportStatus.SUBSCRIBED, ImportStatus.UNCONFIRMED)
