"""Delivery reports: their fields, whom they are about, and who may write one."""

import pytest

from preference_center.core.vocab import BounceSeverity
from preference_center.mail.inbound import read
from tests.mail import received

PERMANENT, PROBABLE, SOFT, IGNORED = BounceSeverity
UNKNOWN = "Final-Recipient: rfc822; ada@example.net\nAction: failed\nStatus: 5.1.1"


@pytest.mark.parametrize("action", ["failed", "Failed", "failure", "failed (Bad mailbox)", "error"])
def test_a_failure_is_written_in_several_ways(action: str) -> None:
    (failure,) = read(received.report(UNKNOWN.replace("failed", action))).failures
    assert (failure.severity, failure.action) == (PERMANENT, "failed")


@pytest.mark.parametrize("action", ["delayed", "Delayed (4 hours)"])
def test_a_delay_counts_for_nothing(action: str) -> None:
    (failure,) = read(received.report(UNKNOWN.replace("failed", action))).failures
    assert (failure.severity, failure.action) == (IGNORED, "delayed")


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "what?"])
def test_a_mail_that_went_on_has_not_failed(action: str) -> None:
    assert read(received.report(UNKNOWN.replace("failed", action))).failures == ()


def test_the_address_that_we_wrote_to_comes_before_the_one_that_failed() -> None:
    fields = f"Original-Recipient: rfc822;ada@example.org\n{UNKNOWN}"
    assert read(received.report(fields)).failures[0].recipient == "ada@example.org"


def test_an_address_of_another_kind_is_passed_over() -> None:
    fields = UNKNOWN.replace("rfc822; ada@example.net", "x400; /S=ada/OU=example/C=GB/")
    original = "Original-Recipient: rfc822; <ada@example.net>"
    assert read(received.report(f"{fields}\n{original}")).failures[0].recipient == "ada@example.net"


@pytest.mark.parametrize(
    "fields",
    [
        ("Action: failed\nFinal-Recipient: rfc822; ada@example.net", "Status: 5.1.1"),
        ("Action: failed", "Final-Recipient: rfc822; ada@example.net\nStatus: 5.1.1"),
    ],
)
def test_a_blank_line_within_a_recipient_does_not_tear_it_apart(fields: tuple[str, str]) -> None:
    (failure,) = read(received.report(*fields)).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


def test_a_status_without_a_code_is_words() -> None:
    fields = UNKNOWN.replace("5.1.1", "553 Exceeded maximum inbound message size")
    (failure,) = read(received.report(fields)).failures
    assert (failure.severity, failure.code) == (IGNORED, "")
    assert failure.diagnostic == "553 Exceeded maximum inbound message size"


def test_a_comment_beside_the_code_is_read() -> None:
    fields = UNKNOWN.replace("5.1.1", "5.1.1 (recipient reached disk quota)")
    assert read(received.report(fields)).failures[0].severity is SOFT


def test_the_text_says_why_where_the_fields_do_not() -> None:
    fields = UNKNOWN.replace("5.1.1", "5.0.0")
    text = "<ada@example.net>: 550 No such user here"
    (failure,) = read(received.report(fields, text=text)).failures
    assert (failure.severity, failure.code) == (PERMANENT, "5.1.1")


def test_one_recipient_s_reason_is_not_another_s() -> None:
    fields = UNKNOWN.replace("5.1.1", "5.0.0")
    text = "<grace@example.net>: 550 No such user here\n<ada@example.net>: 552 over quota"
    assert read(received.report(fields, text=text)).failures[0].severity is SOFT


def test_a_recipient_of_whom_two_things_are_said_has_not_failed_for_good() -> None:
    doubt = UNKNOWN.replace("5.1.1", "5.4.6")
    assert not any(
        each.severity is PERMANENT for each in read(received.report(UNKNOWN, doubt)).failures
    )


def test_a_long_diagnostic_is_cut() -> None:
    fields = f"{UNKNOWN}\nDiagnostic-Code: smtp; 550 5.1.1 {'word ' * 500}"
    assert len(read(received.report(fields)).failures[0].diagnostic) == 200


def test_an_encoded_report_is_decoded() -> None:
    raw = received.report(UNKNOWN.replace("5.1.1", "5.1.=\n1"))
    raw = raw.replace(
        b"delivery-status\n\n", b"delivery-status\nContent-Transfer-Encoding: quoted-printable\n\n"
    )
    assert read(raw).failures[0].code == "5.1.1"


def test_exim_says_in_a_header_whom_it_did_not_reach() -> None:
    text = "A message sent by\n\n  <b-token@in.example.org>\n\nfailed:\n\n  ada@example.net\n    {}"
    raw = received.mail(
        text.format("550 user unknown"),
        From="Somebody <mail@example.net>",
        X_Failed_Recipients="ada@example.net",
    )
    (failure,) = read(raw).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


def test_a_report_that_names_nobody_is_one_failure() -> None:
    raw = received.mail("Your mail could not be delivered.", From="MAILER-DAEMON@example.net")
    (failure,) = read(raw).failures
    assert (failure.recipient, failure.severity, failure.code) == ("", SOFT, "")


def test_a_mail_system_that_reports_nothing_has_no_failure() -> None:
    raw = received.mail("Maintenance tonight at eight.", From="postmaster@example.net")
    assert read(raw).failures == ()


def test_only_what_stands_close_to_an_address_speaks_of_it() -> None:
    text = "<ada@example.net>:\nfailed\n" + "and so on\n" * 10 + "550 user unknown\n"
    (failure,) = read(received.mail(text, From="MAILER-DAEMON@example.net")).failures
    assert failure.severity is SOFT


@pytest.mark.parametrize(
    "line",
    [
        "  To: grace@example.net",
        "from grace@example.net",
        "MAIL FROM:<grace@example.net>",
        "For assistance write to grace@example.net",
        "Please send this report to postmaster@example.net",
    ],
)
def test_an_address_that_a_report_names_besides_is_no_recipient(line: str) -> None:
    text = f"{line}\n\nUnable to deliver to\n<ada@example.net>: 550 user unknown"
    (failure,) = read(received.mail(text, From="MAILER-DAEMON@example.net")).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


def test_exchange_writes_an_x400_address_before_the_address() -> None:
    text = "did not reach\n\nc=US;a= ;p=X;dda:SMTP=ada@example.net; on Sunday\n Unknown Recipient"
    (failure,) = read(received.mail(text, From="postmaster@example.net")).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


@pytest.mark.parametrize(
    "sender", ["<>", '"Mail System" <>', "mailer-daemon", "MDaemon@example.net"]
)
def test_a_mail_system_has_many_names(sender: str) -> None:
    text = "You sent mail to ada@example.net. That's not a valid user here."
    assert read(received.mail(text, From=sender)).failures[0].severity is PERMANENT


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("", "message/disposition-notification"),
        ("disposition-notification", "text/plain"),
        ("tlsrpt", "application/tlsrpt+gzip"),
        ("", "message/feedback-report"),
    ],
)
def test_a_report_of_another_kind_has_no_failure(kind: str, part: str) -> None:
    raw = received.report(UNKNOWN, text="<ada@example.net>: user unknown").decode()
    raw = raw.replace("report-type=delivery-status", f"report-type={kind}")
    assert read(raw.replace("message/delivery-status", part).encode()).failures == ()


def test_words_below_the_copy_of_the_mail_are_not_the_mail_system_s() -> None:
    text = "<ada@example.net>:\nfailed\n\n--- Below this line is a copy.\n\nuser unknown"
    (failure,) = read(received.mail(text, From="MAILER-DAEMON@example.net")).failures
    assert failure.severity is SOFT


@pytest.mark.parametrize(
    "sender",
    ["Ada <ada@example.net>", "noreply@example.net", "Postmaster's friend <friend@example.net>"],
)
def test_a_person_reports_nothing(sender: str) -> None:
    text = "<ada@example.net>: host mx.example.net said: 550 5.1.1 User unknown"
    assert read(received.mail(text, From=sender, Return_Path="<>")).failures == ()


@pytest.mark.parametrize(
    "subject", ["Re: failure notice", "FW: failure notice", "=?utf-8?q?Re:_a?="]
)
def test_a_postmaster_who_answers_is_a_person(subject: str) -> None:
    text = "> <ada@example.net>: 550 5.1.1 User unknown\n\nWe look into it."
    raw = received.mail(text, From="postmaster@example.net", Subject=subject)
    assert read(raw).failures == ()
