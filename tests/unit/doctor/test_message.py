"""Bytes become headers and parts unchanged, and any bytes produce a report."""

import time
from collections.abc import Callable

import dkim
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from preference_center.doctor import texts
from preference_center.doctor.report import Report, printable
from preference_center.mail.mime import MAX_DEPTH, MAX_PARTS
from preference_center.mail.raw_message import MAX_MESSAGE_BYTES, parse
from tests.support.letter import HTML, TEXT, findings, letter, message_report, problems

names = st.sampled_from(["List-Unsubscribe", "DKIM-Signature", "From", "List-Id", "X-a.b"])
values = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=40)
folds = st.sampled_from(["\r\n ", "\r\n\t", "\n "])
headers = st.lists(st.tuples(names, st.lists(values, min_size=1, max_size=3), folds))
bodies = st.text(st.characters(codec="latin-1"), max_size=60)


@given(headers, bodies, st.sampled_from(["\r\n", "\n"]))
def test_headers_and_body_are_what_dkim_signs(
    fields: list[tuple[str, list[str], str]], body: str, end: str
) -> None:
    text = "".join(f"{name}: {fold.join(lines)}{end}" for name, lines, fold in fields)
    raw = f"{text}{end}{body}".encode("latin-1")
    expected, expected_body = dkim.rfc822_parse(raw)
    found = parse(raw)
    assert [[header.name, header.raw] for header in found.headers] == expected
    assert found.body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") == expected_body
    assert found.broken == 0


GOOD = letter()
pieces = st.sampled_from(
    [
        *GOOD.splitlines(keepends=True),
        b"\r\n",
        b"\n",
        b"\x00",
        b"\xff",
        b"--b1",
        b"=?x?q?",
        b" " * 80,
    ]
)


@settings(deadline=None, max_examples=300)
@given(
    st.binary(max_size=300)
    | st.lists(pieces, max_size=30).map(b"".join)
    | st.builds(
        lambda at, put: GOOD[:at] + put + GOOD[at + len(put) :],
        st.integers(0, len(GOOD)),
        st.binary(max_size=8),
    )
    | st.integers(0, len(GOOD)).map(lambda at: GOOD[:at])
)
@example(b"")
@example(b"DKIM-Signature:\nDKIM-Signature: h=;d=;s=;b=;bh=;a=rsa-sha256;v=1\nFrom: @\n\n")
@example(b"List-Unsubscribe: <https://[::1>\nList-Unsubscribe: <https://[x]/>, <mailto:>\n\n")
def test_any_bytes_produce_a_report(raw: bytes) -> None:
    report = message_report(raw).report
    assert report.findings
    for finding in report.findings:
        assert (finding.message + finding.fix).isprintable(), finding


@pytest.mark.parametrize("charset", ["nonsense", "", "idna", "unicode_escape", "rot13", "\xff"])
def test_an_unknown_charset_is_read_as_utf_8(charset: str) -> None:
    raw = letter(signed=None).replace(b"charset=utf-8", f"charset={charset}".encode("latin-1"))
    assert problems(raw) == {"dkim": "failure"}


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("quoted-printable", HTML.replace("=", "=3D").replace("unsub", "un=\r\nsub")),
        ("BASE64", "PGEgaHJlZj0iaHR0cHM6Ly9leGFtcGxlLm9yZy91Ij5VbnN1YnNjcmliZTwvYT4"),
        ("base64", "PGEgaHJlZj0iaHR0cHM6Ly9leGFtcGxlLm9yZy91Ij5VbnN1YnNjcmliZTwvYT4!=="),
        ("8bit", HTML),
        ("nonsense", HTML),
    ],
)
def test_a_part_is_decoded_by_its_declared_encoding(encoding: str, encoded: str) -> None:
    raw = letter(signed=None, html="HERE")
    raw = raw.replace(
        b"text/html;", f"text/html\r\nContent-Transfer-Encoding: {encoding}\r\nX:".encode()
    )
    assert problems(raw.replace(b"HERE", encoded.encode())) == {"dkim": "failure"}


def test_attachments_and_forwarded_messages_are_not_searched() -> None:
    raw = letter(signed=None, text="Hello", html=None).replace(b"--b1--\r\n", b"")
    for header in ("message/rfc822", "text/plain\r\nContent-Disposition: attachment"):
        raw += f"--b1\r\nContent-Type: {header}\r\n\r\n{TEXT}\r\n".encode()
    assert problems(raw + b"--b1--")["body-link"] == "warning"


def nested(levels: int) -> bytes:
    opened = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
        for n in range(levels)
    )
    return opened + b"Content-Type: text/plain\r\n\r\nHello\r\n"


def many(parts: int) -> bytes:
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * parts + b"--b--\r\n"


def test_parts_within_the_limits_are_read_and_others_reported() -> None:
    assert texts.read(nested(MAX_DEPTH - 1)).parts
    assert texts.read(nested(MAX_DEPTH + 1)).trouble == (
        f"Some parts were not read: parts are nested more than {MAX_DEPTH} deep."
    )
    assert len(texts.read(many(MAX_PARTS - 1)).parts) == MAX_PARTS - 1
    assert "more than" in texts.read(many(MAX_PARTS)).trouble


SIGNATURE = (
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.b; s=s; h=from; bh=AAAA; b=AAAA\n"
) * 20
MEGABYTE = 1024 * 1024
BOMBS: dict[str, Callable[[], bytes]] = {
    "10,000 nested parts": lambda: nested(10_000),
    "100,000 parts": lambda: many(100_000),
    "a line of 50 MB": lambda: b"Subject: " + b"x" * 50 * MEGABYTE,
    "a body line of 50 MB": lambda: GOOD + b"x" * 50 * MEGABYTE,
    "blanks": lambda: SIGNATURE + b"\n" + b" " * 5 * MEGABYTE,
    "short runs of blanks": lambda: SIGNATURE + b"\n" + (b" " * 99 + b"x") * 50_000,
    "long runs of blanks": lambda: SIGNATURE + b"\n" + (b" " * 499 + b"x") * 2000,
    "empty lines": lambda: SIGNATURE + b"\n" + b"\n" * 5 * MEGABYTE,
    "blank lines": lambda: SIGNATURE + b"\n" + b" \n" * 2_500_000,
    "every header 200 times": lambda: GOOD.partition(b"\r\n\r\n")[0] * 200 + b"\r\n\r\n",
    "a fold on every byte": lambda: b"DKIM-Signature: v=1; b=" + b"\r\n " * 80_000 + b"\r\n\r\n",
    "folds in a signature": lambda: SIGNATURE.replace(b"b=A", b"b=" + b"\n " * 90) + b"\n",
    "signatures in a signature": lambda: (
        SIGNATURE.replace(b"b=A", b"z=" + b"; b\n " * 1500) + b"\n"
    ),
    "folds in a link": lambda: b"List-Unsubscribe: <" + b"\n a" * 80_000 + b"\n\n",
    "brackets": lambda: b"List-Unsubscribe: " + b"<(" * 100_000 + b"\n\n",
    "ats": lambda: b"From: " + b"<a@" * 80_000 + b"\nList-Id: " + b"<a." * 20_000 + b"\n\n",
    "anchors": lambda: b"Content-Type: text/html\n\n" + b"<a href=" * 250_000,
    "anchors that end": lambda: b"Content-Type: text/html\n\n" + b"<a href=u>" * 200_000,
    "one href": lambda: b"Content-Type: text/html\n\n<a " + b"href " * 400_000 + b">",
    "a long number": lambda: b"Content-Type: text/html\n\n<a href='&#" + b"9" * 99_999 + b"'></a>",
    "links on one line": lambda: b"\n" + b"http://a " * 200_000,
    "boundaries": lambda: many(0) + b"\n--b" * 2_000_000,
    "a boundary and blanks": lambda: many(0) + b"\n--b" + b" " * 20 * MEGABYTE,
}


@pytest.mark.integration
@pytest.mark.parametrize("name", BOMBS)
def test_no_bomb_takes_long(name: str) -> None:
    raw = BOMBS[name]()
    started = time.process_time()
    assert message_report(raw).report.button is not True
    assert time.process_time() - started < 15


def test_an_email_over_the_size_limit_is_reported() -> None:
    raw = GOOD + b"x" * MAX_MESSAGE_BYTES
    assert problems(raw) == {"message": "warning", "message-size": "warning", "dkim": "warning"}
    assert "over 25 MB" in findings(raw)["message-size"].message


def test_message_text_is_shown_without_control_characters() -> None:
    assert printable("a\x1b[31mb\r\nc\u202ed\u2028") == r"a\x1b[31mb\r\nc\u202ed\u2028"
    assert printable(b"\xc3\xa4\xff\x9b") == r"ä\xff\x9b"
    assert printable("x" * 500).endswith("x…")
    assert len(printable("x" * 500)) == 161


def test_an_unlisted_check_cannot_be_reported() -> None:
    with pytest.raises(KeyError):
        Report().passed("nothing", "of the kind")
