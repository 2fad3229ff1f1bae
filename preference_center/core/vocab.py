"""Words that several packages share, one enum for each vocabulary. Imports nothing of ours."""

from enum import StrEnum


class BounceSeverity(StrEnum):
    """What one failed delivery says about the address it was meant for."""

    PERMANENT = "permanent"  # The mailbox does not exist: it ends email to the address.
    PROBABLE = "probable"  # Usually permanent, sometimes wrong: a second one, days later, ends it.
    SOFT = "soft"  # It may pass: only a series of them ends email to the address.
    IGNORED = "ignored"  # It is about the sender or the message: it counts for nothing.


class KeyKind(StrEnum):
    """What a key of this installation is for. The database stores a check value of each key."""

    IDENTITY = "identity"  # Turns an address into a subscriber id; it never changes.
    SERVER = "server"  # Signs receipts and confirm links, and seals the ledger.
    LINK = "link"  # Signs the links in campaigns, and return paths.


class ConfirmState(StrEnum):
    """What pressing the button behind an emailed confirm link would do now."""

    READY = "ready"  # Start the topic.
    RECEIVED = "received"  # Nothing: the subscriber receives the topic.
    UNREACHABLE = "unreachable"  # Nothing: erased, or the sender has stopped the address.
    EXPIRED = "expired"  # Nothing: the topic is gone, or the address has bounced since.
    COMPLAINED = "complained"  # Nothing: a complaint came after the link was asked for.
    UNSUBSCRIBED = "unsubscribed"  # Nothing: an unsubscribe came after the link was asked for.


class NotSaved(StrEnum):
    """Why a preferences page refuses to start a topic or to send more of one."""

    NO_EMAIL = "no_email"  # We cannot send the email that it takes.
    TOO_OFTEN = "too_often"  # More was asked for too often within a day.
    COMPLAINED = "complained"  # An email of ours was reported as spam.


class ImportStatus(StrEnum):
    """What a row of an import says about a person and a topic."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    UNCONFIRMED = "unconfirmed"
    BOUNCED = "bounced"  # It also ends all email to the address.
    COMPLAINED = "complained"  # It also ends every topic.

    @property
    def ends_consent(self) -> bool:
        return self not in (ImportStatus.SUBSCRIBED, ImportStatus.UNCONFIRMED)


class BounceEffect(StrEnum):
    """What a recorded bounce did."""

    SUPPRESSED = "suppressed"
    SOFT = "soft"  # It was counted.
    QUARANTINED = "quarantined"  # It was counted; a second one, days later, would suppress.
    DUPLICATE = "duplicate"  # Email to the address had ended before.
