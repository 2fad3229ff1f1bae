"""Read the lines of a file as text, in any encoding that a spreadsheet writes.

A line ends with LF, CR LF or a single CR. The encoding is UTF-8, or UTF-16 with a byte order mark.
A line that is not UTF-8 is read as Windows-1252.
"""

import codecs
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple

from preference_center.data.tabular.rest import HALF_A_CHARACTER, Rest
from preference_center.data.tabular.row import FileRefusedError

MAX_LINE = 1_048_576  # bytes of UTF-8; Excel's longest cell has 32,767 characters
_CHUNK = 65_536  # bytes
_MAX_MARK = 4  # bytes; the longest of `_MARKS` and `_ZIP`
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ZIP = b"PK\x03\x04"
# As browsers do, read the five bytes that Windows-1252 leaves undefined as control characters.
_WINDOWS_1252 = {
    byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)
}


class Line(NamedTuple):
    """One line with its line end, as text and as its bytes in the file.

    For a line that is too long, `cut` is True, `text` and `raw` are its beginning, and `rest` has
    the bytes after `raw`.
    """

    number: int
    text: str
    raw: bytes
    problems: tuple[str, ...] = ()
    cut: bool = False
    rest: Rest | None = None


class Lines:
    """An iterator over the lines of a file, which can be put back.

    `mark` is the byte order mark, which is not part of the first line.
    """

    def __init__(self, file: BinaryIO) -> None:
        chunks = _chunks(file)
        start = b""
        while len(start) < _MAX_MARK and (chunk := next(chunks, b"")):
            start += chunk
        if start.startswith(_ZIP):
            raise FileRefusedError(
                "this is an Excel workbook or a ZIP file: open it and save it as CSV UTF-8"
            )
        self.mark, self._encoding = next(
            (each for each in _MARKS if start.startswith(each[0])), (b"", "utf-8")
        )
        chunks = chain([start.removeprefix(self.mark)], chunks)
        if self._encoding != "utf-8":
            chunks = _as_utf_8(chunks, self._encoding)
        self._numbered = enumerate(_split(chunks), start=1)
        self._put_back: deque[Line] = deque()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> Line:
        if self._put_back:
            return self._put_back.popleft()
        return self._read(*next(self._numbered))

    def peek(self) -> str:
        """Return the text of the next line that is not empty, or ""; skip the empty ones."""
        for line in self:
            if line.text.strip():
                self.put_back([line])
                return line.text
        return ""

    def put_back(self, lines: Iterable[Line]) -> None:
        """Put back lines that were read last, to be read again."""
        self._put_back.extendleft(reversed(list(lines)))

    def _read(self, number: int, found: tuple[bytes, Rest | None]) -> Line:
        line, rest = found
        cut = len(line) > MAX_LINE
        text, problems = _decoded(HALF_A_CHARACTER.sub(b"", line) if cut else line, self._encoding)
        if cut:
            problems = (
                *problems,
                f"the line is longer than {MAX_LINE:,} bytes: the rest is not read",
            )
        if rest is not None:
            line = rest.finish(line, self._encoding)
        if self._encoding != "utf-8":
            line = line.decode("utf-8", "surrogatepass").encode(self._encoding, "surrogatepass")
        return Line(number, text, line, problems, cut, rest)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    read = getattr(file, "read1", file.read)  # On a pipe, do not wait for a full chunk.
    while chunk := read(_CHUNK):
        yield chunk


def _as_utf_8(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
    if decoder.getstate()[0]:
        yield "\ufffd".encode()  # The file ends within a character.


def _split(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, Rest | None]]:
    """Yield lines with their line ends, and the rest of each that is longer than MAX_LINE.

    The beginning of such a line has one byte more than MAX_LINE, then the line end.
    """
    held, rest = b"", None
    for chunk in chunks:
        lines = (held + chunk).splitlines(keepends=True)
        # A CR at the end of a chunk may belong to a CR LF.
        held = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for line in lines:
            yield _shortened(line, rest)
            rest = None
        held, rest = _shortened(held, rest)
    if held:
        yield held, rest


def _shortened(line: bytes, rest: Rest | None) -> tuple[bytes, Rest | None]:
    """Return a line, or the beginning of a long one, and the rest."""
    content = line.rstrip(b"\r\n")
    if len(content) <= MAX_LINE + 1:
        return line, rest
    rest = rest or Rest()
    rest.write(content[MAX_LINE + 1 :])
    return content[: MAX_LINE + 1] + line[len(content) :], rest


def _decoded(line: bytes, encoding: str) -> tuple[str, tuple[str, ...]]:
    """Return the text of a line, and its problems."""
    try:
        text, problem = line.decode(), None
    except UnicodeDecodeError:
        text, problem = _decoded_leniently(line, encoding)
    nul = "the line contains a NUL character" if "\0" in text else None
    return text, tuple(filter(None, (problem, nul))) if problem or nul else ()


def _decoded_leniently(line: bytes, encoding: str) -> tuple[str, str]:
    if encoding == "utf-8":
        text = line.decode("latin-1").translate(_WINDOWS_1252)
        return text, "the line is not UTF-8 and was read as Windows-1252"
    halves = line.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
    return halves.decode("utf-16", "replace"), "the line contains a damaged character"
