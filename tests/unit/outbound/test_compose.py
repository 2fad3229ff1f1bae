"""The change notice: its headers, its text and HTML, and hostile names in them."""

import re
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import html5lib
import pytest

from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.receipts import ChangeKind, ShownChange, ShownReceipt
from preference_center.core.vocab import Frequency, ReceiptState
from preference_center.i18n import Languages
from preference_center.links.addresses import is_mailable
from preference_center.outbound.compose import EmailContent, Headers, compose
from preference_center.settings.colours import accent
from tests.support import make

UNDO = "https://mail.example.org/r/1.signed-receipt/undo"
PREFERENCES = "https://mail.example.org/p/1.signed-link"
OPERATOR: dict[str, Any] = {
    "home_url": "https://example.org/",
    "sign_up_url": "https://example.org/join",
    "alternative_links": (("Blog", "https://example.org/blog"),),
    "goodbye_notes": {"": "Ada"},
    "account_messages": True,
}
HOSTILE = (
    "Tom & \"Jerry\" <script>alert(1)</script> 'n' co",
    "News\r\nBcc: eve@example.net",
    "=?utf-8?q?News=0D=0ABcc:_eve@example.net?=",
    'Eve" <eve@example.net>, "Ada',
    "</title></style><img src=https://example.net/pixel>",
    "{{ 7 * 7 }} %(address)s {% raw %}",
    "🎉" * 100,
    "x" * 100,
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{HEBREW LETTER ALEF}",
)


def topic(slug: str, name: str, *, received: bool, since: int | None = None) -> TopicPreference:
    reader_since = make.NOW - timedelta(days=365 * since) if since is not None else None
    unsubscribed_at = None if received else make.NOW
    return TopicPreference(
        slug=slug,
        name=name,
        description="",
        archived=False,
        offered=True,
        internal=False,
        received=received,
        frequency=Frequency.EVERY,
        paused_until=None,
        caps=(Frequency.WEEKLY, Frequency.MONTHLY),
        stopped_at=unsubscribed_at,
        reader_since=reader_since,
    )


def notice(**changes: Any) -> EmailMessage:
    """Return the notice of an unsubscribe, parsed from its bytes."""
    return message_from_bytes(notice_bytes(**changes), policy=default)


def notice_bytes(
    *,
    name: str = "Weekly news",
    locale: str = "en",
    others: int = 1,
    to: str = "ada@example.org",
    **changes: Any,
) -> bytes:
    """Return the bytes of the notice of an unsubscribe."""
    settings = make.settings(languages=("en", "ar-XB"), **{**OPERATOR, **changes})
    left = topic("left", name, received=False, since=3)
    known = {f"kept-{n}": topic(f"kept-{n}", name, received=True) for n in range(others)}
    current = SubscriberPreferences(
        email="ada@example.org",
        all_stopped_at=None,
        reachable=True,
        bounced_at=None,
        complained=False,
        locale=None,
        topics={"left": left, **known},
    )
    receipt = ShownReceipt(
        [ShownChange(ChangeKind.LEFT, left, make.NOW)],
        ReceiptState.ACTIVE,
        make.NOW + timedelta(days=30),
        notice_pending=False,
        preferences=current,
    )
    languages = Languages.of(settings)
    values = {
        "receipt": receipt,
        "current": current,
        "receipt_url": UNDO.removesuffix("/undo"),
        "undo_url": UNDO,
        "preferences_url": PREFERENCES,
    }
    content = EmailContent(to, locale, "mail/change_notice", values)
    headers = Headers(settings.brand_name, "letters@example.org", settings.reply_to, "a1", make.NOW)
    return compose(languages, content, headers).as_bytes()


def named(name: str) -> dict[str, Any]:
    """Return settings with a name in each of the operator's own texts."""
    return {
        "brand_name": name,
        "postal_address": name,
        "goodbye_notes": {"": name},
        "alternative_links": ((name, "https://example.org/blog"),),
    }


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def tree(message: EmailMessage) -> Any:
    return html5lib.parse(body(message, "html"), namespaceHTMLElements=False)


def test_a_notice_is_marked_as_automatic() -> None:
    message = notice()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Message-ID"] == "<a1@example.org>"


@pytest.mark.parametrize("local", ["jörg", "a..b", ".a", "a.", "o'brien", "a/b=c{d}", "一"])
def test_every_address_that_can_be_typed_gets_its_email(local: str) -> None:
    assert is_mailable(f"{local}@example.org")
    assert notice(to=f"{local}@example.org")["To"].addresses[0].username == local


def test_the_headers_name_the_sender_recipient_subject_and_date() -> None:
    message = notice()
    assert message["From"] == "Northwind Letters <letters@example.org>"
    assert message["Reply-To"] == "help@example.org"
    assert message["To"] == "ada@example.org"
    assert message["Subject"] == "You’re unsubscribed from Weekly news"
    assert message["Date"] == "Sun, 22 Nov 2026 14:05:00 +0000"


def test_the_text_precedes_the_html_and_has_the_same_links() -> None:
    message = notice()
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    in_html = [link.get("href") for link in tree(message).iter("a")]
    in_text = re.findall(r"https?://\S+", body(message, "plain"))
    links = [PREFERENCES, UNDO, OPERATOR["sign_up_url"], "https://example.org/blog"]
    assert in_text == [*links, OPERATOR["home_url"]]
    assert in_html == [OPERATOR["home_url"], *links, "mailto:help@example.org"]


def test_styles_are_inlined_and_nothing_is_fetched() -> None:
    document = tree(notice())
    assert "font-size" in document.find(".//h1").get("style")
    fetching = {"link", "img", "script", "iframe", "object", "video"}
    assert not fetching & {element.tag for element in document.iter()}
    assert not re.search(r"url\(|@import", body(notice(), "html"))


def test_dark_colours_are_in_a_style_element() -> None:
    style = tree(notice()).find(".//style").text
    assert "prefers-color-scheme: dark" in style


def test_a_link_has_the_readable_shade_of_the_brands_colour() -> None:
    document = tree(notice(brand_accent=accent("#ffcc00")))
    assert {link.get("style") for link in document.iterfind(".//li/a")} == {"color:#8c7000"}
    assert re.search(r"a \{\s*color: #ffcc00 !important", document.find(".//style").text)


def test_every_table_is_only_for_layout() -> None:
    tables = list(tree(notice()).iter("table"))
    assert tables
    assert {table.get("role") for table in tables} == {"presentation"}


@pytest.mark.parametrize(("locale", "direction"), [("en", "ltr"), ("ar-XB", "rtl")])
def test_an_email_declares_its_language_and_direction(locale: str, direction: str) -> None:
    message = notice(locale=locale)
    document = tree(message)
    assert (document.get("lang"), document.get("dir")) == (locale, direction)
    assert message["Content-Language"] == locale


def test_every_text_can_be_translated() -> None:
    words = body(notice(locale="ar-XB"), "plain")
    mirrored = re.sub("\N{RIGHT-TO-LEFT OVERRIDE}[^\N{POP DIRECTIONAL FORMATTING}]*", "", words)
    ours = (
        "Weekly",
        "news",
        "Northwind",
        "Letters",
        "Example",
        "Street",
        "Exampletown",
        "Blog",
        "Ada",
    )
    left_over = re.sub(r"https?://\S+|(ada|help)@example\.org", "", mirrored)
    assert set(re.findall(r"[A-Za-z]{3,}", left_over)) <= set(ours)


def test_an_email_with_many_long_names_stays_small() -> None:
    assert len(notice_bytes(name="🎉" * 100, others=25)) < 90_000


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_adds_no_header(name: str) -> None:
    plain = notice()
    hostile = notice(name=name, **named(name))
    assert hostile.keys() == plain.keys()
    assert [each.addr_spec for each in hostile["From"].addresses] == ["letters@example.org"]
    assert hostile["To"] == plain["To"]
    assert not hostile.defects


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_escaped_in_the_html(name: str) -> None:
    document, plain = tree(notice(name=name, **named(name))), tree(notice())
    assert [each.tag for each in document.iter()] == [each.tag for each in plain.iter()]
    heading = "".join(document.find(".//h1").itertext())
    assert heading.split() == f"You’re unsubscribed from {name}".split()


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_is_unchanged_in_the_subject_and_the_text(name: str) -> None:
    message = notice(name=name, **named(name))
    on_one_line = " ".join(name.split())
    assert on_one_line in " ".join(body(message, "plain").split())
    shown = on_one_line.replace("=?", "= ?")  # an encoded word must not be decoded
    assert str(message["Subject"]) == f"You’re unsubscribed from {shown}"
    # Python reads a space between two encoded words where RFC 2047 §6.2 has none.
    written = message["From"].addresses[0].display_name
    assert written.replace(" ", "") == shown.replace(" ", "")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_the_bytes_obey_the_limits_of_email(name: str) -> None:
    raw = notice_bytes(name=name, **named(name))
    headers, _, _ = raw.partition(b"\r\n\r\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert all(len(word) <= 75 for word in re.findall(rb"=\?\S*?\?=", headers))  # RFC 2047 §2
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0
    assert raw.isascii()
