"""Messages of many mail systems, read whole: failures, complaints, and permission to reply."""

from collections.abc import Callable

import pytest

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.mail.incoming import MAX_RECIPIENTS, read
from tests.support import received

GONE = {
    "apple-moved": "5.1.6",
    "bad-address": "5.1.3",
    "domino": "5.1.1",
    "exchange-2003": "5.1.1",
    "exchange-5.5": "5.1.1",
    "exim-dsn": "5.1.1",
    "exim-text": "5.1.1",
    "gmail-disabled": "5.2.1",
    "gmail-no-such-account": "5.1.1",
    "groupwise": "5.1.1",
    "imail": "5.1.1",
    "kundenserver-german": "5.1.1",
    "mailru": "5.1.1",
    "netease-html": "5.1.1",
    "null-mx": "5.1.10",
    "office365-text": "5.1.10",
    "opensmtpd": "5.1.1",
    "orange-french": "5.1.1",
    "postfix-no-code": "5.1.1",
    "postfix-unknown": "5.1.1",
    "qmail-no-mailbox": "5.1.1",
    "sendmail-unknown": "5.1.1",
    "terra-spanish": "5.1.1",
    "yahoo-no-account": "5.1.1",
}
OTHER_FAILURES = {
    "expired": "4.4.1",
    "gmail-dmarc": "5.7.26",
    "gmail-rate": "5.2.1",
    "greylisted": "4.7.1",
    "host-unknown": "5.4.4",
    "mailbox-full": "5.2.2",
    "mailbox-unavailable": "5.0.0",
    "nested-block": "5.7.1",
    "outlook-blocked": "5.7.1",
    "refused-by-preference": "5.1.1",
    "sender-verify": "5.0.0",
    "sendmail-spf": "",
    "unknown-but-spam": "5.1.1",
    "yahoo-over-quota": "",
}
DELAYED = ("exim-delayed", "postfix-delayed")
NOT_REPORTS = (
    "apple-unsubscribe",
    "challenge-report",
    "challenge-text",
    "mailbox-full-as-receipt",
    "out-of-office",
    "person-forwards-bounce",
    "person-quotes-bounce",
    "read-receipt",
    "relayed",
    "subscription-confirmation",
    "vacation-of-old",
)
COMPLAINTS = {
    "auth-failure": "auth-failure",
    "comcast-complaint": "abuse",
    "fastmail-complaint": "abuse",
    "mailru-complaint": "abuse",
    "not-spam": "not-spam",
    "opt-out": "opt-out",
    "outlook-complaint": "abuse",
    "yahoo-complaint": "abuse",
}
PEOPLE = ("apple-unsubscribe", "challenge-text", "person-forwards-bounce", "person-quotes-bounce")
SEVERAL = "three-recipients"
REPORTS = (
    "challenge-report",
    *GONE,
    *OTHER_FAILURES,
    *COMPLAINTS,
    "postfix-delayed",
    "read-receipt",
    "relayed",
)


@pytest.mark.parametrize("name", GONE)
def test_a_mailbox_that_does_not_exist_is_a_permanent_failure(name: str) -> None:
    (failure,) = received.message(name).failures
    assert failure.severity is BounceSeverity.PERMANENT
    assert failure.recipient == "ada@example.net"
    assert failure.code == GONE[name]


@pytest.mark.parametrize("name", OTHER_FAILURES)
def test_another_failure_is_not_permanent(name: str) -> None:
    failures = received.message(name).failures
    assert failures[0].code == OTHER_FAILURES[name]
    assert not any(failure.severity is BounceSeverity.PERMANENT for failure in failures)


@pytest.mark.parametrize("name", DELAYED)
def test_a_delay_is_ignored(name: str) -> None:
    (failure,) = received.message(name).failures
    assert failure.severity is BounceSeverity.IGNORED


@pytest.mark.parametrize("name", NOT_REPORTS)
def test_a_message_that_is_not_a_report_has_no_failure(name: str) -> None:
    incoming = received.message(name)
    assert incoming.failures == ()
    assert incoming.complaint is None


@pytest.mark.parametrize("name", COMPLAINTS)
def test_a_complaint_is_recognized_and_is_not_a_failure(name: str) -> None:
    incoming = received.message(name)
    assert incoming.complaint is not None
    assert incoming.complaint.kind == COMPLAINTS[name]
    assert incoming.failures == ()


@pytest.mark.parametrize("name", REPORTS)
def test_the_original_of_a_report_is_found_with_its_links(name: str) -> None:
    original = received.message(name).original
    assert original is not None
    assert original.list_unsubscribe == (received.LINK, received.MAILTO)
    assert original.return_path == "b-token@in.example.org"


def test_each_of_several_recipients_has_its_own_outcome() -> None:
    failures = received.message(SEVERAL).failures
    assert [(each.recipient, each.severity) for each in failures] == [
        ("gone@example.net", BounceSeverity.PERMANENT),
        ("full@example.net", BounceSeverity.SOFT),
        ("slow@example.net", BounceSeverity.IGNORED),
    ]


def test_every_sample_message_has_an_expected_outcome() -> None:
    named = {*GONE, *OTHER_FAILURES, *DELAYED, *NOT_REPORTS, *COMPLAINTS, SEVERAL}
    assert named == {path.stem for path in received.FOLDER.glob("*.eml")}


def test_every_sample_message_is_read_without_trouble() -> None:
    assert not any(received.message(path.stem).trouble for path in received.FOLDER.glob("*.eml"))


@pytest.mark.parametrize(
    "mangle",
    [
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: raw.replace(b"\n", b"\r"),
        lambda raw: b"From MAILER-DAEMON Sun Nov 22 14:05:03 2026\n" + raw,
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: b"\n\n" + raw,
        lambda raw: b"a line without a colon\n" + raw,
        lambda raw: b"X-Filler: " + b"x" * 100_000 + b"\n" + raw,
        lambda raw: raw.replace(b"message/delivery-status", b"MESSAGE/Delivery-Status ; x=y"),
        lambda raw: raw.rpartition(b"--4Xy1z")[0],
        lambda raw: raw.replace(b"us-ascii", b"x-no-such-charset"),
        lambda raw: raw + b"x" * 5_000_000,
    ],
    ids=[
        "crlf",
        "cr",
        "mbox",
        "mark",
        "blank",
        "broken",
        "giant",
        "case",
        "cut",
        "charset",
        "long",
    ],
)
def test_a_report_is_read_even_if_a_relay_mangled_it(mangle: Callable[[bytes], bytes]) -> None:
    incoming = read(mangle(received.raw("postfix-unknown")))
    assert incoming.failures == received.message("postfix-unknown").failures
    assert incoming.original == received.message("postfix-unknown").original


@pytest.mark.parametrize("name", [*GONE, *OTHER_FAILURES, *DELAYED, *COMPLAINTS, SEVERAL])
def test_a_report_is_never_answered(name: str) -> None:
    assert received.message(name).automatic


@pytest.mark.parametrize("name", PEOPLE)
def test_a_person_may_be_answered(name: str) -> None:
    assert not received.message(name).automatic


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Auto_Submitted", "auto-replied"),
        ("Auto_Submitted", "auto-generated (failure)"),
        ("Auto_Submitted", ""),
        ("List_Id", "<weekly.example.net>"),
        ("LIST_HELP", "<https://example.net/help>"),
        ("Return_Path", "<>"),
        ("Return_Path", "< >"),
        ("Precedence", "Bulk"),
        ("Precedence", "list"),
        ("Precedence", "junk"),
        ("X_Auto_Response_Suppress", "OOF, AutoReply"),
        ("From", "MAILER-DAEMON@example.net"),
    ],
)
def test_automatic_email_is_never_answered(header: str, value: str) -> None:
    assert read(received.email(**{header: value})).automatic


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Auto_Submitted", "no"),
        ("Auto_Submitted", "No; by=a-person"),
        ("Return_Path", "<ada@example.net>"),
        ("Precedence", "first-class"),
        ("X_Auto_Response_Suppress", "None"),
        ("From", "Ada <ada@example.net>"),
    ],
)
def test_personal_email_may_be_answered(header: str, value: str) -> None:
    assert not read(received.email(**{header: value})).automatic


def test_one_automatic_header_among_several_is_enough() -> None:
    assert read(b"Auto-Submitted: no\nAuto-Submitted: auto-replied\n\n").automatic


def test_recipients_added_by_the_mail_server_come_first() -> None:
    raw = received.email(
        To="Letters <news@example.org>, u-TOKEN@in.example.org",
        Cc="cc@example.org",
        Delivered_To="b-Token@in.example.org",
        X_Original_To="alias@example.org",
    )
    assert read(raw).recipients == (
        "b-Token@in.example.org",
        "alias@example.org",
        "news@example.org",
        "u-TOKEN@in.example.org",
        "cc@example.org",
    )


def test_a_repeated_recipient_is_listed_once() -> None:
    assert read(received.email(Delivered_To="a@b.example", To="<a@b.example>")).recipients == (
        "a@b.example",
    )


def test_only_the_first_of_many_recipients_are_read() -> None:
    many = ", ".join(f"a{n}@example.net" for n in range(500))
    recipients = read(received.email(Delivered_To="b-token@in.example.org", To=many)).recipients
    assert len(recipients) == MAX_RECIPIENTS
    assert recipients[0] == "b-token@in.example.org"


def test_duplicate_headers_are_read_once() -> None:
    head, _, body = received.raw("postfix-unknown").partition(b"\n\n")
    twice = b"\n".join([head, head, b"", body])
    assert read(twice) == received.message("postfix-unknown")
