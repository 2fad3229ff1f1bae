"""A message as bytes: its headers exactly as they stand, its body untouched.

Nothing is decoded, joined or repaired here: a parser that repairs would hide what a mailbox
provider's parser trips over. Whatever the bytes are, they are a message.
"""

import re
from dataclasses import dataclass

MAX_MESSAGE_BYTES = 25 * 1024 * 1024  # bytes; Gmail takes no larger one from a sender
MAX_HEADER_BYTES = 256 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors save one
_END_OF_HEADERS = re.compile(rb"(?:\A|\n)\r?\n")
_FIELD = re.compile(rb"([\x21-\x7e]+?[ \t]*):")


@dataclass(frozen=True)
class Header:
    """A header field: its name as it is written, and all that follows the colon.

    Lines of `raw` end with CRLF, whatever the file's line ends are.
    """

    name: bytes
    raw: bytes

    @property
    def key(self) -> str:
        return self.name.strip().lower().decode("ascii")

    @property
    def value(self) -> bytes:
        """Return the value on one line."""
        return self.raw.replace(b"\r\n", b"").strip(b" \t")

    @property
    def lines(self) -> list[bytes]:
        """Return the lines that the field takes, its name included."""
        return (self.name + b":" + self.raw).split(b"\r\n")[:-1]


@dataclass(frozen=True)
class Message:
    """A message's headers and body; `cut` and `broken` say what of it could not be read.

    `size` is in bytes, `broken` the number of lines in the header that are no header field.
    """

    headers: tuple[Header, ...]
    body: bytes
    size: int
    cut: bool
    broken: int

    def all(self, name: str) -> list[Header]:
        """Return the header fields of a name, from the top."""
        return [header for header in self.headers if header.key == name.lower()]

    def value(self, name: str) -> bytes:
        """Return the first value of a name on one line, or nothing."""
        return next((header.value for header in self.all(name)), b"")


def parse(raw: bytes) -> Message:
    """Return the message that some bytes are, read up to `MAX_MESSAGE`."""
    size, whole = len(raw), raw[:MAX_MESSAGE_BYTES].removeprefix(_BYTE_ORDER_MARK)
    end = _END_OF_HEADERS.search(whole)
    block = whole[: end.end()] if end else whole
    headers, broken = parse_headers(block[:MAX_HEADER_BYTES])
    cut = size > MAX_MESSAGE_BYTES or len(block) > MAX_HEADER_BYTES
    return Message(headers, whole[end.end() :] if end else b"", size, cut, broken)


def parse_headers(block: bytes) -> tuple[tuple[Header, ...], int]:
    """Return the header fields of a block, and how many of its lines are none."""
    found: list[tuple[bytes, list[bytes]]] = []
    broken, last = 0, None
    for at, line in enumerate(re.split(rb"\r?\n", block)):
        field = _FIELD.match(line)
        if line[:1] in {b" ", b"\t"} and last is not None:
            last.append(line)
        elif field is not None:
            last = [line[field.end() :]]
            found.append((field[1], last))
        elif line and not (at == 0 and line.startswith(b"From ")):  # an mbox begins with that
            broken, last = broken + 1, None
    headers = [Header(name, b"\r\n".join([*lines, b""])) for name, lines in found]
    return tuple(headers), broken
