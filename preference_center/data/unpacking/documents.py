"""Turn a JSON document into JSON Lines: a list of objects, pages with such lists, or both.

The document is read piece by piece, so that memory use does not depend on its length.
"""

import codecs
import json
import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, BinaryIO

from preference_center.data.import_words import EMAIL_NAMES
from preference_center.data.tabular import MAX_LINE, FileRefusedError, fold, json_object
from preference_center.data.unpacking.scratch import Scratch, Slice

# Members that hold the rows of a page: of SES `list-suppressed-destinations` and `list-contacts`.
# A page is at the top of a document; within a list, such a member is one of a row.
PAGES = ("SuppressedDestinationSummaries", "Contacts")
_CHUNK = 65_536  # bytes
_SPACE = re.compile(r"\s*")
_PUNCTUATION = re.compile(r"[\s,]*")
_LIST_OF_OBJECTS = re.compile(r"\s*\[\s*(\{|$)")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECODER = JSONDecoder(
    object_pairs_hook=json_object, parse_int=str, parse_float=str, parse_constant=str
)

_Pairs = list[tuple[str, Any]]


def is_document(head: bytes) -> bool:
    """Return True if a file that begins with `head` is a JSON document and not JSON Lines."""
    text = head.decode(encoding_of(head), "replace").lstrip()
    first = text.splitlines()[0].rstrip() if text else ""
    if not first.startswith("{"):
        return _LIST_OF_OBJECTS.match(first) is not None
    return not first.endswith("}") or any(f'"{page}"' in first for page in PAGES)


def to_json_lines(file: BinaryIO, scratch: Scratch) -> Slice:
    """Return the objects of a document as JSON Lines; raise FileRefusedError."""
    target = scratch.new()
    for pairs in _Document(file).objects():
        members = (f"{_json(name)}: {_json(value)}" for name, value in pairs)
        scratch.write(target, f"{{{', '.join(members)}}}\n".encode("utf-8", "surrogatepass"))
    return target


def _has_address(pairs: _Pairs) -> bool:
    return any(fold(name) in EMAIL_NAMES for name, _ in pairs)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def encoding_of(head: bytes) -> str:
    """Return the encoding that the byte order mark of a file says, or UTF-8."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")


class _Document:
    """A JSON document that is read piece by piece."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder: codecs.IncrementalDecoder | None = None
        self._text, self._at, self._ended = "", 0, False

    def objects(self) -> Iterator[_Pairs]:
        """Yield each object that is a row, as pairs; a page yields those that it contains."""
        try:
            yield from self._objects()
        except (KeyError, ValueError, RecursionError):
            raise FileRefusedError("the JSON is damaged, or is not a list of objects") from None

    def _objects(self) -> Iterator[_Pairs]:
        depth = 0
        while char := self._next(_PUNCTUATION):
            if char == "{":
                yield from self._object(may_be_page=depth == 0)
                continue
            depth += {"[": 1, "]": -1}[char]
            self._at += 1
        if depth:
            raise ValueError

    def _object(self, *, may_be_page: bool) -> Iterator[_Pairs]:
        self._at += 1
        pairs: _Pairs = []
        is_page = False
        while (char := self._next(_PUNCTUATION)) != "}":
            name = self._value()
            if not char or self._next(_SPACE) != ":":
                raise ValueError
            self._at += 1
            if may_be_page and name in PAGES and self._next(_SPACE) == "[":
                is_page = True
                yield from self._rows()
            else:
                pairs.append((name, self._value()))
        self._at += 1
        if not is_page or _has_address(pairs):
            yield pairs

    def _rows(self) -> Iterator[_Pairs]:
        self._at += 1
        while (char := self._next(_PUNCTUATION)) != "]":
            row = self._value() if char else None
            if not isinstance(row, dict):
                raise ValueError  # noqa: TRY004 (the document is at fault)
            yield list(row.items())
        self._at += 1

    def _next(self, skipped: re.Pattern[str]) -> str:
        """Return the next character that is not skipped, or "" at the end of the file."""
        while True:
            found = skipped.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def _value(self) -> Any:
        """Return the next value, of at most MAX_LINE characters."""
        self._next(_SPACE)
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except JSONDecodeError:
                end = len(self._text)
            if end < len(self._text) or self._ended:
                break
            if len(self._text) - self._at > MAX_LINE:
                raise FileRefusedError(f"an object is longer than {MAX_LINE:,} characters")
            self._fill()
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        return value

    def _fill(self) -> bool:
        """Read another piece, and forget what was read; return False at the end of the file."""
        piece = self._file.read(_CHUNK)
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder(encoding_of(piece))("replace")
        self._text = self._text[self._at :] + self._decoder.decode(piece, final=not piece)
        self._at, self._ended = 0, not piece
        return bool(piece)
