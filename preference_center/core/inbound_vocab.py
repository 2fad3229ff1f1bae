"""Enums about what arrives: bounces, complaints and events. Imports nothing from the project."""

from enum import StrEnum


class BounceSeverity(StrEnum):
    """What one failed delivery says about the address it was meant for."""

    PERMANENT = "permanent"  # The mailbox does not exist: email to the address ends.
    PROBABLE = "probable"  # Usually permanent, sometimes wrong: a second one, days later, ends it.
    SOFT = "soft"  # It may be temporary: only a series of them ends email to the address.
    IGNORED = "ignored"  # It is about the sender or the message, and is not counted.


class InboundEffect(StrEnum):
    """What an inbound message or event did, for counts and logs. A detail may follow."""

    UNSUBSCRIBED = "unsubscribed"
    COMPLAINT = "complaint"
    BOUNCE = "bounce"  # Followed by a BounceEffect.
    DELIVERED = "delivered"
    DUPLICATE = "duplicate"  # It was processed before, or changed nothing.
    IGNORED = "ignored"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    QUARANTINED = "quarantined"  # It was stored for an operator to look at.
    INVALID_SIGNATURE = "invalid_signature"


class BounceEffect(StrEnum):
    """What a bounce did."""

    IGNORED = "ignored"  # It was about the sender or the message.
    SUPPRESSED = "suppressed"
    SOFT = "soft"  # It was counted.
    QUARANTINED = "quarantined"  # It was counted; a second one, days later, would suppress.
    DUPLICATE = "duplicate"  # Email to the address had ended before.
