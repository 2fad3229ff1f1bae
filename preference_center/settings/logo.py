"""The brand's logo: an SVG or PNG file as a data: URL, which pages show in an `<img>`.

In an `<img>`, a browser runs no script and loads no other file. An SVG that has either is refused
nevertheless: it would not look as it was drawn.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote
from xml.parsers import expat

MAX_BYTES = 4096
_PNG = re.compile(rb"\x89PNG\r\n\x1a\n....IHDR.*IEND", re.DOTALL)
_ROOT = "http://www.w3.org/2000/svg svg"
_UNKNOWN = "is neither an SVG nor a PNG file"
_WITHIN = re.compile(r"\s*(#|data:image/)")  # A reference to a part of the file itself.
_ELSEWHERE = re.compile(r"""@import|url\((?!\s*["']?(#|data:image/))""", re.IGNORECASE)


def logo_of(path: Path) -> str:
    """Return the data: URL of a file, or raise ValueError as `logo_url` does."""
    try:
        with path.open("rb") as file:
            return logo_url(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error


def logo_url(data: bytes) -> str:
    """Return the data: URL of a file with this content.

    Raises ValueError, whose message goes on after "the file" and says what it is or has.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES} bytes")
    if _PNG.match(data):
        return f"data:image/png;base64,{b64encode(data).decode()}"
    _check_svg(data)
    return f"data:image/svg+xml,{quote(data, safe='/:=,;()')}"  # Compresses better than base64.


def _check_svg(data: bytes) -> None:
    svg = _Svg()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = svg.doctype
    parser.ProcessingInstructionHandler = svg.instruction
    parser.StartElementHandler = svg.element
    parser.CharacterDataHandler = svg.text
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(_UNKNOWN) from error


class _Svg:
    """The parts of an SVG file, as the parser finds them. Each method may raise ValueError."""

    def __init__(self) -> None:
        self._root = ""

    def doctype(self, *_: object) -> None:
        raise ValueError("has a DOCTYPE, which refers to another file; delete it")

    def instruction(self, target: str, _: str) -> None:
        raise ValueError(f"has a processing instruction, <?{target}?>")

    def element(self, name: str, attributes: Mapping[str, str]) -> None:
        self._root = self._root or name
        if self._root != _ROOT:
            raise ValueError(_UNKNOWN)
        if _local(name) == "script":
            raise ValueError("has a <script>")
        for key, value in attributes.items():
            attribute = _local(key)
            if attribute.startswith("on"):
                raise ValueError(f"has the event attribute {attribute}")
            if attribute in {"href", "src"} and not _WITHIN.match(value):
                raise ValueError(f"refers to another file or page in {attribute}")
            self.text(value)

    def text(self, text: str) -> None:
        if _ELSEWHERE.search(text):
            raise ValueError("refers to another file in a style")


def _local(name: str) -> str:
    """Return a name without its namespace, in lower case."""
    return name.rpartition(" ")[2].lower()
