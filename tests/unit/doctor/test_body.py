"""The body: which links count as unsubscribe links, and which are wrapped by a tracker."""

import pytest

from preference_center.doctor.body import MAX_HTML_BYTES
from preference_center.providers.known import is_click_tracker
from tests.support.letter import HTML, LINK, TEXT, findings, letter, problems


@pytest.mark.parametrize(
    "link",
    [
        '<A class="x" HREF="https://example.org/x">Unsubscribe</A>',
        "<a href='https://example.org/x'><img alt=''><b>Opt out</b></a>",
        "<a href=https://example.org/unsubscribe>here</a>",
        '<a href="https://example.org/preferences?x=1&amp;y=unsub">here</a>',
        '<a href="https://example.org/x">Newsletter abbestellen</a>',
        '<a href="https://example.org/x">Se d&eacute;sabonner</a>',
        '<a href="https://example.org/x">إلغاء الاشتراك</a>',
        f'<a href="{LINK}">No more of this</a>',
        '<a href="https://example.org/x">Unsubscribe',
    ],
)
def test_an_unsubscribe_link_in_the_html_is_found(link: str) -> None:
    assert problems(letter(html=f"<p>News</p>{link}<a href='https://example.org/'>Home</a>")) == {}


@pytest.mark.parametrize(
    "html",
    [
        "Write to us to unsubscribe",
        '<a name="unsubscribe">here</a>',
        '<a href="https://example.org/news">Our news</a> unsubscribe',
        '<a href="">Unsubscribe</a>',
    ],
)
def test_other_html_is_not_an_unsubscribe_link(html: str) -> None:
    assert problems(letter(html=html)) == {"body-link": "warning"}


@pytest.mark.parametrize(
    "text",
    [
        "Unsubscribe: https://example.org/x",
        "To unsubscribe, open\nhttps://example.org/x",
        "https://example.org/unsubscribe",
        f"No more of this: {LINK}",
    ],
)
def test_an_unsubscribe_link_in_the_text_is_found(text: str) -> None:
    assert problems(letter(text=text)) == {}


def test_the_part_without_a_link_is_named() -> None:
    assert "in the text." in findings(letter(text="Hello"))["body-link"].message
    both = findings(letter(text="Hello", html="Hello"))["body-link"].message
    assert both == "There is no unsubscribe link in the text or the HTML."


def test_an_email_with_only_text_passes() -> None:
    assert problems(letter(html=None)) == {}
    assert "html-size" not in findings(letter(html=None))


def test_an_email_without_text_is_judged_by_its_headers() -> None:
    found = problems(letter(text=None, html=None))
    assert found == {"body-link": "warning", "text-part": "warning"}


def test_the_html_is_measured_after_decoding() -> None:
    encoded = letter(html="=61" * 50_000 + HTML.replace("=", "=3D")).replace(
        b"text/html;", b"text/html; x=y\r\nContent-Transfer-Encoding: quoted-printable\r\nX:"
    )
    assert len(encoded) > MAX_HTML_BYTES
    assert findings(encoded)["html-size"].message == "49 KB of the 102 KB that Gmail shows."


@pytest.mark.parametrize(
    ("size", "found"), [(MAX_HTML_BYTES, {}), (MAX_HTML_BYTES + 1, {"html-size": "warning"})]
)
def test_html_is_clipped_after_102_kilobytes(size: int, found: dict[str, str]) -> None:
    html = HTML.strip().ljust(size - len("\r\n"), "x")
    assert problems(letter(html=html)) == found


@pytest.mark.parametrize(
    "url",
    [
        "https://u1.ct.sendgrid.net/ls/click?upn=u001.x",
        "https://company.us6.list-manage.com/track/click?u=1&id=2",
        "https://mandrillapp.com/track/click/1/example.org",
        "https://email.example.net/c/eJwUy1EOgyAM",
        "https://x.r.eu-west-1.awstrack.me/L0/https:%2F%2Fexample.org",
        "https://click.pstmrk.it/3s/example.org%2Fx/abc/def",
        "https://6fbj4.r.bh.d.sendibt3.com/mk/cl/f/x",
        "https://info.example.net/e3t/Ctc/LX+113/cJhC404",
        "https://ctrk.klclick1.com/l/A_35",
        "https://click.example.net/x",
        "https://example.net/go?url=https%3A%2F%2Fexample.org",
    ],
)
def test_click_tracking_is_recognized_by_host_or_path(url: str) -> None:
    assert is_click_tracker(url)
    assert problems(letter(text=f"Unsubscribe: {url}")) == {"click-tracking": "warning"}


@pytest.mark.parametrize(
    "url",
    [
        LINK,
        "https://example.org/unsubscribe",
        "https://clickhouse.example/unsubscribe",
        "https://links",
        "https://[",
    ],
)
def test_an_ordinary_link_is_not_a_click_tracker(url: str) -> None:
    assert not is_click_tracker(url)


def test_a_link_on_the_headers_own_host_is_not_click_tracking() -> None:
    url = "https://click.example.org/u/abc"
    raw = letter(List_Unsubscribe=f"<{url}>", text=TEXT.replace(LINK, url))
    assert "click-tracking" not in problems(raw)
