"""The text parts of a message, which are searched for links."""

from collections.abc import Iterator
from dataclasses import dataclass

from preference_center.mail import mime
from preference_center.mail.raw_message import MAX_MESSAGE_BYTES

MAX_TEXT_LENGTH = 2 * 1024 * 1024  # characters of one part that are searched


@dataclass(frozen=True)
class Text:
    """A `text/plain` or `text/html` part: its type, its text, and its decoded size in bytes."""

    type: str
    text: str
    size: int


@dataclass(frozen=True)
class Texts:
    """The text parts of a message without attachments. `trouble` says what was not read, or ""."""

    parts: tuple[Text, ...]
    trouble: str

    def of(self, type_: str) -> list[Text]:
        """Return the parts of a type."""
        return [part for part in self.parts if part.type == type_]


def read(raw: bytes) -> Texts:
    """Return the text parts of a message."""
    message = mime.parse(raw, MAX_MESSAGE_BYTES)
    return Texts(tuple(_texts(message)), _trouble(message))


def _texts(message: mime.Message) -> Iterator[Text]:
    for part in message.of("text/plain", "text/html"):
        disposition = part.headers.first("content-disposition").lower()
        if not disposition.startswith("attachment"):
            yield Text(part.type, part.text(MAX_TEXT_LENGTH), _size(part))


def _size(part: mime.Part) -> int:
    """Return the decoded size. Lines of text end with CRLF in transit, except within base64."""
    content = part.decoded()
    return len(content) + (0 if part.encoding == "base64" else content.count(b"\n"))


def _trouble(message: mime.Message) -> str:
    if message.trouble:
        return f"Some parts were not read: {message.trouble}."
    leaves = (part for part in message.parts if part.type.startswith("multipart/"))
    if any(not part.parameter("boundary") for part in leaves):
        return "A multipart has no boundary."
    return "" if message.closed else "A multipart is not closed: the message was cut off."
