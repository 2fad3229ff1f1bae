"""A batch is written as `csv` and `json` write it, whatever its cells contain."""

import csv
import io
import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.data.export_formats.text import csv_lines, json_lines
from preference_center.data.tabular.formulas import TRIGGERS, escape_formula

NAMES = ("id", "note", "topic")
CELLS = st.text(st.sampled_from([*TRIGGERS, *'"";,|\t\r\n -aé\u2028']), max_size=6) | st.text()
ROWS = st.lists(st.tuples(st.just("7"), CELLS, CELLS), min_size=1, max_size=6)


def _expected(rows: Iterable[tuple[str, ...]]) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerows(map(escape_formula, row) for row in rows)
    return file.getvalue()


@given(ROWS)
def test_csv_is_what_the_standard_library_writes(rows: list[tuple[str, ...]]) -> None:
    columns = list(zip(*rows, strict=True))
    assert csv_lines(NAMES, columns, {"note", "topic"}) == _expected(rows)


@pytest.mark.parametrize("trigger", [*"'=+-@\t\r\n＝＋－＠"])
@pytest.mark.parametrize("place", ["", ";", ",", "|", "\t", "\r", "\n", ';"', 'a,""'])
def test_each_trigger_is_found_at_each_place(trigger: str, place: str) -> None:
    rows = [("7", "plain", "x"), ("7", f"{place}{trigger}1", "x")]
    written = csv_lines(NAMES, list(zip(*rows, strict=True)), {"note"})
    assert written == _expected(rows)
    assert "'" in written


@given(ROWS)
def test_json_lines_are_what_the_standard_library_writes(rows: list[tuple[str, ...]]) -> None:
    values = [dict(zip(NAMES, [cell or None for cell in row], strict=True)) for row in rows]
    expected = [json.dumps(value, ensure_ascii=False) + "\n" for value in values]
    assert json_lines(NAMES, list(zip(*rows, strict=True))) == "".join(expected)
