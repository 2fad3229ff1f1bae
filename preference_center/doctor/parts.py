"""The text parts of a message, found without recursion and within limits.

The standard library's parser recurses once for each level, so that a deep message ends it.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from preference_center.doctor.message import MAX_HEADER_BYTES, Header, Message, parse_headers

MAX_PARTS = 200
MAX_DEPTH = 20
MAX_TEXT_BYTES = 2 * 1024 * 1024  # bytes of one part that are searched for links
_MAX_VALUE_LENGTH = 2000
_BLANK_LINE = re.compile(rb"(?:\A|\n)\r?\n")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
# Codecs that take time in proportion to the text; Python knows others, and some are no charsets.
_CHARSET = re.compile(
    r"(?i)utf-?8|us-ascii|iso-?8859-\d{1,2}|windows-125\d|koi8-[ru]|big5|gbk|gb2312|gb18030"
    r"|euc-(?:jp|kr)|shift_jis|iso-2022-jp"
)


@dataclass(frozen=True)
class Text:
    """One text part: `text/plain` or `text/html`, its text, and its size in bytes, decoded."""

    type: str
    text: str
    size: int


@dataclass(frozen=True)
class Texts:
    """A message's text parts, attachments left out, and in words what was not read of it."""

    parts: tuple[Text, ...]
    trouble: str

    def of(self, type_: str) -> list[Text]:
        return [part for part in self.parts if part.type == type_]


def texts(message: Message) -> Texts:
    """Return the text parts of a message."""
    found: list[Text] = []
    waiting = [(message.headers, message.body, 0)]
    trouble, seen = "", 0
    while waiting and seen < MAX_PARTS:
        headers, body, depth = waiting.pop(0)
        seen += 1
        content = _value(headers, "content-type") or "text/plain"
        boundary = _parameter(content, "boundary")
        if not content.lower().startswith("multipart/"):
            found.extend(_text(headers, content, body))
        elif not boundary or depth == MAX_DEPTH:
            trouble = "A part has no boundary." if not boundary else "Parts lie in parts too deep."
        else:
            inner, closed = _split(body, boundary)
            trouble = trouble or ("" if closed else "A part does not end: the mail was cut off.")
            waiting.extend((*_headers_and_body(part), depth + 1) for part in inner)
    return Texts(tuple(found), f"There are more than {MAX_PARTS} parts." if waiting else trouble)


def _split(body: bytes, boundary: str) -> tuple[list[bytes], bool]:
    """Return what stands between the boundaries, and whether the last of them is there."""
    line = rb"(?:\A|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?=\r?\n|\r?\Z)"
    parts: list[bytes] = []
    start = None
    for found in _at_most(re.finditer(line, body), MAX_PARTS + 1):
        if start is not None:
            parts.append(body[start : found.start()])
        start = found.end()
        if found[1]:
            return parts, True
    if start is not None:
        parts.append(body[start:])
    return parts, False


def _at_most(found: Iterator[re.Match[bytes]], maximum: int) -> Iterator[re.Match[bytes]]:
    return (each for each, _ in zip(found, range(maximum), strict=False))


def _headers_and_body(part: bytes) -> tuple[tuple[Header, ...], bytes]:
    part = re.sub(rb"\A\r?\n", b"", part)  # the end of the boundary's line
    end = _BLANK_LINE.search(part)
    headers, _ = parse_headers(part[: end.start() if end else None][:MAX_HEADER_BYTES])
    return headers, part[end.end() :] if end else b""


def _text(headers: tuple[Header, ...], content: str, body: bytes) -> Iterator[Text]:
    type_ = content.partition(";")[0].strip().lower()
    attached = _value(headers, "content-disposition").lower().startswith("attachment")
    if type_ in {"text/plain", "text/html"} and not attached:
        raw = _decoded(body, _value(headers, "content-transfer-encoding").lower())
        charset = _parameter(content, "charset")
        known = charset if _CHARSET.fullmatch(charset) else "utf-8"
        yield Text(type_, raw[:MAX_TEXT_BYTES].decode(known, "replace"), len(raw))


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    if encoding != "base64":
        return body
    clean = _NOT_BASE64.sub(b"", body)
    clean = clean[:-1] if len(clean) % 4 == 1 else clean
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _value(headers: tuple[Header, ...], name: str) -> str:
    value = next((header.value for header in headers if header.key == name), b"")
    return value[:_MAX_VALUE_LENGTH].decode("ascii", "replace")


def _parameter(value: str, name: str) -> str:
    found = re.search(rf';\s*{name}\s*=\s*(?:"([^"]*)"|([^\s;"]+))', value, re.IGNORECASE)
    return (found[1] or found[2] or "") if found else ""
