"""The cells of a row of an import: read one by one, each checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from preference_center.core.topics import LANGUAGE_TAG
from preference_center.core.vocab import Frequency, Source
from preference_center.data.identity import BadRowError
from preference_center.data.tabular import fold_letters
from preference_center.links.minter import SLUG

MAX_CELL = 1000  # characters
MAX_WORD = 100  # characters of an unknown word that are kept for the report
_CLOCKS_DIFFER_BY = timedelta(days=1)

_Value = TypeVar("_Value")


class UnknownWordError(BadRowError):
    """A cell has a word that is none of the column's; `column` and `word` say which."""

    def __init__(self, message: str, column: str, word: str) -> None:
        super().__init__(message)
        self.column, self.word = column, word


@dataclass
class Cells:
    """A row's cells by our names. A bad one raises; where `lenient`, it is a warning and empty."""

    given: Mapping[str, str]
    now: datetime
    lenient: bool
    warnings: list[str] = field(default_factory=list)

    def text(self, column: str) -> str:
        return self.given.get(column, "").replace("\0", "")[:MAX_CELL]

    def read(self, column: str, parse: Callable[[str, str], _Value | None]) -> _Value | None:
        text = self.text(column).strip()
        try:
            return parse(column, text) if text else None
        except BadRowError as error:
            if not self.lenient:
                raise
            self.warnings.append(str(error))
            return None

    def past(self, column: str) -> datetime | None:
        """Return a time that is not in the future."""
        return self.read(column, lambda name, text: read_past(name, text, self.now))


def faults_of(name: str, cell: str) -> list[str]:
    """Return what is wrong with a cell whatever its column is."""
    too_long = [f"{name} is longer than {MAX_CELL:,} characters"] if len(cell) > MAX_CELL else []
    return [*too_long, f"{name} contains a NUL"] if "\0" in cell else too_long


def one_of(column: str, text: str, choices: Sequence[str]) -> str:
    """Return the choice that has the letters of a cell: marks around a word do not change it."""
    letters = fold_letters(text)
    if letters not in choices:
        raise unknown_word(column, text, choices)
    return letters


def unknown_word(column: str, text: str, choices: Sequence[str]) -> UnknownWordError:
    message = f"{column} must be one of {', '.join(choices)}"
    return UnknownWordError(message, column, text.strip()[:MAX_WORD])


def read_frequency(column: str, text: str) -> Frequency:
    return Frequency(one_of(column, text, list(Frequency)))


def read_topic(column: str, text: str) -> str:
    slug = text.lower()
    if not SLUG.fullmatch(slug):
        raise BadRowError(f"the {column} is missing, or not 1 to 32 of a-z, 0-9 and -")
    return slug


def read_locale(column: str, text: str) -> str:
    tag = text.replace("_", "-")
    if not LANGUAGE_TAG.fullmatch(tag):
        raise BadRowError(f"the {column} is not a language tag, like de or pt-BR")
    return tag


def known_source(_: str, text: str) -> Source | None:
    return Source(text) if text in tuple(Source) else None


def read_time(column: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRowError(
            f"{column} is not a time, like 2026-11-22 or 2026-11-22T14:05:00Z"
        ) from None


def read_past(column: str, text: str, now: datetime) -> datetime:
    at = read_time(column, text)
    if at > now + _CLOCKS_DIFFER_BY:
        raise BadRowError(f"{column} is in the future")
    return at
