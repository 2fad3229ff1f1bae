"""Words that several packages share, one enum for each vocabulary. Imports nothing of ours."""

from enum import StrEnum


class BounceSeverity(StrEnum):
    """What one failed delivery says about the address it was meant for."""

    PERMANENT = "permanent"  # The mailbox does not exist: it ends email to the address.
    PROBABLE = "probable"  # Usually permanent, sometimes wrong: a second one, days later, ends it.
    SOFT = "soft"  # It may pass: only a series of them ends email to the address.
    IGNORED = "ignored"  # It is about the sender or the message: it counts for nothing.


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
