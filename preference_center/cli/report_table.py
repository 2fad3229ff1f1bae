"""The report as tables for a terminal, or as lists if it is too narrow."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import wrap

from preference_center.core.api_vocab import ReportBy
from preference_center.core.report import (
    RATE,
    SUBSCRIBERS,
    ReportRequest,
    ReportRow,
    rate,
    total,
)
from preference_center.core.report_counts import EMAILED, LEFT, LEFT_BY, LEFT_EVERYTHING, REASONS

_BEFORE = "before"
# A column without any number is left out, except `left`.
_HEADS = {
    EMAILED: "emailed",
    "opened": "opened",
    LEFT: "left",
    RATE: "per\n1,000",
    _BEFORE: "before",
    "joined": "joined",
    SUBSCRIBERS: "subscribers",
    "reduced": "reduced",
    "paused": "paused",
    "undone": "undone",
    "came_back": "came\nback",
    "left_after_less": "left\nlater",
}
_HOW = {column: source.value for source, column in LEFT_BY.items()}
_WHY = {column: code.replace("_", " ") for column, code in REASONS.items()} | {
    "reason_prefer_not_say": "prefer not to say"
}
_MEANINGS = {
    RATE: "per 1,000: of 1,000 emailed, how many left by a page, one-click, email, a provider or a "
    "complaint.",
    _BEFORE: "before: the same of what it is compared with.",
    "opened": "opened: page views of links, including those by mail gateways that scan links.",
    SUBSCRIBERS: "subscribers: at the end.",
    "left_after_less": "left later: subscribers who asked for less here and left the topic or "
    "everything within 30 days.",
}

_Cells = dict[str, str]  # The texts of a row by column; those of nothing are missing.


def lines(rows: Sequence[ReportRow], request: ReportRequest, width: int) -> Iterator[str]:
    """Yield the lines of the report, at most `width` characters wide."""
    table = _Table(rows, request, width)
    if request.by is ReportBy.MAILING:
        for topic, of_topic in groupby(rows, key=lambda row: row.topic):
            yield topic or "(everything)"
            yield from table.part(list(of_topic))
            yield ""
    elif rows:
        yield from table.part(rows)
        yield ""
    if rows:
        shown = [_MEANINGS[column] for column in table.columns if column in _MEANINGS]
        yield from wrap(" ".join(shown), width)


class _Table:
    """What the parts of a report share: the columns, and how wide each is."""

    def __init__(self, rows: Sequence[ReportRow], request: ReportRequest, width: int) -> None:
        self._width, self._by = width, request.by
        self._label = "campaign" if request.by is ReportBy.MAILING else request.by.value
        cells = [*map(_cells, rows), _total(rows)]
        self.columns = [
            name for name in _HEADS if name == LEFT or any(name in each for each in cells)
        ]
        self._sizes = {name: _size(name, cells) for name in self.columns}
        names = (self._label, "total", *map(self._name, rows))
        self._first = max(map(len, names))
        self._as_list = 2 + self._first + sum(2 + each for each in self._sizes.values()) > width

    def part(self, rows: Sequence[ReportRow]) -> Iterator[str]:
        """Yield the lines of some rows, with their total."""
        named = [(self._name(row), _cells(row), row.counts) for row in rows]
        if len(rows) > 1:
            named.append(("total", _total(rows), total(rows)))
        if self._as_list:
            for name, cells, counts in named:
                yield from self._item(name, cells, counts)
            return
        for at in (0, 1):
            heads = {each: ("\n" + _HEADS[each]).split("\n")[-2:][at] for each in self.columns}
            if any(heads.values()):
                yield self._aligned(self._label if at else "", heads, "")
        for name, cells, _ in named:
            yield self._aligned(name, cells, "-")
        for title, words in (("how people left", _how), ("why people left", _why)):
            yield from self._said(title, [(name, words(counts)) for name, _, counts in named])

    def _name(self, row: ReportRow) -> str:
        return {
            ReportBy.MAILING: row.campaign or "(none)",
            ReportBy.CAMPAIGN: row.campaign or "(none)",
            ReportBy.TOPIC: row.topic or "(everything)",
            ReportBy.MONTH: row.month,
        }[self._by]

    def _aligned(self, name: str, cells: _Cells, nothing: str) -> str:
        numbers = "".join(
            f"  {cells.get(column, nothing):>{self._sizes[column]}}" for column in self.columns
        )
        return f"  {name:{self._first}}{numbers}".rstrip()

    def _said(self, title: str, said: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Yield what is said of each row, if anything is."""
        if any(words for _, words in said):
            yield f"  {title}"
        for name, words in said:
            begin = f"  {name:{self._first}}  "
            yield from wrap(
                words, self._width, initial_indent=begin, subsequent_indent=" " * len(begin)
            )

    def _item(self, name: str, cells: _Cells, counts: Counter[str]) -> Iterator[str]:
        yield f"  {name}"
        heads = {column: _HEADS[column].replace("\n", " ").strip() for column in self.columns}
        numbers = ", ".join(f"{heads[each]} {cells[each]}" for each in heads if each in cells)
        for title, text in (("", numbers), ("how: ", _how(counts)), ("why: ", _why(counts))):
            begin = f"    {title}" if text else ""
            yield from wrap(text, self._width, initial_indent=begin, subsequent_indent="    ")


def _size(column: str, rows: Sequence[_Cells]) -> int:
    heads = _HEADS[column].split("\n")
    return max(*map(len, heads), *(len(cells.get(column, "-")) for cells in rows))


def _cells(row: ReportRow) -> _Cells:
    found = dict(_counted(row.counts))
    if row.subscribers is not None:
        found[SUBSCRIBERS] = f"{row.subscribers:,}"
    if row.previous is not None and row.previous.rate is not None:
        found[_BEFORE] = f"{row.previous.rate:.1f}"
    return found


def _total(rows: Sequence[ReportRow]) -> _Cells:
    """Return the sums, and the rate of those rows of which it is known how many were emailed."""
    share = rate(total(row for row in rows if row.counts[EMAILED]))
    return _counted(total(rows)) | ({} if share is None else {RATE: f"{share:.1f}"})


def _counted(counts: Counter[str]) -> _Cells:
    found = {column: f"{counts[column]:,}" for column in _HEADS if counts[column]}
    share = rate(counts)
    return found if share is None else {**found, RATE: f"{share:.1f}"}


def _how(counts: Counter[str]) -> str:
    everything = counts[LEFT_EVERYTHING]
    return _words(counts, _HOW) + (f" ({everything:,} left everything)" if everything else "")


def _why(counts: Counter[str]) -> str:
    return _words(counts, _WHY)


def _words(counts: Counter[str], labels: Mapping[str, str]) -> str:
    """Return the counts that are not zero in words, most frequent first: `page 8, bounce 1`."""
    found = [(counts[column], label) for column, label in labels.items() if counts[column]]
    found.sort(key=lambda each: -each[0])
    return ", ".join(f"{label} {count:,}" for count, label in found)
