"""Read JSON Lines: one object on each line, with its values as text."""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from preference_center.data.tabular.lines import Line, Lines
from preference_center.data.tabular.row import FileRefusedError, RefusedRow, Row

_LIST_OF_OBJECTS = re.compile(r"\s*\[\s*(\{|$)")
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json_lines(file: BinaryIO) -> "JsonLinesFile":
    """Return the rows of a JSON Lines file; raise FileRefusedError."""
    return JsonLinesFile(Lines(file))


class JsonLinesFile:
    """A JSON Lines file: an iterator over its rows. `header` has the byte order mark.

    A null is an empty cell; a number, a boolean, a list or an object is its JSON text. A name with
    two different values is an empty cell.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.header = lines.mark
        if _LIST_OF_OBJECTS.match(lines.peek()):
            raise FileRefusedError(
                "this is JSON, not JSON Lines: it must have one object on each line"
            )

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        for line in self._lines:
            if line.text.strip() and (row := _row(line)) is not None:
                yield row


class _Object(dict[str, Any]):
    """A JSON object that keeps repeated names."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _row(line: Line) -> Row | RefusedRow | None:
    """Return the row of a line, or None if its object is empty."""
    if line.cut:
        return RefusedRow(line.number, line.problems[-1], line.raw, line.rest)
    problems = list(line.problems)
    try:
        cells = _cells(_parsed(line.text), problems)
    except (ValueError, TypeError, RecursionError):
        return RefusedRow(line.number, "the line is not a JSON object", line.raw)
    return Row(line.number, cells, tuple(dict.fromkeys(problems)), line.raw) if cells else None


def _parsed(text: str) -> _Object:
    """Return the object of a line, with numbers as they are written."""
    found = json.loads(
        text, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=str
    )
    if not isinstance(found, _Object):
        raise TypeError
    return found


def _cells(found: _Object, problems: list[str]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for key, value in found.pairs:
        name, cell = key.strip().lower(), _cell(value, problems)
        if cells.setdefault(name, cell) != cell:
            cells[name] = ""  # Neither value is preferred.
            problems.append("two values have the same name")
    return cells


def _cell(value: Any, problems: list[str]) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if _SURROGATE.search(text):
        problems.append("the line contains a damaged character")
    return _SURROGATE.sub("\ufffd", text)
