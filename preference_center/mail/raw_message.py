"""A message as bytes: its header fields exactly as received, its body unchanged.

Nothing is decoded, unfolded or repaired, as DKIM and the doctor require. Any bytes are accepted.
"""

import re
from dataclasses import dataclass

MAX_MESSAGE_BYTES = 25 * 1024 * 1024  # Gmail accepts no larger message
MAX_HEADER_BYTES = 256 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors write one
_END_OF_HEADERS = re.compile(rb"(?:\A|\n)\r?\n")
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+[ \t]*):")


@dataclass(frozen=True)
class RawField:
    """A header field: its name as written, and everything after the colon.

    Lines of `raw` end with CRLF, whatever line ends the file has.
    """

    name: bytes
    raw: bytes

    @property
    def key(self) -> str:
        """Return the name in lower case."""
        return self.name.strip().lower().decode("ascii")

    @property
    def value(self) -> bytes:
        """Return the unfolded value."""
        return self.raw.replace(b"\r\n", b"").strip(b" \t")

    @property
    def lines(self) -> list[bytes]:
        """Return the lines of the field, including its name."""
        return (self.name + b":" + self.raw).split(b"\r\n")[:-1]


@dataclass(frozen=True)
class RawMessage:
    """The header fields and the body of a message.

    `raw` is the message up to `MAX_MESSAGE_BYTES`, `size` its full size in bytes. `cut` is True if
    the message or its header is over the limit. `broken` is the number of header lines that belong
    to no field.
    """

    raw: bytes
    headers: tuple[RawField, ...]
    body: bytes
    size: int
    cut: bool
    broken: int

    def all(self, name: str) -> list[RawField]:
        """Return the header fields with this name, from the top."""
        return [header for header in self.headers if header.key == name.lower()]


def parse(raw: bytes) -> RawMessage:
    """Split a message into header fields and body."""
    whole = raw[:MAX_MESSAGE_BYTES].removeprefix(_BYTE_ORDER_MARK)
    end = _END_OF_HEADERS.search(whole)
    block = whole[: end.end()] if end else whole
    found = split_fields(block[:MAX_HEADER_BYTES])
    if found and not found[0][0] and found[0][1][0].startswith(b"From "):
        del found[0][1][0]  # the separator line of an mbox file
    headers = tuple(RawField(name, b"\r\n".join([*lines, b""])) for name, lines in found if name)
    return RawMessage(
        raw=whole,
        headers=headers,
        body=whole[end.end() :] if end else b"",
        size=len(raw),
        cut=len(raw) > MAX_MESSAGE_BYTES or len(block) > MAX_HEADER_BYTES,
        broken=sum(len(lines) for name, lines in found if not name),
    )


def split_fields(block: bytes) -> list[tuple[bytes, list[bytes]]]:
    """Return the name and the lines of each header field; the first line begins after the colon.

    A line that belongs to no field has an empty name. Folded lines after it are kept with it.
    """
    found: list[tuple[bytes, list[bytes]]] = []
    for line in re.split(rb"\r?\n", block):
        field = _FIELD.match(line)
        if line[:1] in {b" ", b"\t"} and found:
            found[-1][1].append(line)
        elif field is not None:
            found.append((field[1], [line[field.end() :]]))
        elif line:
            found.append((b"", [line]))
    return found
