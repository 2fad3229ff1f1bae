"""Parse MIME messages: headers, and the parts that are not embedded messages.

The standard library's parser recurses once per level and reads the whole message. This parser does
not recurse, and reads a limited number of bytes. It accepts any bytes.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from itertools import islice
from string import ascii_letters, digits

from preference_center.mail.raw_message import split_fields

MAX_PARSED_BYTES = 1024 * 1024  # a report comes before the email that it is about
MAX_PARTS = 100
MAX_DEPTH = 10
MAX_HEADER_BYTES = 128 * 1024
MAX_VALUE_LENGTH = 8000  # characters
MAX_TEXT_LENGTH = 64 * 1024  # characters
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # PostgreSQL does not store NUL
_NOT_BASE64 = bytes(set(range(256)) - set(ascii_letters.encode() + digits.encode() + b"+/"))
# Codecs whose time is proportional to the text. Python has others, and some are not charsets.
_CHARSET = re.compile(
    r"(?i)utf-?8|us-ascii|iso-?8859-\d{1,2}|windows-125\d|koi8-[ru]|big5|gbk|gb2312|gb18030"
    r"|euc-(?:jp|kr)|shift_jis|iso-2022-jp"
)


@dataclass(frozen=True)
class Headers:
    """Header fields from the top: names in lower case, unfolded values, encoded words kept."""

    fields: tuple[tuple[str, str], ...]

    def all(self, *names: str) -> list[str]:
        """Return the values of the fields with these names, in the order of the names."""
        return [value for name in names for key, value in self.fields if key == name]

    def first(self, name: str) -> str:
        """Return the first value of a name, or ""."""
        return next((value for key, value in self.fields if key == name), "")


@dataclass(frozen=True)
class Part:
    """One part, or a whole message."""

    headers: Headers
    body: bytes

    @property
    def type(self) -> str:
        """Return the media type in lower case."""
        value = self.headers.first("content-type").partition(";")[0]
        return value.strip().lower() or "text/plain"

    @property
    def encoding(self) -> str:
        """Return the transfer encoding in lower case, or ""."""
        return self.headers.first("content-transfer-encoding").strip().lower()

    def parameter(self, name: str) -> str:
        """Return a parameter of the content type, or ""."""
        return self.header_parameter("content-type", name)

    def header_parameter(self, header: str, name: str) -> str:
        """Return a parameter of a header, or ""."""
        found = re.search(
            rf';\s*{name}\s*=\s*(?:"([^"]*)"|([^\s;"]+))',
            self.headers.first(header),
            re.IGNORECASE,
        )
        return (found[1] or found[2] or "") if found else ""

    def decoded(self) -> bytes:
        """Return the body without its transfer encoding; an unknown encoding is ignored."""
        if self.encoding == "quoted-printable":
            return binascii.a2b_qp(self.body)
        return _from_base64(self.body) if self.encoding == "base64" else self.body

    def content(self) -> bytes:
        """Return the decoded body with lines ended by LF."""
        return _unix_lines(self.decoded())

    def text(self, max_length: int = MAX_TEXT_LENGTH) -> str:
        """Return the first `max_length` characters of the body as text."""
        raw = self.content()[: 4 * max_length]
        return _CONTROL.sub("", _decoded(raw, self.parameter("charset")))[:max_length]


@dataclass(frozen=True)
class Message(Part):
    """A message and its leaf parts.

    `trouble` says why some parts were not read, or is "". `closed` is False if the closing boundary
    of a multipart is missing.
    """

    parts: tuple[Part, ...]
    trouble: str
    closed: bool

    def of(self, *types: str) -> list[Part]:
        """Return the parts of these types, in message order."""
        return [part for part in self.parts if part.type in types]


def parse(raw: bytes, max_bytes: int = MAX_PARSED_BYTES) -> Message:
    """Parse the first `max_bytes` bytes of a message."""
    top = part_of(_unix_lines(raw[:max_bytes]).removeprefix(b"\xef\xbb\xbf").lstrip(b"\n"))
    found: list[Part] = []
    waiting, trouble, seen, closed = [(top, 0)], "", 0, True
    while waiting and not trouble:
        part, depth = waiting.pop()
        seen += 1
        inner, is_closed = _parts_in(part)
        closed = closed and is_closed
        if depth == MAX_DEPTH and inner:
            trouble = f"parts are nested more than {MAX_DEPTH} deep"
        elif seen + len(waiting) + len(inner) > MAX_PARTS:
            trouble = f"more than {MAX_PARTS} parts"
        elif inner:
            waiting.extend((part_of(each), depth + 1) for each in reversed(inner))
        else:
            found.append(part)
    return Message(top.headers, top.body, tuple(found), trouble, closed)


def part_of(block: bytes) -> Part:
    """Split a block of lines, each ended by LF, into headers and body."""
    if block.startswith(b"\n"):
        return Part(Headers(()), block[1:])
    head, _, body = block.partition(b"\n\n")
    return Part(parse_headers(head), body)


def parse_headers(block: bytes) -> Headers:
    """Return the header fields in a block of lines. A line that belongs to no field is skipped."""
    fields: list[tuple[bytes, list[bytes]]] = []
    for name, lines in split_fields(block[:MAX_HEADER_BYTES]):
        if name:
            fields.append((name, lines))
        elif fields:  # the lines folded below a skipped line continue the field above it
            fields[-1][1].extend(lines[1:])
    return Headers(tuple((name.decode().strip().lower(), _unfold(lines)) for name, lines in fields))


def without_encoded_words(value: str) -> str:
    """Return a header value with its encoded words (RFC 2047) decoded, as far as possible."""
    if "=?" not in value:
        return value
    try:
        chunks = decode_header(value)
    except (HeaderParseError, ValueError):
        return value
    decoded = [
        chunk if isinstance(chunk, str) else _decoded(chunk, charset or "")
        for chunk, charset in chunks
    ]
    return _CONTROL.sub("", "".join(decoded))


def addresses(value: str) -> Iterator[str]:
    """Yield the strings in a text that look like addresses: as written, at most 320 characters."""
    for word in re.split(r"[\s<>()\[\],;:\"']+", value):
        local, at, domain = word.rpartition("@")
        if local and at and domain.strip(".") and len(word) <= 320:  # RFC 5321 §4.5.3.1
            yield word.partition("...")[0].rstrip(".")  # sendmail: "<address>... User unknown"


def _parts_in(part: Part) -> tuple[list[bytes], bool]:
    """Return the parts of a multipart, at most `MAX_PARTS` + 2, and whether it is closed.

    A part that is not a multipart, or whose boundary does not occur, has no parts.
    """
    boundary = part.parameter("boundary")
    if not part.type.startswith("multipart/") or not boundary:
        return [], True
    # The line break before a boundary belongs to it (RFC 2046 §5.1.1).
    line = re.compile(rb"(?m)\n?^--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*$\n?")
    marks = list(islice(line.finditer(part.body), MAX_PARTS + 2))
    ends = [mark.start() for mark in marks[1:]] + [len(part.body)]
    inner = [
        part.body[mark.end() : end]
        for mark, end in zip(marks, ends, strict=False)
        if not mark[1]  # text after the closing boundary is not a part
    ]
    return inner, any(mark[1] for mark in marks)


def _unfold(lines: list[bytes]) -> str:
    value = b" ".join(line.strip() for line in lines)[:MAX_VALUE_LENGTH]
    return _CONTROL.sub("", _decoded(value, "")).strip()


def _decoded(raw: bytes, charset: str) -> str:
    if _CHARSET.fullmatch(charset):
        return raw.decode(charset, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _from_base64(body: bytes) -> bytes:
    clean = body.translate(None, delete=_NOT_BASE64)
    clean = clean[:-1] if len(clean) % 4 == 1 else clean
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _unix_lines(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
