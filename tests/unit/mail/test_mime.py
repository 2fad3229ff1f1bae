"""Parsing a message: parts, encodings and charsets, valid and invalid."""

import pytest

from preference_center.mail import mime
from tests.support import received


def parts(raw: bytes) -> list[tuple[str, bytes]]:
    return [(part.type, part.body) for part in mime.parse(raw).parts]


def multipart(*inner: str, kind: str = "multipart/mixed; boundary=e") -> bytes:
    body = "".join(f"--e\n{part}" for part in inner)
    return received.email(f"A preamble\n{body}--e--\nAn epilogue\n", Content_Type=kind)


def text(body: bytes, charset: str = "utf-8", encoding: str = "8bit") -> str:
    kind = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
    (part,) = mime.parse(kind.encode() + body).parts
    return part.text()


def test_parts_are_split_at_their_boundaries() -> None:
    raw = multipart("\nfirst\n", "Content-Type: TEXT/HTML; charset=x\n\nsecond\n")
    assert parts(raw) == [("text/plain", b"first"), ("text/html", b"second")]


def test_an_unterminated_part_is_read_to_the_end() -> None:
    assert parts(multipart("\nfirst\n").partition(b"--e--")[0]) == [("text/plain", b"first\n")]


def test_a_boundary_may_be_quoted_and_contain_spaces() -> None:
    raw = multipart("\nx\n", kind='multipart/mixed; BOUNDARY="a b (1)"').replace(
        b"--e", b"--a b (1)"
    )
    assert parts(raw) == [("text/plain", b"x")]


def test_a_multipart_without_boundaries_is_one_part() -> None:
    assert parts(received.email("x\n", Content_Type="multipart/mixed")) == [
        ("multipart/mixed", b"x\n")
    ]


def test_nested_parts_keep_their_order() -> None:
    inner = "Content-Type: multipart/alternative; boundary=i\n\n--i\n\n1\n--i\n\n2\n--i--\n"
    assert [body for _, body in parts(multipart(inner, "\n3\n"))] == [b"1", b"2", b"3"]


def test_an_embedded_message_is_not_split() -> None:
    inner = (
        "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\nx\n"
    )
    assert [kind for kind, _ in parts(multipart(inner))] == ["message/rfc822"]


@pytest.mark.parametrize(
    "encoding", ["7bit", "8bit", "binary", "x-no-such", "", "quoted printable"]
)
def test_an_unknown_encoding_is_ignored(encoding: str) -> None:
    assert text(b"a=3Db", encoding=encoding) == "a=3Db"


@pytest.mark.parametrize(
    "raw", [b"SGFsbG8=", b"SGFs\nbG8", b"S G F s b G 8 =", b"*SGFs*bG8*", b"SGFsbG8AQ"]
)
def test_base64_is_decoded_as_far_as_possible(raw: bytes) -> None:
    assert text(raw, encoding="base64") == "Hallo"


def test_quoted_printable_is_decoded() -> None:
    assert text(b"H=C3=A4=\nl =ZZ", encoding="Quoted-Printable") == "Häl =ZZ"


@pytest.mark.parametrize(
    ("charset", "raw", "read"),
    [
        ("iso-8859-1", b"\xe9t\xe9", "été"),
        ("koi8-r", "почта".encode("koi8-r"), "почта"),
        ("gb2312", "邮件".encode("gb2312"), "邮件"),
        ("us-ascii", b"caf\xe9", "caf\N{REPLACEMENT CHARACTER}"),
        ("x-no-such", "é".encode(), "é"),
        ("punycode", b"caf\xe9", "café"),
        ("unicode_escape", b"\\u0041", "\\u0041"),
        ("", b"caf\xe9", "café"),
    ],
)
def test_text_is_decoded_with_a_usable_charset(charset: str, raw: bytes, read: str) -> None:
    assert text(raw, charset=charset) == read


def test_control_characters_are_removed_from_text() -> None:
    assert text(b"a\0b\x1bc\td\n") == "abc\td\n"
    assert mime.parse(b"Subject: a\0b\n\n").headers.first("subject") == "ab"


def test_folded_headers_are_one_line() -> None:
    headers = mime.parse(b"Subject: a\n b\n\tc\nno header\nTo : d\n\n").headers
    assert headers.first("subject") == "a b c"
    assert headers.first("to") == "d"


def test_the_first_header_is_read_after_a_byte_order_mark() -> None:
    assert mime.parse(b"\xef\xbb\xbfSubject: a\n\n").headers.first("subject") == "a"


def test_a_long_value_is_truncated() -> None:
    headers = mime.parse(b"Subject: " + b"x" * 100_000 + b"\n\n").headers
    assert len(headers.first("subject")) == mime.MAX_VALUE_LENGTH


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Ada <ada@example.net>", ["ada@example.net"]),
        ('"Lovelace, Ada" <ada@example.net>, b@example.net', ["ada@example.net", "b@example.net"]),
        ("rfc822;ada@example.net", ["ada@example.net"]),
        ("<ada@example.net>... User unknown", ["ada@example.net"]),
        ("ada@example.net...User unknown", ["ada@example.net"]),
        ("ada@example.net.", ["ada@example.net"]),
        ("tagung@bücher.example", ["tagung@bücher.example"]),
        ("a@", []),
        ("@b", []),
        ("nobody", []),
        ("a" * 400 + "@example.net", []),
    ],
)
def test_addresses_are_found_as_written(value: str, found: list[str]) -> None:
    assert list(mime.addresses(value)) == found
