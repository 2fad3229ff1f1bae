"""Delivery reports: their fields, their recipients, and the senders that may write one."""

import pytest

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.mail.incoming import read
from tests.support import received

PERMANENT, PROBABLE, SOFT, IGNORED = BounceSeverity
UNKNOWN = "Final-Recipient: rfc822; ada@example.net\nAction: failed\nStatus: 5.1.1"


@pytest.mark.parametrize("action", ["failed", "Failed", "failure", "failed (Bad mailbox)", "error"])
def test_every_spelling_of_a_failed_action_is_a_failure(action: str) -> None:
    (failure,) = read(received.report(UNKNOWN.replace("failed", action))).failures
    assert failure.severity is PERMANENT


@pytest.mark.parametrize("action", ["delayed", "Delayed (4 hours)"])
def test_a_delay_is_ignored(action: str) -> None:
    (failure,) = read(received.report(UNKNOWN.replace("failed", action))).failures
    assert failure.severity is IGNORED


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "what?"])
def test_a_message_passed_on_has_not_failed(action: str) -> None:
    assert read(received.report(UNKNOWN.replace("failed", action))).failures == ()


def test_the_original_recipient_is_preferred_to_the_final_one() -> None:
    fields = f"Original-Recipient: rfc822;ada@example.org\n{UNKNOWN}"
    assert read(received.report(fields)).failures[0].recipient == "ada@example.org"


def test_an_address_of_another_type_is_skipped() -> None:
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
def test_a_blank_line_does_not_split_a_recipients_fields(fields: tuple[str, str]) -> None:
    (failure,) = read(received.report(*fields)).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


def test_a_status_without_a_code_is_read_as_words() -> None:
    fields = UNKNOWN.replace("5.1.1", "553 Exceeded maximum inbound message size")
    (failure,) = read(received.report(fields)).failures
    assert (failure.severity, failure.code) == (IGNORED, "")


def test_a_comment_beside_the_code_is_read() -> None:
    fields = UNKNOWN.replace("5.1.1", "5.1.1 (recipient reached disk quota)")
    assert read(received.report(fields)).failures[0].severity is SOFT


def test_the_text_gives_the_reason_if_the_fields_do_not() -> None:
    fields = UNKNOWN.replace("5.1.1", "5.0.0")
    text = "<ada@example.net>: 550 No such user here"
    (failure,) = read(received.report(fields, text=text)).failures
    assert (failure.severity, failure.code) == (PERMANENT, "5.1.1")


def test_a_recipients_reason_does_not_apply_to_another() -> None:
    fields = UNKNOWN.replace("5.1.1", "5.0.0")
    text = "<grace@example.net>: 550 No such user here\n<ada@example.net>: 552 over quota"
    assert read(received.report(fields, text=text)).failures[0].severity is SOFT


def test_a_recipient_with_conflicting_reasons_is_not_permanent() -> None:
    doubt = UNKNOWN.replace("5.1.1", "5.4.6")
    assert not any(
        each.severity is PERMANENT for each in read(received.report(UNKNOWN, doubt)).failures
    )


def test_an_encoded_report_is_decoded() -> None:
    raw = received.report(UNKNOWN.replace("5.1.1", "5.1.=\n1"))
    raw = raw.replace(
        b"delivery-status\n\n", b"delivery-status\nContent-Transfer-Encoding: quoted-printable\n\n"
    )
    assert read(raw).failures[0].code == "5.1.1"


def test_exim_names_the_failed_recipient_in_a_header() -> None:
    text = "A message sent by\n\n  <b-token@in.example.org>\n\nfailed:\n\n  ada@example.net\n    {}"
    raw = received.email(
        text.format("550 user unknown"),
        From="Mail System <mail@example.net>",
        X_Failed_Recipients="ada@example.net",
    )
    (failure,) = read(raw).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


def test_a_report_without_a_recipient_is_one_failure() -> None:
    raw = received.email("Your mail could not be delivered.", From="MAILER-DAEMON@example.net")
    (failure,) = read(raw).failures
    assert (failure.recipient, failure.severity, failure.code) == ("", SOFT, "")


def test_another_message_from_a_mail_system_has_no_failure() -> None:
    raw = received.email("Maintenance tonight at eight.", From="postmaster@example.net")
    assert read(raw).failures == ()


def test_only_words_close_to_an_address_apply_to_it() -> None:
    text = "<ada@example.net>:\nfailed\n" + "and so on\n" * 10 + "550 user unknown\n"
    (failure,) = read(received.email(text, From="MAILER-DAEMON@example.net")).failures
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
def test_another_address_in_a_report_is_not_a_recipient(line: str) -> None:
    text = f"{line}\n\nUnable to deliver to\n<ada@example.net>: 550 user unknown"
    (failure,) = read(received.email(text, From="MAILER-DAEMON@example.net")).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


def test_exchange_writes_an_x400_address_before_the_address() -> None:
    text = "did not reach\n\nc=US;a= ;p=X;dda:SMTP=ada@example.net; on Sunday\n Unknown Recipient"
    (failure,) = read(received.email(text, From="postmaster@example.net")).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


@pytest.mark.parametrize(
    "sender", ["<>", '"Mail System" <>', "mailer-daemon", "MDaemon@example.net"]
)
def test_a_mail_system_is_recognized_by_any_of_its_names(sender: str) -> None:
    text = "You sent mail to ada@example.net. That's not a valid user here."
    assert read(received.email(text, From=sender)).failures[0].severity is PERMANENT


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


def test_words_in_the_copied_message_are_ignored() -> None:
    text = "<ada@example.net>:\nfailed\n\n--- Below this line is a copy.\n\nuser unknown"
    (failure,) = read(received.email(text, From="MAILER-DAEMON@example.net")).failures
    assert failure.severity is SOFT


@pytest.mark.parametrize(
    "sender",
    ["Ada <ada@example.net>", "noreply@example.net", "Postmaster's friend <friend@example.net>"],
)
def test_a_persons_message_is_not_a_report(sender: str) -> None:
    text = "<ada@example.net>: host mx.example.net said: 550 5.1.1 User unknown"
    assert read(received.email(text, From=sender, Return_Path="<>")).failures == ()


@pytest.mark.parametrize(
    "subject", ["Re: failure notice", "FW: failure notice", "=?utf-8?q?Re:_a?="]
)
def test_a_postmasters_reply_is_not_a_report(subject: str) -> None:
    text = "> <ada@example.net>: 550 5.1.1 User unknown\n\nWe look into it."
    raw = received.email(text, From="postmaster@example.net", Subject=subject)
    assert read(raw).failures == ()


# Status, Diagnostic-Code, and the resulting severity.
STATUSES = [
    ("5.1.0", "smtp; 550 #5.1.0 Address rejected", PROBABLE),
    ("5.1.1", "smtp; 550 5.1.1 User unknown", PERMANENT),
    (
        "5.1.1",
        "smtp; 550-5.1.1 The email account that you tried to reach does not exist",
        PERMANENT,
    ),
    ("5.1.1", "smtp; 550 5.1.1 <x@y.example>: no user record found", PERMANENT),
    ("5.1.10", "smtp; 556 5.1.10 Recipient address has null MX", PERMANENT),
    (
        "5.1.10",
        "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP lookup",
        PERMANENT,
    ),
    ("5.1.351", "smtp;550 5.1.351 Remote server returned unknown recipient -> 550 no", PERMANENT),
    ("5.0.0", "smtp; 550 Invalid Recipient - https://www.example.net/docs/1369#550", PERMANENT),
    ("5.0.0", "smtp; 550 User unknown", PERMANENT),
    ("5.5.0", "smtp; 550 User unknown", PERMANENT),
    ("5.0.0", "smtp; 554 30 Sorry, cannot be delivered. This mailbox is disabled", PERMANENT),
    ("5.4.1", "smtp; 550 5.4.1 Recipient address rejected: Access denied. AS(1)", PROBABLE),
    ("5.5.0", "smtp;550 Requested action not taken: mailbox unavailable (-1:2:-3)", PROBABLE),
    ("5.4.4", "X-Postfix; Host or domain name not found. Name service error for name=x", SOFT),
    ("5.2.2", "smtp; 552 5.2.2 Mailbox full", SOFT),
    ("5.7.515", "smtp; 550 5.7.515 Access denied, sending domain x.example", IGNORED),
    ("5.7.1", "smtp; 550 5.7.1 No such user", PERMANENT),
    ("5.7.1", "smtp; 554 5.7.1 Message rejected", IGNORED),
]


@pytest.mark.parametrize(("status", "diagnostic", "severity"), STATUSES)
def test_status_and_diagnostic_decide_the_severity(
    status: str, diagnostic: str, severity: BounceSeverity
) -> None:
    fields = f"{UNKNOWN.replace('5.1.1', status)}\nDiagnostic-Code: {diagnostic}"
    (failure,) = read(received.report(fields)).failures
    assert failure.severity is severity


def test_exchange_gives_the_reason_in_its_own_field() -> None:
    fields = UNKNOWN.replace("5.1.1", "5.0.0")
    fields += "\nX-Supplementary-Info: <mx.example.com #5.1.1 smtp;550 5.1.1 does not exist>"
    assert read(received.report(fields)).failures[0].severity is PERMANENT


def test_a_second_recipient_needs_no_blank_line_before_it() -> None:
    full = UNKNOWN.replace("ada", "full").replace("5.1.1", "5.2.2")
    with_original = f"Original-Recipient: rfc822; ada@example.net\n{UNKNOWN}"
    failures = read(received.report(f"{full}\n{with_original}")).failures
    assert [(each.recipient, each.severity) for each in failures] == [
        ("full@example.net", SOFT),
        ("ada@example.net", PERMANENT),
    ]


@pytest.mark.parametrize("action", ["delivered", "relayed (to nowhere)", "expanded"])
def test_a_failure_records_whether_another_recipient_was_reached(action: str) -> None:
    other = f"Final-Recipient: rfc822; ben@example.net\nAction: {action}\nStatus: 2.0.0"
    (failure,) = read(received.report(other, UNKNOWN)).failures
    assert failure.another_reached
    assert not read(received.report(UNKNOWN)).failures[0].another_reached


def test_a_failure_records_the_final_recipient() -> None:
    fields = f"Original-Recipient: rfc822;ada@example.org\n{UNKNOWN}"
    (failure,) = read(received.report(fields)).failures
    assert (failure.recipient, failure.final_recipient) == ("ada@example.org", "ada@example.net")


@pytest.mark.parametrize("sender", ["postmaster@example.org", "System Administrator Weekly <a@b>"])
def test_a_returned_message_from_a_machine_like_sender_can_fail(sender: str) -> None:
    raw = received.report(UNKNOWN, returned=f"From: {sender}\nSubject: Weekly news")
    assert read(raw).failures[0].severity is PERMANENT
    text = f"It could not be delivered: user unknown.\n\n--- Below is a copy\nFrom: {sender}\n"
    raw = received.email(text, From="MAILER-DAEMON@mx.example")
    assert read(raw).failures[0].severity is PERMANENT


@pytest.mark.parametrize("host", ["mfsmax.docomo.ne.jp", "lsean.ezweb.ne.jp"])
@pytest.mark.parametrize(("command", "severity"), [("end of DATA", SOFT), ("RCPT TO", PERMANENT)])
def test_the_text_names_the_refused_command(
    host: str, command: str, severity: BounceSeverity
) -> None:
    said = f"host {host}[192.0.2.7] said: 550 Unknown user (in reply\n    to {command} command)"
    fields = UNKNOWN.replace("5.1.1", "5.0.0")
    fields += f"\nRemote-MTA: dns; {host}\nDiagnostic-Code: smtp; 550 Unknown user"
    raw = received.report(fields, text=f"<ada@example.net>: {said}")
    assert read(raw).failures[0].severity is severity


def test_a_recipients_command_does_not_apply_to_another() -> None:
    host = "mfsmax.docomo.ne.jp[192.0.2.7]"
    text = f"""<ada@docomo.ne.jp>: host {host} said: 550 Unknown user (in reply to RCPT TO command)

<ben@docomo.ne.jp>: host {host} said: 550 Unknown user (in reply to end of DATA command)"""
    blocks = [
        f"Final-Recipient: rfc822; {name}@docomo.ne.jp\nAction: failed\nStatus: 5.0.0\n"
        "Diagnostic-Code: smtp; 550 Unknown user"
        for name in ("ada", "ben")
    ]
    failures = read(received.report(*blocks, text=text)).failures
    assert [each.severity for each in failures] == [PERMANENT, SOFT]


SENDMAIL = """\
   ----- The following addresses had permanent fatal errors -----
<ada@example.net>
    (reason: 550 5.1.1 User unknown)

   ----- Transcript of session follows -----
>>> DATA
<<< 550 5.1.1 User unknown
550 5.1.1 <ada@example.net>... User unknown
<<< 503 5.5.2 Need Rcpt command.
"""
NOTES = """\
------- Failure Reasons  --------

User  not listed in public Name & Address Book
ada@example.net
"""
MAIL_MARSHAL = """\
Your message:
   From:    news@example.org
   Subject: Weekly news

Could not be delivered because of

550 5.1.1 User unknown

The following recipients were affected:
    ada@example.net

Additional Information
======================
Original Sender:    <news@example.org>
Remote-MTA:         <192.0.2.7>
"""
QMAIL = """\
<ada@example.net>:
Sorry, no SMTP connection got far enough; most progress was RCPT TO response; remote host 192.0.2.7
said: 550 Unknown user ada@example.net
. (#5.5.0)
"""
FLATTENED = """\
Technical report:

Reporting-MTA: dns; mx.example.net
Action: failed
Final-Recipient: rfc822; ada@example.net
Diagnostic-Code: smtp; 550 5.1.1 <ada@example.net>... User Unknown
Status: 5.1.1
"""
INTER_SCAN = """\
Sent <<< RCPT TO:<ada@example.net>
Received >>> 550 5.1.1 <ada@example.net>... user unknown

Unable to deliver message to <ada@example.net> (and other recipients in the same domain).
"""
GOOGLE = """\
** Address not found **

Your message wasn't delivered to ada@example.net because the address couldn't be found.
"""
DISCLAIMER = """\
<ada@example.net>: User unknown

This email was scanned for viruses. Its content may be confidential: see our policy.
"""
QUOTING = """\
Your message about "Fight spam: our new policy" could not be delivered.

The message subject was: Fight spam: our new policy

<ada@example.net>: 550 5.1.1 User unknown
"""


@pytest.mark.parametrize(
    "text",
    [SENDMAIL, NOTES, MAIL_MARSHAL, QMAIL, FLATTENED, INTER_SCAN, GOOGLE, DISCLAIMER, QUOTING],
)
def test_a_plain_text_report_is_read_in_every_layout(text: str) -> None:
    raw = received.email(text, From="MAILER-DAEMON@mx.example.net", To="b-token@in.example.org")
    (failure,) = read(raw).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


def test_the_returned_messages_subject_is_ignored() -> None:
    subject = "Fight spam: our new policy"
    text = f"<ada@example.net>: the message {subject} was not delivered: user unknown"
    fields = UNKNOWN.replace("5.1.1", "5.0.0")
    raw = received.report(fields, text=text, returned=f"Subject: {subject}")
    assert read(raw).failures[0].severity is PERMANENT


def test_a_report_with_a_wrong_boundary_is_read_as_text() -> None:
    fields = f"{UNKNOWN}\nDiagnostic-Code: smtp; 550 5.1.1 no such user"
    raw = received.report(fields).replace(b'boundary="edge"', b'boundary="other"')
    (failure,) = read(raw).failures
    assert (failure.recipient, failure.severity) == ("ada@example.net", PERMANENT)


def wrapped(report: bytes) -> bytes:
    """Return a report wrapped by a gateway that adds a disclaimer."""
    body = f"--edge2\nContent-Type: message/rfc822\n\n{report.decode()}\n--edge2\n"
    body += "Content-Type: text/plain\n\nThis is confidential. Delete it if received in error.\n"
    kind = "multipart/mixed; boundary=edge2"
    return received.email(f"{body}--edge2--\n", From="postmaster@x.example", Content_Type=kind)


@pytest.mark.parametrize(
    "raw",
    [
        wrapped(received.report(UNKNOWN)),
        received.email("Maintenance tonight at eight.", From="postmaster@example.net"),
    ],
)
def test_a_report_that_is_not_understood_is_marked_unread(raw: bytes) -> None:
    incoming = read(raw)
    assert (incoming.failures, incoming.unread_report) == ((), True)


@pytest.mark.parametrize(
    "raw",
    [
        received.report(UNKNOWN),
        received.report(UNKNOWN.replace("failed", "relayed")),
        received.email("I am away.", Auto_Submitted="auto-replied", From="ada@example.net"),
        received.raw("read-receipt"),
        received.raw("challenge-report"),
        received.raw("yahoo-complaint"),
    ],
)
def test_other_messages_are_not_marked_unread(raw: bytes) -> None:
    assert not read(raw).unread_report


CHALLENGES = {
    "Boxbe": "Your message has been waitlisted. Add yourself to my guest list:\n{}",
    "Spam Arrest": "I am protected by Spam Arrest. Click here to be added:\n{}",
    "a link": "Please verify that you are a person by opening\n{}",
    "an unknown sender": "You are an unknown sender. Confirm your message at {}",
}


@pytest.mark.parametrize("said", CHALLENGES.values(), ids=list(CHALLENGES))
@pytest.mark.parametrize("sender", ["ada@example.net", "MAILER-DAEMON@example.net"])
def test_a_challenge_is_not_a_failure(said: str, sender: str) -> None:
    incoming = read(received.email(said.format("https://x.example/1"), From=sender))
    assert (incoming.failures, incoming.challenge, incoming.unread_report) == ((), True, False)


def test_a_report_of_a_missing_mailbox_is_not_a_challenge() -> None:
    text = "<ada@example.net>: 550 5.1.1 user unknown. Verify your address: https://x.example/1"
    incoming = read(received.email(text, From="MAILER-DAEMON@example.net"))
    assert not incoming.challenge
    assert incoming.failures[0].severity is PERMANENT
