"""JSON Lines of any origin: each line is read, or refused with its number."""

import io
import json
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.data.export_formats.text import json_lines
from preference_center.data.tabular import (
    MAX_LINE,
    FileRefusedError,
    RefusedRow,
    Row,
    read_json_lines,
)
from preference_center.data.unpacking import unpack
from tests.support.texts import HOSTILE, TEXT

NAMES = TEXT.map(lambda name: name.lower().strip())


def _read(content: bytes) -> list[Row | RefusedRow]:
    return list(read_json_lines(io.BytesIO(content)))


@pytest.mark.integration
@given(st.lists(st.dictionaries(NAMES, HOSTILE, min_size=1)))
def test_written_json_lines_are_read_back_unchanged(cells: list[dict[str, str]]) -> None:
    file = "".join(json_lines(tuple(each), [[cell] for cell in each.values()]) for each in cells)
    rows = _read(file.encode())
    assert [row.cells for row in rows if isinstance(row, Row)] == cells
    assert b"".join(row.raw for row in rows) == file.encode()


@pytest.mark.parametrize(
    "line", [b"[1]", b"{", b'"text"', b"1", b"null", b"[" * 100_000, b"\0", b"x" * (MAX_LINE + 1)]
)
def test_a_line_that_is_not_an_object_is_refused_and_the_next_is_read(line: bytes) -> None:
    refused, row = _read(line + b'\n{"email": "a@b.c", "locale": null}\n')
    assert isinstance(refused, RefusedRow)
    assert refused.line == 1
    assert refused.raw[:100] == line[:100] + b"\n" * (len(line) < 100)
    assert row == Row(2, {"email": "a@b.c", "locale": ""})


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("1", "1"),
        ("1e400", "1e400"),
        ("9" * 5_000, "9" * 5_000),
        ("true", "true"),
        ("NaN", "NaN"),
        ('["a", null]', '["a", null]'),
        ('{"a": {"b": "é"}}', '{"a": {"b": "é"}}'),
        ("null", ""),
        ('"\'=1"', "'=1"),
    ],
)
def test_a_value_that_is_not_a_string_becomes_a_cell(value: str, cell: str) -> None:
    (row,) = _read(f'{{"email": "a@b.c", "X ": {value}}}'.encode())
    assert row == Row(1, {"email": "a@b.c", "x": cell})


@pytest.mark.parametrize(
    ("line", "cells", "problem"),
    [
        (
            b'{"email": "a@b.c", "x": "\\ud800"}',
            {"email": "a@b.c", "x": "\ufffd"},
            "the line contains a damaged character",
        ),
        (
            b'{"email": "a@b.c", "x": "\xe9"}',
            {"email": "a@b.c", "x": "é"},
            "the line is not UTF-8 and was read as Windows-1252",
        ),
        (
            b'{"email": "a@b.c", "x": "1", "X": "2", "x": "2"}',
            {"email": "a@b.c", "x": ""},
            "two values are named x",
        ),
        (
            b'{"email": "a@b.c", "email": "b@b.c"}',
            {"email": ""},
            "two values are named email",
        ),
        (
            b'{"email": "a@b.c", "a@b.c": 1, "a@b.c": 2}',
            {"email": "a@b.c", "a@b.c": ""},
            "two values are named the same",
        ),
        (
            b'{"email": "a@b.c", "x": [{"y": {"z": true, "z": false}}]}',
            {"email": "a@b.c", "x": '[{"y": {"z": true, "z": false}}]'},
            "two values are named z",
        ),
    ],
)
def test_a_malformed_line_is_read_with_its_problem(
    line: bytes, cells: dict[str, str], problem: str
) -> None:
    (row,) = _read(line + b"\n")
    assert row == Row(1, cells, (problem,))


def test_a_document_loses_no_repeated_name() -> None:
    page = b"""{"SuppressedDestinationSummaries": [
        {"EmailAddress": "a@b.c", "EmailAddress": "b@b.c", "x": {"y": 1, "y": 2}}
    ]}"""
    with ExitStack() as stack:
        (part,) = unpack(io.BytesIO(page), stack, 10_000).parts
        (row,) = _read(part.file.read())
    assert isinstance(row, Row)
    assert row.problems == ("two values are named emailaddress", "two values are named y")


def test_a_repeated_equal_value_is_not_a_problem() -> None:
    assert _read(b'{" Status":"x","status":"x"}\n') == [Row(1, {"status": "x"})]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_json_lines_are_read_in_any_encoding_and_line_ending(encoding: str, end: str) -> None:
    content = end.join([json.dumps({"email": "a@b.c"}), "", "{}", "not JSON", ""]).encode(encoding)
    file = read_json_lines(io.BytesIO(content))
    row, refused = file
    assert row == Row(1, {"email": "a@b.c"})
    assert (refused.line, file.header + refused.raw) == (4, ("not JSON" + end).encode(encoding))


def test_an_excel_workbook_is_refused() -> None:
    with pytest.raises(FileRefusedError, match="Excel workbook"):
        read_json_lines(io.BytesIO(b"PK\x03\x04"))
