"""Read the signed link in a path, ignoring characters that were appended to it.

Email programs and people append full stops, brackets, spaces or click-tracking parameters like
`&utm_source=…`. None of these characters can be part of a link, so the link ends before the first
one. Only paths are read this leniently; `links.read_link` is exact.
"""

from flask import Flask
from werkzeug.routing import BaseConverter

# What may follow a link: slashes, or any text that is not the name of a page below it.
_APPENDED = r"(?:/+(?:[^A-Za-z0-9_/-][\s\S]*)?|[^A-Za-z0-9._/-][\s\S]*)?"


class SignedLinkConverter(BaseConverter):
    """A link: the text before the first character outside `A-Za-z0-9._-`, without final dots."""

    regex = r"[A-Za-z0-9._-]*" + _APPENDED
    part_isolating = False

    def to_python(self, value: str) -> str:
        """Return the link. Its signature is not checked here."""
        return self.cut(value)

    @staticmethod
    def cut(value: str) -> str:
        """Return the link that a part of a path begins with."""
        end = next((n for n, char in enumerate(value) if not _is_of_a_link(char)), len(value))
        return value[:end].rstrip(".")


class AppendedConverter(BaseConverter):
    """Text appended to the name of a page below a link, as in `/r/<link>/undo.`; it is ignored."""

    regex = r"\.*" + _APPENDED
    part_isolating = False


def register(app: Flask) -> None:
    """Register the URL converters `<signed:link>` and `<appended:rest>`."""
    app.url_map.converters.update(signed=SignedLinkConverter, appended=AppendedConverter)


def _is_of_a_link(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in "._-")
