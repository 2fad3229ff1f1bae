"""How a system is described that imports suppressions: its files, and which stop is in which."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from preference_center.core.vocab import Scope, Source
from preference_center.data.tabular.writers import csv_cell


@dataclass(frozen=True)
class Stop:
    """An unsubscribe that is in force. `topic` is "" unless `scope` is a topic."""

    scope: Scope
    topic: str
    since: datetime
    source: Source


@dataclass(frozen=True)
class Person:
    """A person, and all of the person's stops that were selected.

    `email` is "" if it is not known. `is_spelling` is True for another spelling of an address: the
    person with the address is another one here.
    """

    email: str
    stops: Sequence[Stop]
    is_erased: bool = False
    is_spelling: bool = False

    @property
    def from_everything(self) -> list[Stop]:
        """Return the stops of all topics and of the address."""
        return [each for each in self.stops if each.scope is not Scope.TOPIC]

    @property
    def topics(self) -> list[str]:
        """Return the topics that the person left, unless the person left everything."""
        return [] if self.from_everything else [each.topic for each in self.stops]


@dataclass(frozen=True)
class OutputFile:
    """A file: its name, its header or "", and its limits. Further rows go to another file."""

    name: str
    header: str = ""
    max_rows: int | None = None
    max_bytes: int | None = None


Line = tuple[OutputFile, str]  # without the line end


@dataclass(frozen=True)
class System:
    """A system that imports suppressions.

    `lines` returns the lines about one person. `steps` says how to import the files, and which stop
    is in which file. A system that `has_topics` imports unsubscribes from single topics. Any other
    gets the people who left the topic of the filter as people who left everything.
    """

    title: str
    lines: Callable[[Person], Iterable[Line]]
    steps: str
    has_topics: bool = False


def csv_line(*cells: str) -> str:
    """Return a line of CSV, raw: the file is for a program."""
    return ",".join(map(csv_cell, cells))


def addresses_only(file: OutputFile) -> Callable[[Person], Iterable[Line]]:
    """Return the `lines` of a system that imports one file, with the address of every person."""
    return lambda person: [(file, csv_line(person.email))]
