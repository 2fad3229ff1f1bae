"""Archives, workbooks and JSON documents become tables, and hostile ones take no memory."""

import io
import json
import resource
import struct
import tracemalloc
import zlib
from contextlib import ExitStack, suppress
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preference_center.data.tabular import FileRefusedError, Row, read_csv
from preference_center.data.unpacking import Unpacked, unpack
from tests.support.foreign_files import workbook, zipped

LIMIT = 1_000_000  # bytes
PEOPLE = "email,status\r\nada@example.org,unsubscribed\r\n"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def opened(content: bytes, limit: int = LIMIT) -> tuple[Unpacked, dict[str, str]]:
    """Return what a file consists of, and the text of each part."""
    with ExitStack() as stack:
        unpacked = unpack(io.BytesIO(content), stack, limit)
        return unpacked, {part.name: part.file.read().decode() for part in unpacked.parts}


def why_refused(content: bytes, limit: int = LIMIT) -> str:
    """Return why a file is refused, having checked that this took little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(FileRefusedError) as error:
            opened(content, limit)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    return str(error.value)


def packed(entries: dict[str, bytes], method: int = ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_an_archive_is_unpacked_whatever_its_method(method: int) -> None:
    unpacked, texts = opened(packed({"a/people.csv": PEOPLE.encode()}, method))
    assert (unpacked.is_container, texts) == (True, {"people.csv": PEOPLE})


def test_clutter_is_ignored_and_other_files_are_named() -> None:
    entries = {
        "lists/": b"",
        "__MACOSX/lists/._people.csv": b"\0\5",
        "__MACOSX/people.csv": b"\0\5",
        "lists/.DS_Store": b"\0",
        "lists/people.csv": PEOPLE.encode(),
        "posts/1.html": b"<p>",
        "other/people.csv": b"email\r\n",
        "odd\x1bname.csv": b"email\r\n",
    }
    unpacked, texts = opened(packed(entries))
    assert list(texts) == ["people.csv", "people (2).csv", "odd?name.csv"]
    assert unpacked.left_out == ("1.html",)


def test_an_archive_that_is_larger_than_the_limit_is_refused_before_it_is_unpacked() -> None:
    why = why_refused(packed({"a.csv": b"x" * 600_000, "b.csv": b"x" * 600_000}, ZIP_STORED))
    assert why.startswith("the file is larger than 1 MB when it is unpacked")
    assert "--max-unpacked" in why


def test_a_dense_archive_is_refused() -> None:
    content = packed({"a.csv": bytes(50_000_000)})
    assert "unpacks to more than 200 times" in why_refused(content, 200_000_000)


def with_stated_size(content: bytes, size: int) -> bytes:
    """Return an archive of one entry whose headers state another unpacked size."""
    local, central = content.index(b"PK\3\4"), content.index(b"PK\1\2")
    changed = bytearray(content)
    changed[local + 22 : local + 26] = changed[central + 24 : central + 28] = struct.pack(
        "<I", size
    )
    return bytes(changed)


def test_a_header_that_lies_about_the_size_is_found() -> None:
    bomb = with_stated_size(packed({"a.csv": bytes(50_000_000)}), 100_000)
    assert "is damaged" in why_refused(bomb)
    assert "is damaged" in why_refused(with_stated_size(packed({"a.csv": PEOPLE.encode()}), 20))


def test_too_many_entries_are_refused() -> None:
    assert "more than 10,000 entries" in why_refused(
        packed(dict.fromkeys(map(str, range(10_001)), b""))
    )
    names = (f"{number:060000}" for number in range(80))
    assert "too many entries" in why_refused(packed(dict.fromkeys(names, b"")), 10**9)


@pytest.mark.parametrize(
    "inner",
    [
        packed({"people.csv": PEOPLE.encode()}),
        workbook({"A": [["email"]]}),
        b"\x1f\x8b\x08rest",
        b"7z\xbc\xaf\x27\x1crest",
    ],
)
def test_archives_in_archives_are_refused(inner: bytes) -> None:
    assert "contains another archive" in why_refused(packed({"people.csv": inner}))


def test_an_encrypted_archive_is_refused() -> None:
    content = bytearray(packed({"a.csv": PEOPLE.encode()}))
    for start, offset in ((content.index(b"PK\3\4"), 6), (content.index(b"PK\1\2"), 8)):
        content[start + offset] |= 1
    assert "encrypted" in why_refused(bytes(content))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_damaged_archive_is_refused_or_unpacked(data: st.DataObject) -> None:
    good = bytearray(packed({"people.csv": PEOPLE.encode(), "b.json": b'[{"email":"x"}]'}))
    for place in data.draw(st.lists(st.integers(4, len(good) - 1), max_size=4)):
        good[place] = data.draw(st.integers(0, 255))
    content = bytes(good[: data.draw(st.integers(4, len(good)))])
    with suppress(FileRefusedError):
        opened(content)


def test_an_archive_without_tables_is_refused() -> None:
    assert "contains no table" in why_refused(packed({"a.html": b"<p>"}))


def test_every_sheet_is_read_and_hidden_ones_are_named() -> None:
    rows: list[list[object]] = [
        ["Email", "Left", "N"],
        ["ada@example.org", True, 5.0],
        ["", "", ""],
        ["b\nc", False, 1.5],
    ]
    book = workbook({"People": rows, "Empty": [], "Old": [["email"], ["ben@x.org"]]}, ["Old"])
    unpacked, texts = opened(book)
    assert unpacked.hidden == ("Old",)
    assert texts == {
        "People": "Email,Left,N\nada@example.org,true,5\n\nb c,false,1.5\n",
        "Old": "email\nben@x.org\n",
    }


def test_cells_of_a_workbook_are_read_exactly() -> None:
    cells = ["'-ada@example.org", "a;'=b", 'say "x", y']
    _, texts = opened(workbook({"A": [["email", "b", "c"], cells]}))
    (row,) = read_csv(io.BytesIO(texts["A"].encode()))
    assert isinstance(row, Row)
    assert [*row.cells.values()] == cells


def test_a_workbook_of_another_library_has_dates_and_starts_anywhere(tmp_path: Path) -> None:
    from datetime import datetime

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["B3"], sheet["C3"] = "email", "at"
    sheet["B4"], sheet["C4"] = "ada@example.org", datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001
    book.save(tmp_path / "a.xlsx")
    _, texts = opened((tmp_path / "a.xlsx").read_bytes())
    assert texts["Sheet"].splitlines() == [
        "",
        "",
        "email,at",
        "ada@example.org,2026-01-02T03:04:05",
    ]


def hostile(sheet: str, strings: str = "") -> bytes:
    """Return a workbook with other contents of its parts."""
    out = io.BytesIO()
    with (
        ZipFile(io.BytesIO(workbook({"A": [["email"]]}))) as good,
        ZipFile(out, "w", ZIP_DEFLATED) as bad,
    ):
        for name in good.namelist():
            content = good.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = f"<worksheet {MAIN}><sheetData>{sheet}</sheetData></worksheet>".encode()
            if strings and name == "xl/sharedStrings.xml":
                content = f"<sst {MAIN}>{strings}</sst>".encode()
            bad.writestr(name, content)
    return out.getvalue()


FAR = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
LONG = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 40_000))


@pytest.mark.parametrize(
    "content",
    [
        hostile(FAR),
        hostile(LONG, f"<si><t>{'x' * 32_000}</t></si>"),
        hostile('<row r="1"><c r="A1" t="s"><v>99</v></c></row>'),
        workbook({"A": [["email"]]})[:-30],
    ],
    ids=["far apart", "one long text in every cell", "no such text", "cut short"],
)
def test_a_hostile_workbook_is_refused_and_takes_no_memory_of_ours(content: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    why = why_refused(content, 200_000_000)
    assert "the workbook cannot be read" in why or "is damaged" in why
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


def test_a_workbook_is_limited_before_it_is_opened() -> None:
    assert "when it is unpacked" in why_refused(hostile(LONG), 500_000)


def json_texts(text: str) -> list[dict[str, object]]:
    _, texts = opened(text.encode())
    return [json.loads(line) for line in texts[""].split("\n")[:-1]]


def test_a_list_becomes_lines() -> None:
    assert json_texts('[\n {"a": 1},\n\n {"a": [1, {"b": 2.50}]}\n]\n') == [
        {"a": "1"},
        {"a": ["1", {"b": "2.50"}]},
    ]


def test_a_long_document_is_read_piece_by_piece() -> None:
    rows = [{"EmailAddress": f"p{n}@example.org", "é": "x" * (n % 971)} for n in range(8_000)]
    page = json.dumps({"SuppressedDestinationSummaries": rows}, ensure_ascii=False).encode()
    tracemalloc.start()
    with ExitStack() as stack:
        file = unpack(io.BytesIO(page), stack, LIMIT).parts[0].file
        peak = tracemalloc.get_traced_memory()[1]
        assert [json.loads(line) for line in file] == rows
    tracemalloc.stop()
    assert peak < len(page) / 2


@pytest.mark.parametrize(
    "text",
    [
        "[{",
        '[{"a":1}',
        '{"a":\n',
        '{"SuppressedDestinationSummaries": [1]}',
        '[{"a":1}, 2]',
        "[" * 99_999,
    ],
)
def test_a_damaged_document_is_refused(text: str) -> None:
    if text.startswith("[["):
        text = '[{"a": ' + text
    assert "the JSON is damaged" in why_refused(text.encode())


def test_a_huge_object_is_refused() -> None:
    assert "longer than" in why_refused(b'[{"a": "' + b"x" * 3_000_000)


_PLAIN = st.none() | st.booleans() | st.text(max_size=5)
_JSON = _PLAIN | st.dictionaries(st.text(max_size=3), _PLAIN | st.lists(_PLAIN, max_size=3))


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.dictionaries(st.text(max_size=4), _JSON, max_size=4), min_size=1),
    st.sampled_from([None, 1]),
)
def test_any_list_of_objects_is_read_without_loss(
    rows: list[dict[str, object]], indent: int
) -> None:
    assert json_texts(json.dumps(rows, indent=indent)) == rows


def test_a_checksum_that_is_wrong_is_found() -> None:
    content = packed({"a.csv": PEOPLE.encode()}, ZIP_STORED)
    assert zlib.crc32(PEOPLE.encode())
    assert "is damaged" in why_refused(content.replace(b"unsubscribed", b"subscribed  "))


def test_a_zip_may_be_given_by_name() -> None:
    _, texts = opened(zipped(**{"people.csv": PEOPLE}))
    assert texts == {"people.csv": PEOPLE}
