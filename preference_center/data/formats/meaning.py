"""What a row of another system's file says about a person."""

from dataclasses import dataclass
from enum import StrEnum

from preference_center.data.tabular import fold


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


# Words are compared as `tabular.fold` returns them. Spreadsheets write true and false in the
# language of their user.
TRUE = (
    *("true", "1", "yes", "y", "on", "t"),
    *("wahr", "ja", "vrai", "oui", "verdadero", "si", "vero", "waar", "verdadeiro", "sim"),
    *("prawda", "tak", "sant", "sand", "sann", "tosi", "pravda", "igaz", "dogru", "истина"),
)
FALSE = (
    *("false", "0", "00", "no", "n", "off", "f"),  # `00` is `0.0`.
    *("falsch", "nein", "faux", "non", "falso", "onwaar", "nee", "nao", "fałsz", "nie"),
    *("falskt", "falsk", "usann", "epatosi", "nepravda", "hamis", "yanlis", "yanlıs", "ложь"),
)
_NOTHING = frozenset(
    {
        *("null", "none", "nan", "na", "novalue", "keinwert", "aucunevaleur", "sinvalor"),
        *("nessunvalore", "geenwaarde", "semvalor"),
    }
)
_DASHES = frozenset({"", "-", "–", "—"})


def is_empty(text: str) -> bool:
    """Return True if a cell, or an item of a list in one, says nothing.

    A tick does say something, and what an error such as `#N/A` of Excel hides may do.

    >>> is_empty(" (No value) "), is_empty("-"), is_empty("✓"), is_empty("#N/A")
    (True, True, False, False)
    """
    return text.strip() in _DASHES or (fold(text) in _NOTHING and "#" not in text)


def is_opt_out(text: str) -> bool:
    """Return True if a cell in a column about opting out is a stop: if it is filled and not false.

    >>> is_opt_out("WAHR"), is_opt_out("Opted out"), is_opt_out("Falsch"), is_opt_out("")
    (True, True, False, False)
    """
    return not is_empty(text) and fold(text) not in FALSE


def when_true(meaning: Meaning) -> dict[str, Meaning]:
    """Return the words of a column that is true or false; false says nothing."""
    return dict.fromkeys(TRUE, meaning) | dict.fromkeys(FALSE, Meaning.UNSTATED)
