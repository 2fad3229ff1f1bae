"""Read and check single cells of an import row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from preference_center.core.topics import LANGUAGE_TAG
from preference_center.core.vocab import SILENCE_MEANS_NO, Frequency, Source
from preference_center.data.identity import BadRowError
from preference_center.data.tabular import fold_letters
from preference_center.links.minter import SLUG
from preference_center.util.clock import parse_time

MAX_CELL = 1000  # characters
MAX_WORD = 100  # characters of an unknown word that are kept for the report
MAX_CLOCK_SKEW = timedelta(days=1)

_Value = TypeVar("_Value")


class UnknownWordError(BadRowError):
    """The cell of `column` is `word`, which is not one of the allowed words."""

    def __init__(self, message: str, column: str, word: str) -> None:
        super().__init__(message)
        self.column, self.word = column, word


@dataclass
class Cells:
    """The cells of a row under the names that import knows.

    A bad cell raises BadRowError; if `lenient`, it adds a warning and counts as empty.
    """

    values: Mapping[str, str]
    now: datetime
    lenient: bool
    warnings: list[str] = field(default_factory=list)

    def text(self, column: str) -> str:
        """Return a cell without NUL characters, cut to the maximum length."""
        text = self.values.get(column)
        return text.replace("\0", "")[:MAX_CELL] if text else ""

    def read(self, column: str, parse: Callable[[str, str], _Value | None]) -> _Value | None:
        """Return what `parse` returns for a column's name and cell; None if the cell is empty."""
        if not (text := self.text(column).strip()):
            return None
        try:
            return parse(column, text)
        except BadRowError as error:
            if not self.lenient:
                raise
            self.warnings.append(str(error))
            return None

    def past(self, column: str) -> datetime | None:
        """Return a time that is not in the future."""
        return self.read(column, lambda name, text: _read_past(name, text, self.now))


def problems_of(name: str, cell: str) -> list[str]:
    """Return what is wrong with a cell, regardless of its column."""
    problems = [f"{name} is longer than {MAX_CELL:,} characters"] if len(cell) > MAX_CELL else []
    return [*problems, f"{name} contains a NUL"] if "\0" in cell else problems


def one_of(column: str, text: str, choices: Sequence[str]) -> str:
    """Return the choice that has the same letters as a cell. Punctuation is ignored."""
    letters = fold_letters(text)
    if letters not in choices:
        raise unknown_word(column, text, choices)
    return letters


def unknown_word(column: str, text: str, choices: Sequence[str]) -> UnknownWordError:
    """Return the error for a cell that is none of the choices."""
    message = f"{column} must be one of {', '.join(choices)}"
    return UnknownWordError(message, column, text.strip()[:MAX_WORD])


def read_frequency(column: str, text: str) -> Frequency:
    """Return the frequency in a cell."""
    return Frequency(one_of(column, text, list(Frequency)))


def read_silence(column: str, text: str) -> bool:
    """Return True if a cell says that silence means no. There is no other word."""
    return one_of(column, text, [SILENCE_MEANS_NO]) == SILENCE_MEANS_NO


def read_topic(column: str, text: str) -> str:
    """Return the slug in a cell."""
    slug = text.lower()
    if not SLUG.fullmatch(slug):
        raise BadRowError(f"the {column} is missing or is not 1 to 32 of a-z, 0-9 and -")
    return slug


def read_locale(column: str, text: str) -> str:
    """Return the language tag in a cell."""
    tag = text.replace("_", "-")
    if not LANGUAGE_TAG.fullmatch(tag):
        raise BadRowError(f"the {column} is not a language tag (use de or pt-BR, for example)")
    return tag


def known_source(_: str, text: str) -> Source | None:
    """Return the source in a cell, or None if it is another system's."""
    return Source(text) if text in tuple(Source) else None


def read_time(column: str, text: str) -> datetime:
    """Return the time in a cell."""
    try:
        return parse_time(text)
    except ValueError:
        raise BadRowError(
            f"{column} is not a time (use 2026-11-22 or 2026-11-22T14:05:00Z, for example)"
        ) from None


def _read_past(column: str, text: str, now: datetime) -> datetime:
    at = read_time(column, text)
    if at > now + MAX_CLOCK_SKEW:
        raise BadRowError(f"{column} is in the future")
    return at
