"""CSV of any origin: rows are read as far as possible, in constant memory."""

import csv
import doctest
import io
import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain, repeat
from types import ModuleType
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.data.tabular import (
    MAX_LINE,
    CsvWriter,
    FileRefusedError,
    RefusedRow,
    Row,
    batches,
    csv_file,
    formulas,
    lines,
    names,
    read_csv,
    read_json_lines,
    rest,
)
from preference_center.data.tabular.lines import Lines
from tests.support.texts import HOSTILE

ADA, BOB = "ada@example.org", "bob@example.org"
QUOTE = "a quotation mark is not closed, or is in the middle of a cell"
LEGACY = "the line is not UTF-8 and was read as Windows-1252"
MAX_SHORT = 16_384  # bytes of a line, where many long lines would take seconds
TOO_LONG = "the line is longer than 1,048,576 bytes: the rest is not read"


@pytest.mark.parametrize("module", [formulas, names])
def test_the_examples_in_the_docstrings_are_correct(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def _read(content: bytes) -> list[Row]:
    rows = list(read_csv(io.BytesIO(content)))
    assert all(isinstance(row, Row) for row in rows)
    return cast(list[Row], rows)


def _cells(content: bytes) -> list[list[str]]:
    return [list(row.cells.values()) for row in _read(content)]


def _emails(content: bytes) -> list[str]:
    return [row.cells["email"] for row in _read(content)]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("sep_line", [False, True])
def test_a_file_from_any_spreadsheet_is_read(
    encoding: str, end: str, separator: str, sep_line: bool
) -> None:
    lines = [["Email ", " TOPIC", "Größe"], ["jörg@example.org", "new|s,;", "x"]]
    rows = [separator.join(f'"{cell}"' for cell in line) for line in lines]
    text = end.join(([f"sep={separator}"] if sep_line else []) + rows + [""])
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    (row,) = _read((mark + text).encode(encoding))
    assert row.cells == {"email": "jörg@example.org", "topic": "new|s,;", "größe": "x"}
    assert row.problems == ((LEGACY,) if encoding == "cp1252" else ())
    assert row.line == 3 if sep_line else 2


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("email", ["email"]),
        ("email;note", ["email", "note"]),
        ('email,"a;b;c"', ["email", "a;b;c"]),
        ('"a,b,c";email', ["a,b,c", "email"]),
        ("email,a;b", ["email", "a;b"]),
        ("email;a,b;c", ["email", "a,b", "c"]),
        ("SEP=!\nemail!note", ["email", "note"]),
        ('"sep=;"\nemail;a,b,c', ["email", "a,b,c"]),
        ("sep=x\nemail", ["sep=x"]),
        ("\n\r\n \nemail,note", ["email", "note"]),
        ("email,note,,", ["email", "note"]),
        ("email,,note", ["email", "column 2", "note"]),
        ("email,name,name,Name", ["email", "name", "name (2)", "name (3)"]),
        ("name,name (2),name", ["name", "name (2)", "name (3)"]),
        ("column 2,,email", ["column 2", " (2)", "email"]),
        ("\ufeffemail,note", ["email", "note"]),
    ],
)
def test_each_column_has_a_unique_name(header: str, columns: list[str]) -> None:
    assert read_csv(io.BytesIO(header.encode())).columns == columns


def test_only_the_header_determines_the_separator() -> None:
    assert _cells(b"email;note\na@b.c,d@e.f;x\n") == [["a@b.c,d@e.f", "x"]]
    assert _cells(b"email\na@b.c;d@e.f\n") == [["a@b.c;d@e.f"]]


@pytest.mark.parametrize("name", ["email", "E-Mail", "e mail"])
def test_a_repeated_column_is_refused_if_it_is_used(name: str) -> None:
    file = read_csv(io.BytesIO(f"{name},note,note,{name}\n".encode()))
    file.refuse_repeated(["topic"])
    with pytest.raises(FileRefusedError, match=f"two columns are named {name.lower()}: rename"):
        file.refuse_repeated(["topic", "email"])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\r\n\n", "the file is empty"),
        (b"sep=;\n", "the file is empty"),
        ("email\na@b.c".encode("utf-16-be"), "the first line is not a header: save the file as"),
        ("email\na@b.c".encode("utf-32"), "the first line is not a header: save the file as"),
        (b'"email\n', f"the header cannot be read: {QUOTE}"),
        (b"x" * (MAX_LINE + 2), f"the header cannot be read: {TOO_LONG}"),
        (b"x," * 20_000, "the first line is not a header"),
        (
            b"PK\x03\x04\x14\0",
            "this is an Excel workbook or a ZIP file: open it and save it as CSV",
        ),
    ],
)
def test_an_unreadable_file_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(FileRefusedError) as refusal:
        read_csv(io.BytesIO(content))
    assert why in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "cells", "problem"),
    [
        ("ada@b.c,x,José".encode("latin-1"), ["ada@b.c", "x", "José"], LEGACY),
        (b"ada@b.c,x,\x80\x81", ["ada@b.c", "x", "€\x81"], LEGACY),
        (b"ada@b.c,x\0,", ["ada@b.c", "x\0", ""], "the line contains a NUL character"),
        (b"ada@b.c", ["ada@b.c", "", ""], "1 cells where the header has 3"),
        (b"ada@b.c,x", ["ada@b.c", "x", ""], "2 cells where the header has 3"),
        (b"ada@b.c,x,y,z", ["ada@b.c", "x", "y"], "4 cells where the header has 3"),
        (
            b'ada@b.c,x,"y\nz",t',
            ["ada@b.c", "x", "y\nz"],
            "4 cells where the header has 3 (lines 3",
        ),
        (b'ada@b.c,x,"y"z', ["ada@b.c", "x", "yz"], QUOTE),
        (b'ada@b.c,"x"y,z', ["ada@b.c", "xy", "z"], QUOTE),
        (b'ada@b.c,x,"y', ["ada@b.c", "x", "y"], QUOTE),
        (b'"ada@b.c,x,y', ["ada@b.c", "x", "y"], QUOTE),
        (b'"ada@b.c, "x",y', ["ada@b.c", "x", "y"], QUOTE),
        (b'"', ["", "", ""], QUOTE),
        (b"a" * MAX_LINE, ["", "", ""], TOO_LONG),
        (b"ada@b.c,x," + b"a" * MAX_LINE, ["ada@b.c", "x", ""], TOO_LONG),
        (b'ada@b.c,x,"' + b"a" * MAX_LINE + b'"', ["ada@b.c", "x", ""], TOO_LONG),
        (b"ada@b.c,x," + "é".encode() * MAX_LINE, ["ada@b.c", "x", ""], TOO_LONG),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_malformed_row_and_the_next_one_are_read(
    line: bytes, cells: list[str], problem: str, end: bytes
) -> None:
    content = b"email,topic,note" + end + b"one@b.c,x," + end + line + end + b"two@b.c,x," + end
    one, row, two = _read(content)
    assert (one.line, one.problems, two.problems) == (2, (), ())
    assert list(row.cells.values()) == cells
    assert row.line == 3
    assert problem in row.problems[0]
    assert (one.cells["email"], two.cells["email"]) == ("one@b.c", "two@b.c")


@pytest.mark.parametrize("line", [b"ada@b.c,x,,,", b"ada@b.c,x, ,", b"ada@b.c,x,"])
def test_empty_cells_beyond_the_header_are_not_a_problem(line: bytes) -> None:
    (row,) = _read(b"email,topic,,\n" + line + b"\n")
    assert (row.cells, row.problems) == ({"email": "ada@b.c", "topic": "x"}, ())


def test_a_cell_in_an_unnamed_last_column_is_reported() -> None:
    (row,) = _read(b"email,topic,\nada@b.c,x,lost\n")
    assert row.problems == ("3 cells where the header has 2",)


def test_a_long_cell_is_read_in_full() -> None:
    note = "é" * 32_767  # the longest cell of Excel
    (row,) = _read(f"email,a,b\nada@b.c,{note},{note}\n".encode())
    assert (row.cells["b"], row.problems) == (note, ())


def test_a_truncated_line_ends_with_a_complete_cell() -> None:
    start, email = b"x" * (MAX_LINE - 11), b"ada@example.community"
    (row,) = _read(b"note,email,status\n" + start + b"," + email + b",unsubscribed\n")
    assert (row.cells["note"], row.cells["email"]) == (start.decode(), "")


@pytest.mark.parametrize("read", [read_csv, read_json_lines])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
@pytest.mark.parametrize("size", [MAX_SHORT, MAX_SHORT + 2, 2 * MAX_SHORT])
def test_no_byte_of_a_long_line_is_lost(
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[BinaryIO], Iterable[Row | RefusedRow]],
    encoding: str,
    end: str,
    size: int,
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", MAX_SHORT)
    monkeypatch.setattr(csv_file, "MAX_LINE", MAX_SHORT)
    monkeypatch.setattr(rest, "_PIECE", 1024)
    start = "\ufeff" * (encoding == "utf-16-be") + "email,note" + (end or "\n")
    long = "ada@b.c,é" + "ü" * (size // 2 - 5) + end
    content = (start + long).encode(encoding)
    *_, row = read(cast(BinaryIO, _Slow(content, 1025)))
    refused = row if isinstance(row, RefusedRow) else row.refused()
    expected = long.encode("utf-16-le" if encoding == "utf-16" else encoding.removesuffix("-sig"))
    assert b"".join(refused.pieces()) == expected


def test_an_unclosed_quotation_mark_affects_no_other_row() -> None:
    rest = "".join(f"p{number}@b.c,x\n" for number in range(100_000))
    rows = _read(f'email,topic\none@b.c,x\n"two@b.c,x\n{rest}'.encode())
    assert [row.line for row in rows] == list(range(2, 100_004))
    assert [row.line for row in rows if row.problems] == [3]
    assert rows[1].cells == {"email": "two@b.c", "topic": "x"}


def test_rows_with_unclosed_quotation_marks_are_all_read() -> None:
    rows = _read(b"email,topic\n" + b'a@b.c,"x\n' * 20_000)
    assert len(rows) == 20_000


def test_a_row_with_line_breaks_has_the_number_of_its_first_line() -> None:
    rows = _read(b'email,note\na@b.c,"one\r\ntwo\rthree\n"\nd@e.f,x\n')
    assert [(row.line, row.cells["note"]) for row in rows] == [(2, "one\r\ntwo\rthree\n"), (6, "x")]


def test_blank_lines_are_skipped() -> None:
    assert _emails(b"email,x\n\n,\na@b.c,\r\r\n\n") == ["a@b.c"]


def test_a_refused_row_does_not_show_its_content() -> None:
    (row,) = _read(b'email,topic\ncanary@example.org,"canary"x\n')
    refused = row.refused("the topic is missing")
    assert refused == RefusedRow(2, f"the topic is missing; {QUOTE}")
    assert b"canary" in refused.raw
    assert "canary" not in str(refused)
    assert row.refused().why == QUOTE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_raw_header_and_rows_are_kept_unchanged(encoding: str, end: str) -> None:
    lines = ["sep=;", '"Email";note', '"é@b.c";"x\n""y"', "a;b;c", 'x;"y', "z", "last"]
    content = end.join(lines).encode(encoding)
    file = read_csv(io.BytesIO(content))
    rows = list(file)
    assert len(rows) == 5
    assert file.header + b"".join(row.raw for row in rows) == content


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]))
def test_any_bytes_are_read_or_refused(content: bytes, mark: bytes) -> None:
    for reader in (read_csv, read_json_lines):
        with suppress(FileRefusedError):
            for row in reader(io.BytesIO(mark + content)):
                assert row.raw


@given(
    st.lists(st.text(max_size=8)), st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
)
def test_no_byte_of_a_text_is_lost(lines: list[str], encoding: str) -> None:
    content = "\n".join(["\ufeffemail", *lines]).encode(encoding, "surrogatepass")
    if encoding == "utf-16":
        content = content[2:]  # its own byte order mark
    raw = b"".join(line.raw for line in Lines(io.BytesIO(content)))
    assert content.endswith(raw)
    assert len(content) - len(raw) in (2, 3)


class _Slow(io.RawIOBase):
    """A file that returns its content `size` bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size = content, size

    def read(self, size: int = -1) -> bytes:
        given, self._content = self._content[: self._size], self._content[self._size :]
        return given


@given(st.sampled_from(["utf-8-sig", "utf-16", "cp1252"]), st.integers(1, 9))
def test_rows_do_not_depend_on_the_size_of_reads(encoding: str, size: int) -> None:
    content = 'email;näme\r\na@b.c;"x\r\ny"\r\n\rd@e.f;ü\n'.encode(encoding)
    slow = list(read_csv(cast(BinaryIO, _Slow(content, size))))
    assert slow == list(read_csv(io.BytesIO(content)))
    assert [row.raw for row in slow] == [row.raw for row in read_csv(io.BytesIO(content))]


class _Endless(io.RawIOBase):
    """A file of `start` and then `lines` times `line`, which it never holds in full."""

    def __init__(self, start: bytes, line: bytes, lines: int) -> None:
        self._chunks = chain([start], repeat(line, lines))

    def read(self, size: int = -1) -> bytes:
        return next(self._chunks, b"")


@pytest.mark.parametrize(
    ("start", "line", "lines"),
    [
        (b"email,x\n", b"y" * 65_536, 320),  # one line without an end
        (b"email,x\n", b"a@example.org," + b"1" * 4_000 + b"\n", 5_000),
        (b'email,x\n"', b"cell" * 1_000 + b'\n","', 5_000),  # one row without an end
        (b'email,x\n"', b"cell" * 1_000 + b"\n", 5_000),
        (b'email,x\n"', b"\n" * 65_536, 1),
        (b"\xff\xfee\0\n\0", b"y\0" * 32_768, 320),
    ],
)
def test_memory_use_does_not_grow_with_the_length_of_a_line_or_row(
    start: bytes, line: bytes, lines: int
) -> None:
    tracemalloc.start()
    for _ in read_csv(cast(BinaryIO, _Endless(start, line, lines))):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MAX_LINE


@pytest.mark.parametrize("content", [b"x" * 1_000_000, b"x"])
def test_a_batch_has_a_bounded_size(content: bytes) -> None:
    header = b",".join(b"c%d" % number for number in range(1 if len(content) > 1 else 10_000))
    rows = read_csv(io.BytesIO(header + b"\n" + (content + b"\n") * 50))
    found = list(batches(rows, 1000, 8_000_000))
    assert [len(batch) for batch in found][:-1] == [len(found[0])] * (len(found) - 1)
    assert sum(map(len, found)) == 50
    assert len(found[0]) < 20


def test_a_batch_has_a_bounded_number_of_rows() -> None:
    rows = _read(b"email\n" + b"a@b.c\n" * 25)
    assert [len(batch) for batch in batches(rows, 10)] == [10, 10, 5]


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1))
def test_written_csv_is_read_back_unchanged(pairs: list[tuple[str, str]]) -> None:
    file = io.StringIO(newline="")
    writer = CsvWriter(file, ("email", "note"), escape=True)
    for email, note in pairs:
        writer.write({"email": email, "note": note})
    expected = [[email, note] for email, note in pairs if email or note]
    assert _cells(file.getvalue().encode()) == expected


@given(st.lists(HOSTILE | st.text('a,"\r\n ', max_size=4) | st.integers() | st.none(), min_size=1))
def test_csv_is_written_as_the_standard_library_writes_it(cells: list[object]) -> None:
    ours, theirs = io.StringIO(newline=""), io.StringIO(newline="")
    columns = [str(number) for number in range(len(cells))]
    row = {name: cell for name, cell in zip(columns, cells, strict=True) if cell is not None}
    CsvWriter(ours, columns, escape=False).write(row)
    csv.writer(theirs).writerows([columns, cells])
    assert ours.getvalue() == theirs.getvalue()


def test_a_cell_of_another_column_is_refused_before_anything_of_its_row_is_written() -> None:
    file = io.StringIO(newline="")
    with pytest.raises(ValueError, match="a column that the file does not have"):
        CsvWriter(file, ("email",), escape=False).write({"email": "ada@example.org", "x": "y"})
    assert file.getvalue() == "email\r\n"


@pytest.mark.parametrize(
    ("cell", "is_reported"),
    [("x\nbob@b.c,y", True), ("x\nbob@b.c", False), ("x\none, two", False), ("x, a@b.c", False)],
)
def test_a_row_that_may_contain_another_is_reported(cell: str, is_reported: bool) -> None:
    (row,) = _read(f'email,note\nada@b.c,"{cell}"\n'.encode())
    merged = "quotation marks join lines 2 to 3 into one row"
    assert row.problems == ((merged,) if is_reported else ())
    assert row.cells["note"] == cell
