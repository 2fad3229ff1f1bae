"""The signed link in a path, without what email programs and people stick to it.

A full stop that ends a sentence, a bracket, a space, `&utm_source=…` of a click tracker: none of
them can be part of a link, so all that begins with the first such character is ignored. Only
paths are read so leniently: `links.read_link` stays exact.
"""

from flask import Flask
from werkzeug.routing import BaseConverter

# After the characters of a link: slashes, or anything that is not one and not a page below.
_STUCK = r"(?:/+(?:[^A-Za-z0-9_/-][\s\S]*)?|[^A-Za-z0-9._/-][\s\S]*)?"


class SignedLinkConverter(BaseConverter):
    """A link, up to the first character outside `A-Za-z0-9._-` and less the dots at its end."""

    regex = r"[A-Za-z0-9._-]*" + _STUCK
    part_isolating = False

    def to_python(self, value: str) -> str:
        """Return the link, which may still be forged."""
        end = next((n for n, char in enumerate(value) if not _is_of_a_link(char)), len(value))
        return value[:end].rstrip(".")


class StuckConverter(BaseConverter):
    """What sticks to the name of a page below a link, as in `/r/<link>/undo.`; it is ignored."""

    regex = r"\.*" + _STUCK
    part_isolating = False


def register(app: Flask) -> None:
    """Let the routes of `app` say `<signed:link>` and `<stuck:stuck>`."""
    app.url_map.converters.update(signed=SignedLinkConverter, stuck=StuckConverter)


def _is_of_a_link(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in "._-")
