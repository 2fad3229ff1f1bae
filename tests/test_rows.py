"""Files from anywhere: each row is read, or refused with its line, and memory stays flat."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.rows import (
    LONGEST_LINE,
    CsvFile,
    CsvWriter,
    FileRefusedError,
    JsonLinesWriter,
    RefusedRow,
    Row,
    escape_formula,
    read_csv,
    read_json_lines,
    unescape_formula,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
HOSTILE = st.one_of(TEXT, st.builds(str.__add__, st.sampled_from("'=+-@\t\r\n"), TEXT))


def _csv(content: bytes) -> list[Row | RefusedRow]:
    return list(read_csv(io.BytesIO(content)))


def _refused(rows: list[Row | RefusedRow]) -> list[tuple[int, str]]:
    return [(row.line, row.why) for row in rows if isinstance(row, RefusedRow)]


def _emails(rows: list[Row | RefusedRow]) -> list[str]:
    return [row.cells["email"] for row in rows if isinstance(row, Row)]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_csv_is_read_with_or_without_a_bom(bom: bytes, end: bytes) -> None:
    rows = _csv(bom + end.join([b"Email , TOPIC", "jörg@example.org,news".encode(), b""]))
    assert rows == [Row(2, {"email": "jörg@example.org", "topic": "news"})]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        ("email\na@b.c".encode("utf-16"), "the file is UTF-16: save it as CSV UTF-8"),
        ("email\na@b.c".encode("utf-16-be"), "the header cannot be read: the line contains a NUL"),
        ("e-mail né".encode("latin-1"), "the header cannot be read: the line is not UTF-8"),
        (b"email,topic,Email \n", "two columns have the same name"),
        (b'"email\n', "a quotation mark is opened here and not closed"),
        (b"x" * (LONGEST_LINE + 2), "the line is longer than 65,536 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(FileRefusedError) as refusal:
        read_csv(io.BytesIO(content))
    assert why in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("jörg@example.org,x".encode("latin-1"), "not UTF-8"),
        (b"ada@example.org\0,x", "the line contains a NUL"),
        (b"ada@example.org", "1 cells where the header has 2"),
        (b"ada@example.org,x,y", "3 cells where the header has 2"),
        (b'ada@example.org,"x"y', "expected after"),
        (b"a" * (LONGEST_LINE + 1), "longer than 65,536 bytes"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_and_the_next_is_read(line: bytes, why: str) -> None:
    rows = _csv(b"email,topic\none@example.org,x\n" + line + b"\ntwo@example.org,x\n")
    assert _emails(rows) == ["one@example.org", "two@example.org"]
    ((number, found),) = _refused(rows)
    assert number == 3
    assert why in found


def test_a_refusal_says_nothing_of_what_stood_in_the_row() -> None:
    rows = _csv(b'email,topic\ncanary@example.org,"canary"x\ncanary@example.org\n')
    assert len(rows) == 2
    assert "canary" not in str(rows)


def test_an_unclosed_quote_says_which_lines_it_took_with_it() -> None:
    rows = _csv(b'email\none@example.org\n"two@example.org\nthree@example.org\n')
    why = "a quotation mark is opened here and not closed (lines 3 to 4 were not read)"
    assert _emails(rows) == ["one@example.org"]
    assert _refused(rows) == [(3, why)]


def test_a_cell_may_have_line_breaks_and_the_row_keeps_its_first_line() -> None:
    rows = _csv(b'email,note\na@b.c,"one\r\ntwo"\nd@e.f,x\n')
    assert [(row.line, dict(row.cells)["note"]) for row in rows if isinstance(row, Row)] == [
        (2, "one\r\ntwo"),
        (4, "x"),
    ]


def test_blank_lines_are_passed_over() -> None:
    assert _emails(_csv(b"email,x\n\n,\na@b.c,\n\n")) == ["a@b.c"]


class _Endless(io.RawIOBase):
    """A file of `start`, then `line` again and again up to `size` bytes; it holds none of them."""

    def __init__(self, start: bytes, line: bytes, size: int) -> None:
        self._lines = self._all(start, line, size)
        self._left = b""

    @staticmethod
    def _all(start: bytes, line: bytes, size: int) -> Iterator[bytes]:
        yield start
        for _ in range(size // len(line)):
            yield line

    def readline(self, size: int | None = -1) -> bytes:
        line = self._left or next(self._lines, b"")
        end = line.find(b"\n") + 1 or len(line)
        end = min(end, size) if size is not None and size > 0 else end
        self._left = line[end:]
        return line[:end]


@pytest.mark.parametrize(
    ("start", "line"),
    [
        (b"email,x\n", b"y" * 65_536),  # one line without an end
        (b"email,x\n", b"a@example.org," + b"1" * 4_000 + b"\n"),
        (b'email,x\n"', b"cell" * 1_000 + b'\n","'),  # one row without an end
        (b'email,x\n"', b"cell" * 1_000 + b"\n"),
    ],
)
def test_memory_stays_flat_whatever_the_length_of_a_line_or_a_row(
    start: bytes, line: bytes
) -> None:
    tracemalloc.start()
    for _ in CsvFile(cast(BinaryIO, _Endless(start, line, 12 * LONGEST_LINE))):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * LONGEST_LINE


@given(HOSTILE)
def test_an_escaped_cell_is_read_back_as_it_was(cell: str) -> None:
    assert unescape_formula(escape_formula(cell)) == cell


@given(HOSTILE)
def test_an_escaped_cell_never_runs_as_a_formula(cell: str) -> None:
    assert not escape_formula(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1))
def test_what_is_written_as_csv_is_read_back(pairs: list[tuple[str, str]]) -> None:
    file = io.StringIO(newline="")
    writer = CsvWriter(file, ("email", "note"), escape=True)
    for email, note in pairs:
        writer.write({"email": email, "note": note})
    rows = _csv(file.getvalue().encode())
    wanted = [{"email": email, "note": note} for email, note in pairs if email or note]
    assert [row.plain() for row in rows if isinstance(row, Row)] == wanted


NAMES = TEXT.map(lambda name: name.lower().strip())


@given(st.lists(st.dictionaries(NAMES, HOSTILE, min_size=1)))
def test_what_is_written_as_json_lines_is_read_back_raw(cells: list[dict[str, str]]) -> None:
    file = io.StringIO(newline="")
    for each in cells:
        JsonLinesWriter(file).write(each)
    rows = list(read_json_lines(io.BytesIO(file.getvalue().encode())))
    assert [row.plain() for row in rows if isinstance(row, Row)] == cells


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"{",
        b'"text"',
        b'{"email": 1}',
        b'{"email": ["a@b.c"]}',
        b'{"email": "\\ud800"}',
        b'{"email": NaN}',
        b"[" * 100_000,
        b'{"email": "\xff"}',
        b"\0",
    ],
)
def test_a_line_that_is_no_object_of_texts_is_refused_and_the_next_is_read(line: bytes) -> None:
    content = line + b'\n{"email": "a@b.c", "locale": null}\n'
    refused, row = read_json_lines(io.BytesIO(content))
    assert isinstance(refused, RefusedRow)
    assert refused.line == 1
    assert row == Row(2, {"email": "a@b.c", "locale": ""}, raw=True)


def test_json_lines_in_utf_16_are_refused_as_a_file() -> None:
    content = json.dumps({"email": "a@b.c"}).encode("utf-16")
    with pytest.raises(FileRefusedError, match="UTF-16"):
        list(read_json_lines(io.BytesIO(content)))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    def read(reader: Any) -> bool:
        try:
            return all(isinstance(row, Row | RefusedRow) for row in reader(io.BytesIO(content)))
        except FileRefusedError:
            return True

    assert read(read_csv)
    assert read(read_json_lines)


def test_json_lines_columns_are_named_as_in_csv_and_only_once() -> None:
    rows = list(read_json_lines(io.BytesIO(b'{" Status":"x"}\n{"status":"x","Status":"y"}\n')))
    assert [row.plain() for row in rows if isinstance(row, Row)] == [{"status": "x"}]
    assert len(rows) == 2
