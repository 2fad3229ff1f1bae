"""How a file of another system is described. Names and words are as `tabular.fold` returns them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from preference_center.core.vocab import ImportStatus
from preference_center.data.formats.meaning import Meaning, Statement, is_empty, when_true
from preference_center.data.import_columns import is_suspect_part
from preference_center.data.import_phrases import ending_status
from preference_center.data.tabular import fold

_SEPARATORS = re.compile(r"[,;|\[\]\"]+")
_REPEATED = re.compile(r" \(\d+\)$")  # how `tabular` names a second column of one name
_AROUND = " \t'"  # an item of a list
# A phrase that plainly ends consent does so, also where a format does not have it.
_ENDING: Mapping[ImportStatus | None, Meaning] = {
    ImportStatus.UNSUBSCRIBED: Meaning.UNSUBSCRIBED_ALL,
    ImportStatus.BOUNCED: Meaning.BOUNCED,
    ImportStatus.COMPLAINED: Meaning.COMPLAINED,
}

Cells = Mapping[str, str]  # By name of the column, in lower case.


@dataclass(frozen=True)
class Variant:
    """One set of columns that files of a system have.

    Attributes:
        has: columns that are all in the file.
        some_of: columns of which at least `at_least` are in the file.
        lacks: columns that are not in the file.
        meaning: what a row means if its cells say nothing.
        reads_rest: True if all other columns are topics.
        is_exact: True if it has no other columns.
        is_certain: False if other systems' files have such columns too. Such a file is read only
            if its format is named. A variant is certain only if no other system has these columns,
            or if it is exact.
    """

    has: frozenset[str]
    some_of: frozenset[str] = frozenset()
    at_least: int = 0
    lacks: frozenset[str] = frozenset()
    meaning: Meaning = Meaning.UNSTATED
    reads_rest: bool = False
    is_exact: bool = False
    is_certain: bool = True

    def matches(self, names: frozenset[str]) -> bool:
        """Return True if a file with columns of these names is of this variant."""
        enough = len(self.some_of & names) >= self.at_least
        has_others = self.is_exact and not names <= self.has | self.some_of
        return self.has <= names and enough and not self.lacks & names and not has_others


@dataclass(frozen=True)
class Column:
    """A column that says who gets email.

    Attributes:
        names: its names in different files.
        words: what its words mean.
        other: what any other text in it means, such as a time or a reason. None if another text is
            an unknown word.
        at: columns with the time of a stop that is read here, beside those of the format.
        is_list: True if a cell has several words.
        is_reported: True if words that are not in `words` are reported, although they have a
            meaning.
    """

    names: tuple[str, ...]
    words: Mapping[str, Meaning] = field(default_factory=dict)
    other: Meaning | None = None
    at: tuple[str, ...] = ()
    is_list: bool = False
    is_reported: bool = False

    def read(self, cell: str) -> tuple[list[Meaning], list[str]]:
        """Return what a cell means, and its unknown words."""
        meanings: list[Meaning] = []
        unknown: list[str] = []
        for text in self._items(cell):
            meaning = self.words.get(fold(text))
            if meaning is None:
                if self.other is None or self.is_reported:
                    unknown.append(text)
                meaning = self._of_text(text)
            if meaning is not None:
                meanings.append(meaning)
        return meanings, unknown

    def _of_text(self, text: str) -> Meaning | None:
        """Return what a text that is no known word means: an ending phrase does end consent."""
        if self.other is not None and self.other.is_stop:
            return self.other
        return _ENDING.get(ending_status(text), self.other)

    def _items(self, cell: str) -> Iterator[str]:
        """Yield the texts in a cell that say something; known words and phrases may have spaces."""
        texts = _SEPARATORS.split(cell) if self.is_list else (cell,)
        for text in (each.strip(_AROUND) for each in texts):
            is_known = fold(text) in self.words or is_empty(text) or ending_status(text) is not None
            is_one = is_known or not self.is_list
            for item in (text,) if is_one else text.split():
                if not is_empty(item):
                    yield item.strip(_AROUND)


def opt_out_column(*names: str, meaning: Meaning = Meaning.UNSUBSCRIBED_ALL) -> Column:
    """Return a column that is true if a person opted out; each text that is not false is true."""
    return Column(names, when_true(meaning), other=meaning, is_reported=True)


@dataclass(frozen=True, eq=False)
class Format:
    """How the files of one system are read.

    Attributes:
        name: its name on the command line.
        title: the name of the system.
        variants: the sets of columns by which its files are recognised; the first that matches
            counts.
        blind_spots: what its files do not say, as sentences.
        emails: names of the column with the address; the first that a file has counts.
        columns: the columns that say who gets email.
        names: what the name of a file says about its rows, where the columns do not.
        stopped_at: columns with the time of a stop.
        consent_at: columns with the time of consent.
        reasons: columns with the reason for a stop, as text.
        by_topic: returns what a row says about single topics.
        is_by_topic: returns True for the name of a column that only `by_topic` reads.
        skipped: a text in addresses that stand for deleted people.
        harmless: a regular expression. It matches the names of other columns that are not read.
            Those that look as if they were about opting out are not.
        harmless_parts: a regular expression. It matches the names of other parts of an archive that
            are not about opting out, although they have addresses.
    """

    name: str
    title: str
    variants: tuple[Variant, ...]
    blind_spots: tuple[str, ...]
    emails: tuple[str, ...] = ("email",)
    columns: tuple[Column, ...] = ()
    names: tuple[tuple[str, Meaning], ...] = ()
    stopped_at: tuple[str, ...] = ()
    consent_at: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    by_topic: Callable[[Cells], Iterable[Statement]] | None = None
    is_by_topic: Callable[[str], bool] = lambda _: False
    skipped: str = ""
    harmless: str = ""
    harmless_parts: str = ""

    def variant(self, names: frozenset[str]) -> Variant | None:
        """Return the variant of a file with these columns, or None."""
        return next((each for each in self.variants if each.matches(names)), None)

    def meaning_of_name(self, name: str) -> Meaning | None:
        """Return what the name of a file says about its rows, or None.

        A name that is about opting out too, such as `subscribed_and_unsubscribed.csv`, does not say
        that anyone is subscribed.
        """
        lower = name.lower()
        meaning = next((each for start, each in self.names if lower.startswith(start)), None)
        return None if meaning is Meaning.SUBSCRIBED and is_suspect_part(name) else meaning

    @property
    def read_columns(self) -> frozenset[str]:
        """Return the names of the columns that are read."""
        named = (name for column in self.columns for name in (*column.names, *column.at))
        return frozenset((*self.emails, *named, *self.stopped_at, *self.consent_at, *self.reasons))


def names_of(*names: str) -> frozenset[str]:
    """Return names of columns, folded."""
    return frozenset(map(folded_name, names))


def first_cell(cells: Cells, name: str) -> str | None:
    """Return the cell of the first column with a folded name, or None if there is no column."""
    return next((cell.strip() for each, cell in cells.items() if folded_name(each) == name), None)


def folded_name(name: str) -> str:
    """Return the name of a column, folded, without the number of a repeated one."""
    return fold(unrepeated(name))


def unrepeated(name: str) -> str:
    """Return the name of a column without the number of a repeated one."""
    return _REPEATED.sub("", name)
