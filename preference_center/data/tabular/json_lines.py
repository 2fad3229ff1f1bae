"""Read JSON Lines: one object on each line, with its values as text."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from preference_center.data.tabular.lines import Line, Lines
from preference_center.data.tabular.row import FileRefusedError, RefusedRow, Row

_LIST_OF_OBJECTS = re.compile(r"\s*\[\s*(\{|$)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN_NAME = re.compile(r"[\w -]{1,40}")


def read_json_lines(file: BinaryIO) -> "JsonLinesFile":
    """Return the rows of a JSON Lines file; raise FileRefusedError."""
    return JsonLinesFile(Lines(file))


class JsonLinesFile:
    """A JSON Lines file: an iterator over its rows. `header` has the byte order mark.

    A null is an empty cell; a number, a boolean, a list or an object is its JSON text. A name with
    two different values is an empty cell, and a problem of its row (RFC 8259 §4 leaves open which
    one counts); so is a name that occurs twice in an object within a value.
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


class RepeatedNames(dict[str, Any]):
    """A JSON object in which two members have one name. `items` has all members."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    def items(self) -> Any:
        """Return all members, in their order; `json.dumps` writes them."""
        return self.pairs


def json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object that loses no member, for `object_pairs_hook` of `json`."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else RepeatedNames(pairs)


def _row(line: Line) -> Row | RefusedRow | None:
    """Return the row of a line, or None if its object is empty."""
    if line.cut:
        return RefusedRow(line.number, line.problems[-1], line.raw, line.rest)
    problems = list(line.problems)
    try:
        found = _parsed(line.text)
        cells = _cells(found, problems)
    except (ValueError, TypeError, RecursionError):
        return RefusedRow(line.number, "the line is not a JSON object", line.raw)
    if not cells:
        return None
    spelled = {key.strip().lower(): key.strip() for key in found}
    given = tuple(dict.fromkeys(problems))
    return Row(line.number, cells, given, line.raw, spelled=tuple(spelled.values()))


def _parsed(text: str) -> dict[str, Any]:
    """Return the object of a line, with numbers as they are written."""
    found = json.loads(
        text, object_pairs_hook=json_object, parse_int=str, parse_float=str, parse_constant=str
    )
    if not isinstance(found, dict):
        raise TypeError
    return found


def _cells(found: dict[str, Any], problems: list[str]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for key, value in found.items():
        name, cell = key.strip().lower(), _cell(value, problems)
        if cells.setdefault(name, cell) != cell:
            cells[name] = ""  # Neither value is preferred.
            problems.append(_repeated(name))
    return cells


def _cell(value: Any, problems: list[str]) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | dict):
        problems += map(_repeated, _repeated_names(value))
    if _SURROGATE.search(text):
        problems.append("the line contains a damaged character")
    return _SURROGATE.sub("\ufffd", text)


def _repeated_names(value: list[Any] | dict[str, Any]) -> Iterator[str]:
    """Yield a name that two members of one object have, for each such object in a value."""
    if isinstance(value, RepeatedNames):
        yield Counter(name for name, _ in value.pairs).most_common(1)[0][0]
    for each in value if isinstance(value, list) else value.values():
        if isinstance(each, list | dict):
            yield from _repeated_names(each)


def _repeated(name: str) -> str:
    """Return the problem of two values of one name. A name may be any text, an address too."""
    shown = name if _SHOWN_NAME.fullmatch(name) else "the same"
    return f"two values are named {shown}"
