"""Messages that no mail system should send: huge, deeply nested, damaged, or random bytes."""

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.mail import mime
from preference_center.mail.bounce_policy import PERMANENT
from preference_center.mail.dsn import MAX_FAILURES
from preference_center.mail.incoming import MAX_RECIPIENTS, read
from tests.support import received

pytestmark = pytest.mark.integration

MACHINE = b"Return-Path: <>\nFrom: MAILER-DAEMON@example.net\n"
STATUS = MACHINE + b"Content-Type: message/delivery-status\n\n"
HTML = MACHINE + b"Content-Type: text/html\n\n"
BASE64 = MACHINE + b"Content-Transfer-Encoding: base64\n\n"


def multipart(boundary: bytes) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=%s\n\n--%s\n" % (boundary, boundary)


# Built when they are used: the largest have 50 MB.
BOMBS: dict[str, Callable[[], bytes]] = {
    "levels": lambda: MACHINE + b"".join(multipart(b"b%d" % level) for level in range(10_000)),
    "one boundary": lambda: MACHINE + multipart(b"b") * 10_000,
    "siblings": lambda: MACHINE + multipart(b"b") + b"\nx\n--b\n" * 100_000,
    "a line": lambda: MACHINE + b"\n" + b"x" * 50_000_000,
    "a header": lambda: b"Subject: " + b"x" * 50_000_000,
    "folds": lambda: MACHINE + b"Subject: x\n" + b" x\n" * 1_000_000,
    "headers": lambda: b"To: a@example.net\n" * 1_000_000,
    "failures": lambda: STATUS + b"Action: failed\n\n" * 90_000,
    "blocks": lambda: STATUS + b"X: x\n\n" * 100_000,
    "blank lines": lambda: STATUS + b"\n" * 1_000_000,
    "addresses": lambda: MACHINE + b"".join(b"\n<a%d@b.example> failed" % n for n in range(99_999)),
    "tags": lambda: HTML + b"<a" * 500_000,
    "digits": lambda: HTML + b"&#" + b"9" * 1_000_000,
    "base64": lambda: BASE64 + b"=" * 1_000_000,
    "encoded words": lambda: MACHINE + b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\n\n",
    "nothing": lambda: b"\0" * 1_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_mail_bomb_takes_little_memory_and_few_parts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = BOMBS[name]()
    parsed = 0
    part_of = mime.part_of

    def counted(block: bytes) -> mime.Part:
        nonlocal parsed
        parsed += 1
        return part_of(block)

    monkeypatch.setattr(mime, "part_of", counted)
    tracemalloc.start()
    incoming = read(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * mime.MAX_PARSED_BYTES
    assert parsed <= mime.MAX_PARTS
    assert len(incoming.failures) <= MAX_FAILURES


@pytest.mark.parametrize(("name", "reason"), [("levels", "deep"), ("siblings", "100 parts")])
def test_unread_parts_are_reported(name: str, reason: str) -> None:
    incoming = read(BOMBS[name]())
    assert reason in incoming.trouble


def test_a_report_with_a_very_large_message_is_read() -> None:
    raw = received.raw("postfix-unknown")
    assert read(raw + b"x" * 50_000_000) == read(raw)


PIECES = st.sampled_from(
    [path.read_bytes() for path in sorted(received.FOLDER.glob("*.eml"))]
    + [
        b"\n",
        b"\r\n\r\n",
        b"--",
        b"=?utf-8?b?",
        b"Content-Type: multipart/report; boundary=",
        b"\0",
    ]
    + [
        b"Content-Transfer-Encoding: x-no-such\n",
        b"Status: 5.1.1\n",
        b"<",
        b"@",
        b"\xff\xfe",
        b": ",
    ]
)


@given(st.one_of(st.binary(max_size=2000), st.lists(st.one_of(PIECES, st.binary(max_size=20)))))
def test_arbitrary_bytes_are_read_within_the_limits(content: bytes | list[bytes]) -> None:
    incoming = read(content if isinstance(content, bytes) else b"".join(content))
    assert len(incoming.recipients) <= MAX_RECIPIENTS
    assert len(incoming.failures) <= MAX_FAILURES
    for failure in incoming.failures:
        assert failure.severity is not BounceSeverity.PERMANENT or failure.code in PERMANENT
    assert "\\x00" not in repr(incoming)
    assert repr(incoming).encode()


@given(st.data())
def test_a_damaged_report_is_still_read(data: st.DataObject) -> None:
    raw = received.raw(data.draw(st.sampled_from(["postfix-unknown", "exim-text", "opensmtpd"])))
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 200)))
    incoming = read(raw[:start] + data.draw(st.binary(max_size=50)) + raw[end:])
    assert all(
        each.code in PERMANENT
        for each in incoming.failures
        if each.severity is BounceSeverity.PERMANENT
    )
