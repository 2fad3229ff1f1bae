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
