"""What a row of another system's file says about a person."""

from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """What a status, or a row, of another system means."""

    SUBSCRIBED = "subscribed"
    UNCONFIRMED = "unconfirmed"
    UNSUBSCRIBED = "unsubscribed"  # From the list that the file is about.
    UNSUBSCRIBED_ALL = "unsubscribed from everything"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSTATED = "nothing about consent"  # `--status` applies, else it is a known address.
    LISTED = "on a list"  # Subscribed to the topic of `--topic`, else a known address.
    KNOWN = "a known address"  # No option subscribes this person.
    UNCLEAR = "unclear"  # Refused, unless the name of the file or `--status` says what it is.
    NOTHING = "not imported"

    @property
    def is_stop(self) -> bool:
        """Return True if the person must not get email that they got before."""
        return self in _STOPS


_STOPS = frozenset(
    {Meaning.UNSUBSCRIBED, Meaning.UNSUBSCRIBED_ALL, Meaning.BOUNCED, Meaning.COMPLAINED}
)


@dataclass(frozen=True)
class Statement:
    """One thing that a row says.

    `topics` are the names of one topic in the other system, of which one may be mapped to a topic
    here. It is empty if the statement is about the list of the file, or about everything. `at` are
    the columns with the time of a stop.
    """

    meaning: Meaning
    topics: tuple[str, ...] = ()
    at: tuple[str, ...] = ()


# Words are compared as `tabular.fold` returns them.
TRUE = ("true", "1", "yes", "y", "on", "t")
FALSE = ("false", "0", "no", "n", "off", "f")


def when_true(meaning: Meaning) -> dict[str, Meaning]:
    """Return the words of a column that is true or false; false says nothing."""
    return dict.fromkeys(TRUE, meaning) | dict.fromkeys(FALSE, Meaning.UNSTATED)
