"""The original in a report: as a part, pasted as text, folded, encoded, or missing."""

import pytest

from preference_center.mail.incoming import read
from preference_center.mail.original import Original
from tests.support import received

HEADERS = f"""\
Return-Path: <b-token@in.example.org>
From: Northwind Letters <news@example.org>
To: Ada <ada@example.net>
Message-ID: <2026-47.ada@example.org>
List-Id: "Weekly news" <weekly-news.lists.mail.example.org>
List-Unsubscribe: <{received.LINK}>, <{received.MAILTO}>
"""


def returned(raw: bytes) -> Original:
    original = read(raw).original
    assert original is not None
    return original


def embedded(headers: str, kind: str = "message/rfc822", encoding: str = "7bit") -> bytes:
    part = f"--e\nContent-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n{headers}\n--e--\n"
    return received.email(part, Content_Type="multipart/mixed; boundary=e")


def links_in(value: str) -> tuple[str, ...]:
    """Return the links that are read from a List-Unsubscribe value."""
    return returned(embedded(f"From: a@example.org\nList-Unsubscribe: {value}\n")).list_unsubscribe


@pytest.mark.parametrize(
    "kind",
    ["message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "Message/RFC822; name=x"],
)
def test_the_original_is_found_in_a_separate_part(kind: str) -> None:
    original = returned(embedded(HEADERS, kind))
    assert original.list_unsubscribe == (received.LINK, received.MAILTO)
    assert original.return_path == "b-token@in.example.org"


@pytest.mark.parametrize(
    "marker",
    [
        "------ This is a copy of the message, including all the headers. ------",
        "--- The following message was returned ---",
        "--- Below this line is a copy of the message.",
        "   ----- Original message -----",
        "   ----- Message header follows -----",
        "--------RETURNED MAIL FOLLOWS--------",
        "|------------------------- Message text follows: ------------------------|",
        "--- The header of the original message is following. ---",
        "---------- Forwarded message ----------",
        "Original message follows.",
        "Original message headers:",
        "Message headers follow:",
        "Here is a copy of the first part of the message, including\nall headers.",
        "A copy of the original message below this line:",
        "The first 50 lines of your original message follow:",
        "",
    ],
)
def test_the_original_is_found_below_an_introductory_line(marker: str) -> None:
    text = f"It failed.\n\n{marker}\n\n{HEADERS}\nHello\n"
    original = returned(received.email(text, From="MAILER-DAEMON@example.net"))
    assert original.list_unsubscribe == (received.LINK, received.MAILTO)


@pytest.mark.parametrize(
    "line",
    [
        "The original message was received at Sun, 22 Nov 2026 14:05:02 GMT",
        "   ----- The following addresses had permanent fatal errors -----",
        "   ----- Transcript of session follows -----",
        "------ Failed Recipients ------",
        "I'm afraid I wasn't able to deliver the following message.",
    ],
)
def test_a_line_of_the_report_does_not_introduce_the_original(line: str) -> None:
    raw = received.email(f"{line}\nTo: ada@example.net\n", From="MAILER-DAEMON@example.net")
    assert read(raw).original is None


def test_a_quoted_copy_is_unquoted() -> None:
    quoted = "".join(f">{line}\n" for line in HEADERS.splitlines())
    text = f"Original message as received is as follows:\n=====\n{quoted}"
    original = returned(received.email(text, From="postmaster@example.net"))
    assert original.list_unsubscribe == (received.LINK, received.MAILTO)


def test_an_ordinary_email_has_no_original() -> None:
    assert read(received.email("To: somebody, with love")).original is None


@pytest.mark.parametrize(
    "value",
    [
        f"<{received.LINK}>",
        f"\n <{received.LINK}>",
        "<https://mail.example.org\n /u/1.token>",
        "<https://mail.example.org/u/\n\t1.token>",
        f" < {received.LINK} > ",
        received.LINK,
        "=?utf-8?q?=3Chttps=3A=2F=2Fmail=2Eexample=2Eorg=2Fu=2F1=2Etoken=3E?=",
        "=?us-ascii?Q?<https=3A//mail.example.org?=\n =?us-ascii?Q?/u/1.token>?=",
        "=?utf-8?B?PGh0dHBzOi8vbWFpbC5leGFtcGxlLm9yZy91LzEudG9rZW4+?=",
        f"=?x-no-such?q?<{received.LINK}>?=",
    ],
)
def test_a_link_is_restored_however_a_gateway_rewrote_it(value: str) -> None:
    assert links_in(value) == (received.LINK,)


@pytest.mark.parametrize(
    "value", ["<ftp://example.org/x>", "<>", "NO", "=?utf-8?b?A?=", "javascript:1"]
)
def test_other_values_are_not_links(value: str) -> None:
    assert links_in(value) == ()


def test_only_the_first_of_many_links_are_read() -> None:
    assert len(links_in(", ".join(f"<{received.LINK}{n}>" for n in range(100)))) == 10


def test_a_blank_line_before_the_headers_is_skipped() -> None:
    found = returned(embedded(f"\n\n{HEADERS}"))
    assert found.list_unsubscribe == (received.LINK, received.MAILTO)


def test_an_empty_part_is_skipped() -> None:
    parts = f"--e\nContent-Type: message/rfc822\n\n\n--e\nContent-Type: message/rfc822\n\n{HEADERS}"
    raw = received.email(parts, Content_Type="multipart/mixed; boundary=e")
    assert returned(raw).list_unsubscribe == (received.LINK, received.MAILTO)
