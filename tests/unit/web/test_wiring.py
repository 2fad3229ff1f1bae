"""Settings of the operator: path, templates and styles; and the size of pages."""

import gzip
import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from werkzeug.test import TestResponse

from preference_center.demo.app import create_demo_app
from preference_center.settings.colours import accent
from preference_center.util import resources
from preference_center.web.assets import style_source
from tests.support import make
from tests.support.page import BRAND
from tests.support.site import THIS, Site, confirm, link, lose_database
from tests.support.web_fixtures import SiteMaker


def test_every_url_is_under_the_path_of_the_public_url(site_with: SiteMaker) -> None:
    site = site_with(public_url="https://mail.example.org/letters/center")
    site.subscribe()
    prefix = "/letters/center"
    minted = make.minter(public_url=site.settings.public_url).mint(
        "ada@example.org", "weekly-news", "c", day=make.NOW.date()
    )
    page = site.page(minted.unsubscribe_url.removeprefix("https://mail.example.org"))
    receipt = site.press(page, THIS)
    assert receipt.location.startswith(f"{prefix}/r/")
    assert site.page(receipt.location).form_of("Undo")[0].startswith(f"{prefix}/r/")
    assert site.get(f"{prefix}/healthz").status_code == 200
    assert site.get(link()).status_code == 404


def test_one_click_works_under_a_path(site_with: SiteMaker) -> None:
    site = site_with(public_url="https://mail.example.org/center")
    assert site.post("/center" + link()).status_code == 200
    assert site.post(link()).status_code == 404
    assert site.unsubscribed() == ["weekly-news"]


def test_the_operators_template_is_used(site_with: SiteMaker, tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "errors"
    folder.mkdir(parents=True)
    (folder / "not_found.html").write_text(
        '{% extends "subscriber/base.html" %}{% block heading %}Lost?{% endblock %}'
    )
    site = site_with(overrides_dir=tmp_path)
    assert site.page("/nothing", 404).heading == "Lost?"
    assert site.page("/u/x", 400).heading == "This link doesn’t work"


def allowed_sheet(answer: TestResponse) -> str:
    """Return the style sheet of a page, which its Content-Security-Policy allows alone."""
    (sheet,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert re.findall("style-src ([^;]+)", policy) == [f"'sha256-{digest}'"]
    return str(sheet)


def test_a_page_contains_its_style_sheet(site: Site) -> None:
    for path in (link(), link("preferences"), "/u/x", "/nothing"):
        sheet = allowed_sheet(site.get(path))
        assert "font: 1.0625rem/1.5" in sheet
        assert not re.search(r"/\*|\n|  |[{};,]\s", sheet)


def test_the_operators_style_sheet_is_used(site_with: SiteMaker, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    written = "/* It's */\r\nbody { color: teal; }\n\np  ::after { content: '; </style>é & \"' }\n"
    (tmp_path / "static" / "style.css").write_bytes(written.encode())
    sheet = allowed_sheet(site_with(overrides_dir=tmp_path).get("/nothing"))
    kept = "body{color: teal;}p ::after{content: '; <\\/style>é & \"'}:root{--accent:"
    assert sheet.startswith(kept)


def test_the_brand_accent_is_in_the_style_sheet(site_with: SiteMaker) -> None:
    sheet = allowed_sheet(site_with(brand_accent=accent("#ffcc00")).get("/nothing"))
    assert ":root{--accent:#8c7000;--button:#ffcc00;--on-button:#000000}" in sheet
    assert "(prefers-color-scheme:dark){:root{--accent:#ffcc00}}" in sheet


def test_every_colour_that_a_sheet_uses_is_defined(site: Site) -> None:
    sheet = allowed_sheet(site.get("/nothing"))
    both = sheet + resources.read("static", "demo.css", None)
    assert set(re.findall(r"var\((--[\w-]+)\)", both)) <= set(re.findall(r"(--[\w-]+):", sheet))


def test_a_page_of_the_demo_allows_the_style_sheet_that_it_contains(
    site: Site, tmp_path: Path
) -> None:
    demo = create_demo_app(site.settings, tmp_path)
    page = demo.test_client().get("/demo/report", base_url="http://localhost")
    demo.extensions["preference_center"].database.close()
    (sheet,) = re.findall("<style>(.*?)</style>", page.text, re.DOTALL)
    assert f"style-src 'self' {style_source(sheet)};" in page.headers["Content-Security-Policy"]


def test_the_brands_name_or_logo_leads_home(site_with: SiteMaker) -> None:
    home, logo = "https://example.org/?a&b", "data:image/svg+xml,%3Csvg/%3E"
    image = f'<img src="{logo}" alt="{BRAND}">'
    shown = {
        (): f"<bdi>{BRAND}</bdi>",
        (("home_url", home),): f'<a href="https://example.org/?a&amp;b"><bdi>{BRAND}</bdi></a>',
        (("brand_logo", logo),): image,
        (("brand_logo", logo), ("home_url", "https://a.example")): (
            f'<a href="https://a.example">{image}</a>'
        ),
    }
    for settings, expected in shown.items():
        header = site_with(**dict(settings), languages=("en",)).page("/nothing", 404).html
        (header,) = re.findall("<header>(.*?)</header>", header, re.DOTALL)
        assert header.strip() == expected


@pytest.mark.parametrize("accepted", ["gzip", "br", "gzip, deflate, br, zstd"])
@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_a_page_is_under_five_kilobytes_and_requests_nothing(
    site_with: SiteMaker, accepted: str, language: str
) -> None:
    site = site_with(  # without a logo, which is not counted
        home_url="https://example.org",
        privacy_url="https://example.org/privacy",
        sign_up_url="https://example.org/join",
        alternative_links=(
            ("Blog", "https://example.org/blog"),
            ("RSS", "https://example.org/rss"),
        ),
    )
    site.subscribe()
    headers = {"Accept-Encoding": accepted}
    receipt = site.press(site.page(link()), THIS).location
    paths = (link(topic="product-news"), receipt, link("preferences"), confirm(), "/u/x")
    for path in (*paths, "/sign-up", "/accessibility"):
        page = site.get(f"{path}?lang={language}", headers=headers)
        html = site.get(f"{path}?lang={language}").text
        assert "Content-Encoding" in page.headers
        assert len(page.data) + len(str(page.headers)) < 5 * 1024
        assert re.findall("<link[^>]*>", html) == ['<link rel="icon" href="data:,">']
        assert not re.search(r"<(?:img|script|iframe|video|font)|@import|url\(", html)


@pytest.mark.parametrize(
    ("coding", "unpack"), [("gzip", gzip.decompress), ("br", brotli.decompress)]
)
def test_an_error_page_is_compressed(
    site_with: SiteMaker, coding: str, unpack: Callable[[bytes], bytes]
) -> None:
    site = site_with()
    headers, too_long = {"Accept-Encoding": coding}, {"scope": "x" * 70_000}

    def answers(**options: Any) -> list[TestResponse]:
        found = [site.get(path, **options) for path in ("/u/x", "/nothing")]
        found.append(site.open("DELETE", "/sign-up", **options))
        found.append(site.post(f"{link()}/leave", data=too_long, **options))
        return [*found, site.get(link(), **options)]

    lose_database(site)
    # Otherwise the server answers 503 to every request until it has checked its keys.
    site.app.extensions["preference_center"].database.keys_are_checked = True
    plain, packed = answers(), answers(headers=headers)
    assert [each.status_code for each in packed] == [400, 404, 405, 413, 503]
    for whole, small in zip(plain, packed, strict=True):
        assert small.status == whole.status
        assert small.headers["Content-Encoding"] == coding
        assert unpack(small.data) == whole.data
        assert len(small.data) == int(small.headers["Content-Length"]) < len(whole.data)
        assert "Accept-Encoding" in small.headers["Vary"]


def test_a_plain_text_answer_is_not_compressed(site: Site) -> None:
    answer = site.post("/u/x", headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.text) == (400, "This link does not work.\n")


def test_a_compressed_page_has_a_vary_header_and_the_same_content(site: Site) -> None:
    packed = site.get(link(), headers={"Accept-Encoding": "gzip"})
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert gzip.decompress(packed.data).decode() == site.get(link()).text
