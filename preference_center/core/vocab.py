"""Words that several packages share, one enum for each vocabulary. Imports nothing of ours."""

from enum import StrEnum


class BounceSeverity(StrEnum):
    """What one failed delivery says about the address it was meant for."""

    PERMANENT = "permanent"  # The mailbox does not exist: it ends email to the address.
    PROBABLE = "probable"  # Usually permanent, sometimes wrong: a second one, days later, ends it.
    SOFT = "soft"  # It may pass: only a series of them ends email to the address.
    IGNORED = "ignored"  # It is about the sender or the message: it counts for nothing.


class BounceEffect(StrEnum):
    """What a recorded bounce did."""

    SUPPRESSED = "suppressed"
    SOFT = "soft"  # It was counted.
    QUARANTINED = "quarantined"  # It was counted; a second one, days later, would suppress.
    DUPLICATE = "duplicate"  # Email to the address had ended before.
