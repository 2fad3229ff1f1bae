"""No cell or part of a cell runs as a formula, and every cell is read back exactly."""

import csv
import io
import re

import pytest
from hypothesis import example, given

from preference_center.data.tabular import CsvWriter
from preference_center.data.tabular.formulas import escape_formula, unescape_formula
from tests.support.texts import HOSTILE

TRIGGERS = tuple("=+-@＝＋－＠\t\r\n")


@pytest.mark.parametrize(
    ("cell", "escaped"),
    [
        ("=1+1", "'=1+1"),
        ("bye;=cmd", "bye;'=cmd"),
        ("bye\t@SUM(1)", "bye\t'@SUM(1)"),
        ("bye|+1", "bye|'+1"),
        ("bye,-1", "bye,'-1"),
        ("bye\n=1", "bye\n'=1"),
        ("bye\r\n=1", "bye\r'\n'=1"),
        ('bye;"=cmd', "bye;'\"=cmd"),
        ('"""=cmd', '\'"""=cmd'),
        ("＝1+1", "'＝1+1"),
        ("a;＠x", "a;'＠x"),
        ("'", "''"),
        ("'quoted'", "''quoted'"),
        ("it's; 'so'", "it's; 'so'"),
        ("a;'b", "a;''b"),
        ("ada+news@example.org", "ada+news@example.org"),
        ("+ada@example.org", "'+ada@example.org"),
        ("2026-11-22T14:05:00+00:00", "2026-11-22T14:05:00+00:00"),
        ("", ""),
    ],
)
def test_each_trigger_is_escaped_with_an_apostrophe(cell: str, escaped: str) -> None:
    assert escape_formula(cell) == escaped
    assert unescape_formula(escaped) == cell


@given(HOSTILE)
@example(";'\t=")
@example("'\"'=")
def test_an_escaped_cell_is_read_back_unchanged(cell: str) -> None:
    assert unescape_formula(escape_formula(cell)) == cell


@given(HOSTILE)
@example('x;""=1')
def test_no_part_of_an_escaped_cell_runs_as_a_formula(cell: str) -> None:
    escaped = escape_formula(cell)
    for separator in ("[;]", "[,]", "[|]", "\t", "[\r\n]", "[;,|\t\r\n]"):
        for part in re.split(separator, escaped):
            assert not part.lstrip('"').startswith(TRIGGERS)


@given(HOSTILE, HOSTILE)
@example('x,;"=1', "")
@example("", "\r=1")
def test_no_cell_runs_as_a_formula_with_any_separator(first: str, second: str) -> None:
    file = io.StringIO(newline="")
    writer = CsvWriter(file, ("a", "b"), escape=True)
    for row in ({"a": "ada@example.org", "b": first}, {"a": second, "b": first}):
        writer.write(row)
    for separator in ";\t|,":
        file.seek(0)
        for cells in csv.reader(file, delimiter=separator):
            # A quotation mark at the end of a row may open a cell that continues in the next row.
            assert not [cell for cell in cells if cell.lstrip("\r\n").startswith(TRIGGERS)]
