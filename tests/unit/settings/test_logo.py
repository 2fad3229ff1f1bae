"""The logo is an SVG or PNG file, checked by its content."""

from base64 import b64decode
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from preference_center.settings.logo import MAX_BYTES, logo_of

NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def svg(inside: str = '<path d="M0 0h9v9z"/>', attributes: str = "") -> str:
    return f'<svg {NAMESPACE} {XLINK} viewBox="0 0 9 9" {attributes}>{inside}</svg>'


def read(folder: Path, content: str | bytes) -> str:
    """Return the data: URL of a file with this content; its name says nothing of it."""
    path = folder / "logo"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return logo_of(path)


@pytest.mark.parametrize(
    "content",
    [
        svg(),
        f'<?xml version="1.0" encoding="utf-8"?>\n<!-- drawn by hand -->\n{svg()}\n',
        svg('<path d="M0\n0h9" fill="#1f5fbf" style="stroke:url(#a)"/>\n<text>50 % "Ü"</text>'),
        svg('<use href="#a"/><use xlink:href="#a"/><image href="data:image/png;base64,AA=="/>'),
        svg("<style>@media (prefers-color-scheme: dark) { path { fill: #fff } }</style>"),
    ],
)
def test_an_svg_is_kept_as_it_is(tmp_path: Path, content: str) -> None:
    url = read(tmp_path, content)
    kind, _, data = url.partition(",")
    assert kind == "data:image/svg+xml"
    assert unquote_to_bytes(data).decode() == content
    assert not set(' "<>#\n') & set(url)


def test_a_png_is_kept_as_it_is(tmp_path: Path) -> None:
    kind, _, data = read(tmp_path, PNG).partition(",")
    assert kind == "data:image/png;base64"
    assert b64decode(data) == PNG


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (svg("<script>alert(1)</script>"), "has a <script>"),
        (svg('<g><x:script xmlns:x="urn:x"/></g>'), "has a <script>"),
        (svg(attributes='onload="alert(1)"'), "has the event attribute onload"),
        (svg('<path onClick="alert(1)"/>'), "has the event attribute onclick"),
        (svg('<image href="https://example.net/x.png"/>'), "refers to another file or page"),
        (svg('<image xlink:href="x.png"/>'), "refers to another file or page"),
        (svg('<a href="javascript:alert(1)"/>'), "refers to another file or page"),
        (svg('<path fill="url(https://example.net/x.svg#a)"/>'), "refers to another file in"),
        (svg("<path style=\"fill:URL( 'x.svg#a' )\"/>"), "refers to another file in"),
        (svg("<style>@import 'x.css';</style>"), "refers to another file in"),
        (svg("<style>path { fill: url(//example.net/x) }</style>"), "refers to another file in"),
        (f'<?xml-stylesheet href="x.css"?>{svg()}', "has a processing instruction"),
        (f'<!DOCTYPE svg SYSTEM "svg11.dtd">{svg()}', "has a DOCTYPE"),
        (f'<!DOCTYPE svg [<!ENTITY a "b">]>{svg("&a;")}', "has a DOCTYPE"),
    ],
)
def test_an_svg_with_more_than_a_drawing_is_refused(
    tmp_path: Path, content: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{problem}"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        PNG[:40],
        b"\x89PNG",
        svg()[:-1],
        svg().replace(NAMESPACE, ""),
        f"<html {NAMESPACE}/>",
        '<html xmlns="http://www.w3.org/1999/xhtml"><svg/></html>',
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"^is neither an SVG nor a PNG file"):
        read(tmp_path, content)


def test_a_file_may_have_as_many_bytes_as_the_documentation_says(tmp_path: Path) -> None:
    full = svg("x" * (MAX_BYTES - len(svg(""))))
    assert MAX_BYTES == len(full) == 4096
    assert read(tmp_path, full)
    with pytest.raises(ValueError, match=r"^is larger than 4096 bytes"):
        read(tmp_path, full + "\n")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(ValueError, match=r"^cannot be read"):
            logo_of(path)
