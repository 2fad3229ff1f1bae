"""The brand: a colour and a logo are drafted, previewed, published, and put back."""

import re
from io import BytesIO
from pathlib import Path

import pytest

from preference_center.core.staff_vocab import AuditAction
from preference_center.settings.logo import logo_of
from tests.support import make
from tests.support.console import SECRET_KEY, Console
from tests.support.site import ORIGIN, Site, link
from tests.support.web_fixtures import SiteMaker
from tests.unit.settings.test_logo import PNG, svg
from tests.unit.web.console.test_wording import Clock
from tests.unit.web.test_wiring import allowed_sheet

BRAND = "/console/brand"
COLOUR = "--button:#ffcc00;"
LANGUAGES = ("en", "de")


@pytest.fixture
def marketer(site_with: SiteMaker) -> Console:
    """Return the console of a marketer, on a site with a logo."""
    logo = "data:image/svg+xml,%3Csvg/%3E"
    return Console(
        site_with(secret_key=SECRET_KEY, languages=LANGUAGES, brand_logo=logo), "marketer"
    )


def is_yellow(site: Site) -> bool:
    """Return True if a page has the colour, in a style sheet that its policy allows."""
    return COLOUR in allowed_sheet(site.get(link()))


def header(site: Site) -> str:
    return site.get(link()).text.partition("<header>")[2].partition("</header>")[0]


def publish(console: Console, name: str) -> None:
    text = console.get(BRAND).text.partition(f'id="{name}"')[2]
    found = re.search(r'name="draft" value="([^"]+)"', text)
    assert found is not None
    sent = console.post(f"{BRAND}/{name}/publish", draft=found[1])
    assert (sent.status_code, sent.location) == (303, f"{BRAND}?lang=en&said=published#{name}")


def upload(console: Console, data: bytes) -> int:
    file = (BytesIO(data), "logo")
    return console.post(f"{BRAND}/logo/draft", logo=file).status_code


@pytest.mark.every_engine
def test_a_colour_is_previewed_published_and_put_back(marketer: Console) -> None:
    site, preview = marketer.site, "/console/wording/preview/en"
    assert marketer.post(f"{BRAND}/accent/draft", colour=" FFCC00").status_code == 303
    assert COLOUR in marketer.get(f"{preview}/goodbye").text
    assert "#8c7000" in marketer.get(f"{preview}/change_notice").text
    assert not is_yellow(site)
    publish(marketer, "accent")
    assert is_yellow(site)
    marketer.post(f"{BRAND}/accent/restore")
    assert not is_yellow(site)
    marketer.post(f"{BRAND}/accent/restore", publication="1")
    assert is_yellow(site)
    drafted, published = AuditAction.BRAND_DRAFTED, AuditAction.BRAND_PUBLISHED
    assert [each for each, _ in marketer.actions()[1:]] == [drafted, *3 * [published]]


def test_the_contrast_is_shown_in_light_and_dark(marketer: Console) -> None:
    marketer.post(f"{BRAND}/accent/draft", colour="#ffcc00")
    text = marketer.page(BRAND).text
    for use in ("#8c7000 on #fdfcfa", "#ffcc00 on #181715", "#000000 on #ffcc00"):
        assert use in text
    assert "4.5 : 1" in text
    assert "13.8 : 1" in text


def test_the_language_of_the_preview_is_chosen_on_the_page(marketer: Console) -> None:
    languages = marketer.get(BRAND).text.partition('aria-label="Language">')[2]
    (to_german,) = re.findall('href="([^"#]+)#preview" lang="de"', languages.partition("</nav>")[0])
    page = marketer.get(to_german.replace("&amp;", "&")).text
    assert 'src="/console/wording/preview/de/' in page


def test_the_consoles_style_sheet_has_a_new_address_with_a_new_colour(marketer: Console) -> None:
    def sheet() -> str:
        (address,) = re.findall('rel="stylesheet" href="([^"]+)"', marketer.get(BRAND).text)
        return str(address)

    before = sheet()
    assert "immutable" in marketer.get(before).headers["Cache-Control"]
    marketer.post(f"{BRAND}/accent/draft", colour="#ffcc00")
    publish(marketer, "accent")
    assert sheet() != before
    found = marketer.get(sheet())
    assert COLOUR in found.text
    assert "immutable" in found.headers["Cache-Control"]
    assert marketer.get(before).headers["Cache-Control"] == "no-store"  # Another process asks.


def test_a_logo_is_uploaded_shown_left_out_and_put_back(marketer: Console, tmp_path: Path) -> None:
    site, standard = marketer.site, header(marketer.site)
    (tmp_path / "logo").write_bytes(PNG)
    image = f'<img src="{logo_of(tmp_path / "logo")}"'
    assert upload(marketer, PNG) == 303
    assert image in marketer.get("/console/wording/preview/de/goodbye").text
    assert header(site) == standard
    publish(marketer, "logo")
    assert image in header(site)
    marketer.post(f"{BRAND}/logo/draft", none="1")
    publish(marketer, "logo")
    assert "<img" not in header(site)
    marketer.post(f"{BRAND}/logo/restore")
    assert header(site) == standard
    marketer.post(f"{BRAND}/logo/restore", publication="1")
    assert image in header(site)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (svg("<script>alert(1)</script>"), "The file has a &lt;script&gt;."),
        (svg(attributes='onload="alert(1)"'), "The file has the event attribute onload."),
        (svg() + " " * 4096, "The file is larger than 4096 bytes."),
        ("<html>", "The file is neither an SVG nor a PNG file."),
    ],
)
def test_a_file_that_is_no_logo_is_refused_beside_its_field(
    marketer: Console, data: str, problem: str
) -> None:
    before = marketer.site.rows()
    file = (BytesIO(data.encode()), "logo.svg")
    refused = marketer.post(f"{BRAND}/logo/draft", logo=file)
    assert (refused.status_code, problem in refused.text) == (422, True)
    assert "alert(1)" not in refused.text
    assert marketer.site.rows() == before


@pytest.mark.parametrize("colour", ["", "yellow", "#12345", "#1234567", "<b>"])
def test_what_is_no_colour_is_refused_beside_its_field(marketer: Console, colour: str) -> None:
    refused = marketer.post(f"{BRAND}/accent/draft", colour=colour)
    assert (refused.status_code, "This is not a colour" in refused.text) == (422, True)
    assert marketer.actions()[1:] == []


def test_without_a_file_nothing_is_drafted(marketer: Console) -> None:
    field = '--x\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
    token = field.format("csrf_token", "", marketer.token())
    for file in ("", field.format("logo", '; filename=""', "")):  # A browser sends the second.
        refused = marketer.client.post(
            f"{BRAND}/logo/draft",
            base_url=ORIGIN,
            data=f"{token}{file}--x--\r\n",
            content_type="multipart/form-data; boundary=x",
        )
        assert (refused.status_code, "choose one" in refused.text) == (422, True)
    assert marketer.actions()[1:] == []


@pytest.mark.every_engine
def test_another_process_and_its_emails_have_it_within_ten_seconds(
    marketer: Console, site_with: SiteMaker
) -> None:
    other, clock = site_with(languages=LANGUAGES), Clock()
    languages = other.services.languages
    languages._seconds = clock
    assert not is_yellow(other)
    marketer.post(f"{BRAND}/accent/draft", colour="#ffcc00")
    publish(marketer, "accent")
    clock.seconds += 5
    assert is_yellow(other)
    email = languages.render("en", "mail/link.html", preferences_url="#", address=make.NOW)
    assert "a { color: #8c7000 }" in email


def test_a_discarded_draft_is_gone_and_an_older_one_is_not_published(marketer: Console) -> None:
    for colour in ("#ffcc00", "#00ccff"):
        marketer.post(f"{BRAND}/accent/draft", colour=colour)
    marketer.post(f"{BRAND}/accent/discard")
    assert 'name="draft"' not in marketer.get(BRAND).text
    draft = "00000000-0000-0000-0000-000000000000"
    assert marketer.post(f"{BRAND}/accent/publish", draft=draft).status_code == 422
    assert not is_yellow(marketer.site)


def test_there_is_no_other_part_of_the_brand_and_no_other_edit(marketer: Console) -> None:
    for what in ("draft", "publish", "restore", "discard"):
        assert marketer.post(f"{BRAND}/name/{what}").status_code == 404
    assert marketer.post(f"{BRAND}/accent/erase").status_code == 404
