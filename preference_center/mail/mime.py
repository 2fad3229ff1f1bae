"""A message taken apart: its headers, and the parts that are not embedded messages.

The standard library's parser recurses once for each level and reads all there is. This one reads
the front of a message, without recursion. Whatever the bytes are, they are a message.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from itertools import islice
from string import ascii_letters, digits

LOOKED_AT = 1024 * 1024  # bytes: a report stands at the front, the mail it is about behind it
MAX_PARTS = 100
MAX_DEPTH = 10
MAX_HEADER_BYTES = 128 * 1024  # bytes
MAX_VALUE_LENGTH = 8000  # characters
MAX_TEXT_BYTES = 64 * 1024  # characters of a text part
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # PostgreSQL takes no NUL
_NOT_BASE64 = bytes(set(range(256)) - set(ascii_letters.encode() + digits.encode() + b"+/"))
# Codecs that take time in proportion to the text; Python knows others, and some are no charsets.
_CHARSET = re.compile(
    r"(?i)utf-?8|us-ascii|iso-?8859-\d{1,2}|windows-125\d|koi8-[ru]|big5|gbk|gb2312|gb18030"
    r"|euc-(?:jp|kr)|shift_jis|iso-2022-jp"
)


@dataclass(frozen=True)
class Headers:
    """Header fields from the top: names in lower case, values on one line, nothing decoded."""

    fields: tuple[tuple[str, str], ...]

    def all(self, *names: str) -> list[str]:
        """Return the values of some names, in the order of the names."""
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
        value = self.headers.first("content-type").partition(";")[0]
        return value.strip().lower() or "text/plain"

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

    def content(self) -> bytes:
        """Return the body without its transfer encoding; one that nobody knows is none."""
        encoding = self.headers.first("content-transfer-encoding").strip().lower()
        if encoding == "quoted-printable":
            return _unix_lines(binascii.a2b_qp(self.body))
        return _unix_lines(_from_base64(self.body)) if encoding == "base64" else self.body

    def text(self) -> str:
        """Return the body as text, up to `MAX_TEXT`."""
        raw = self.content()[: 4 * MAX_TEXT_BYTES]
        return _CONTROL.sub("", _decoded(raw, self.parameter("charset")))[:MAX_TEXT_BYTES]


@dataclass(frozen=True)
class Message(Part):
    """A message and the parts in it that hold no parts; `trouble` says why some were not read."""

    parts: tuple[Part, ...]
    trouble: str

    def of(self, *types: str) -> list[Part]:
        """Return the parts of some types, in the order in which they stand."""
        return [part for part in self.parts if part.type in types]


def parse(raw: bytes) -> Message:
    """Return the message that some bytes are."""
    top = part_of(_unix_lines(raw[:LOOKED_AT]).removeprefix(b"\xef\xbb\xbf").lstrip(b"\n"))
    found: list[Part] = []
    waiting, trouble, seen = [(top, 0)], "", 0
    while waiting and not trouble:
        part, depth = waiting.pop()
        seen += 1
        inner = _parts_in(part)
        if depth == MAX_DEPTH and inner:
            trouble = f"Parts lie in parts, more than {MAX_DEPTH} deep."
        elif seen + len(waiting) + len(inner) > MAX_PARTS:
            trouble = f"It has more than {MAX_PARTS} parts."
        elif inner:
            waiting.extend((part_of(each), depth + 1) for each in reversed(inner))
        else:
            found.append(part)
    return Message(top.headers, top.body, tuple(found), trouble)


def part_of(block: bytes) -> Part:
    """Return the headers and body that a block of lines, each ended by LF alone, is."""
    if block.startswith(b"\n"):
        return Part(Headers(()), block[1:])
    head, _, body = block.partition(b"\n\n")
    return Part(parse_headers(head), body)


def parse_headers(block: bytes) -> Headers:
    """Return the header fields of a block of lines; a line that is none is passed over."""
    fields: list[tuple[str, list[bytes]]] = []
    for line in block[:MAX_HEADER_BYTES].split(b"\n"):
        field = _FIELD.match(line)
        if line[:1] in {b" ", b"\t"} and fields:
            fields[-1][1].append(line.strip())
        elif field:
            fields.append((field[1].decode("ascii").lower(), [line[field.end() :].strip()]))
    return Headers(tuple((name, _one_line(lines)) for name, lines in fields))


def without_encoded_words(value: str) -> str:
    """Return a header value with the encoded words of RFC 2047 decoded, as far as they can be."""
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
    """Yield what looks like an address in a text: as it is written, at most 320 characters."""
    for word in re.split(r"[\s<>()\[\],;:\"']+", value):
        local, at, domain = word.rpartition("@")
        if local and at and domain.strip(".") and len(word) <= 320:  # RFC 5321 §4.5.3.1
            yield word.partition("...")[0].rstrip(".")  # sendmail writes "<address>... why"


def _parts_in(part: Part) -> list[bytes]:
    """Return the parts of a multipart, of very many the first ones; none of anything else."""
    boundary = part.parameter("boundary")
    if not part.type.startswith("multipart/") or not boundary:
        return []
    line = re.compile(rb"(?m)^--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*$\n?")
    marks = list(islice(line.finditer(part.body), MAX_PARTS + 2))
    ends = [mark.start() for mark in marks[1:]] + [len(part.body)]
    return [
        part.body[mark.end() : end]
        for mark, end in zip(marks, ends, strict=False)
        if not mark[1]  # what stands behind the last boundary is nothing
    ]


def _one_line(lines: list[bytes]) -> str:
    value = b" ".join(lines)[:MAX_VALUE_LENGTH]
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
