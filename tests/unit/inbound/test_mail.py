"""The effect of each kind of inbound email, whatever else it contains (M11 to M14, S2)."""

from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from preference_center.core import subscribers
from preference_center.core.vocab import Scope
from preference_center.inbound.mail import MailProcessor
from preference_center.links.mail_tokens import write_mailto, write_return_path
from preference_center.store import Database
from preference_center.store.tables import FailedMailing, OutboxRow, QuarantineRow
from tests.support import make

KEYS = (make.LINK_KEY,)
U = f"{write_mailto(make.id_of(), 'weekly-news', KEYS)}@in.example.org"
B = f"{write_return_path(make.id_of(), 'weekly-news', KEYS)}@in.example.org"


@pytest.fixture(autouse=True)
def subscriber(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)
        make.topic(session, "offers")
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")


def mail(body: str = "", **headers: str) -> bytes:
    """Return the bytes of an email; an underscore in a header name becomes a hyphen."""
    message = EmailMessage(policy=SMTP)
    values = {"From": "ada@example.org", "Message_ID": "<m1@example.org>", **headers}
    for name, value in values.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message.as_bytes()


def dsn(
    status: str = "5.1.1",
    action: str = "failed",
    original: str = "",
    *,
    recipient: str = "ada@example.org",
    original_recipient: str = "",
    another: bool = False,
) -> bytes:
    """Return a delivery report as Postfix writes it. With `another`, one recipient was reached."""
    named = f"Original-Recipient: rfc822; {original_recipient}\r\n" if original_recipient else ""
    named += f"Final-Recipient: rfc822; {recipient}\r\n" if recipient else ""
    reached = "Final-Recipient: rfc822; ben@inside.example\r\nAction: relayed\r\n\r\n"
    return (
        "From: MAILER-DAEMON@mx.example (Mail Delivery System)\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nI could not deliver your message.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example\r\n\r\n"
        f"{reached if another else ''}{named}Action: {action}\r\nStatus: {status}\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{original}\r\n--b--\r\n"
    ).encode()


def arf(kind: str = "abuse", original: str | None = None) -> bytes:
    """Return a complaint (RFC 5965) about one of our emails."""
    links = make.minter().mint("ada@example.org", "weekly-news", "c")
    headers = original if original is not None else f"List-Unsubscribe: {links.list_unsubscribe}"
    return (
        "From: feedback@loop.example\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is a complaint.\r\n"
        "--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {kind}\r\nUser-Agent: Loop/1\r\nVersion: 1\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\n"
        f"From: letters@example.org\r\nTo: redacted\r\n{headers}\r\nSubject: news\r\n\r\nhello\r\n"
        "--b--\r\n"
    ).encode()


class Inbox:
    """A mail processor on one database, and its effects on ada@example.org."""

    def __init__(self, database: Database, *, trusted: bool = False, **changes: Any) -> None:
        self.database = database
        configured = make.settings(inbound_domain="in.example.org", **changes)
        self.processor = MailProcessor(
            database, configured, lambda: make.NOW, is_signed_by=lambda raw, domains: trusted
        )

    def process(self, raw: bytes, *recipients: str) -> str:
        return self.processor.process(raw, recipients)

    @property
    def opt_outs(self) -> list[str]:
        """Return the ended subscriptions and the suppressions: topics, `all`, `address`."""
        with self.database.reading() as session:
            person = subscribers.find(session, make.id_of())
            assert person is not None
            topics = person.subscriptions.values()
            ended = [each.topic for each in topics if each.status == "unsubscribed"]
            return sorted([*ended, *person.suppressions])

    @property
    def replies(self) -> list[str | None]:
        """Return the message that each waiting change notice replies to."""
        with self.database.reading() as session:
            return list(session.scalars(select(OutboxRow.in_reply_to)))

    @property
    def soft_bounces(self) -> int:
        """Return the number of days with a soft bounce on record."""
        with self.database.reading() as session:
            return len(session.scalars(select(FailedMailing)).all())

    @property
    def quarantined(self) -> int:
        with self.database.reading() as session:
            return len(session.scalars(select(QuarantineRow)).all())


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(database)


MAILTOS = {
    "as the header says": mail(Subject="unsubscribe"),
    "Apple Mail's empty subject": mail(Subject=""),
    "no subject": mail(),
    "another subject": mail("please stop", Subject="Re: your letter"),
    "from another sender": mail(From="eve@example.net"),
    "an automatic reply": mail(Auto_Submitted="auto-replied"),
    "no headers at all": b"\r\nhello",
    "nothing": b"\r\n",
    "bytes of no charset": b"Subject: \xff\xfe\r\nContent-Type: text/plain; charset=x\r\n\r\n\x80",
}


@pytest.mark.parametrize("what", MAILTOS)
def test_only_the_recipient_decides_the_subscriber_and_topic(inbox: Inbox, what: str) -> None:
    assert inbox.process(MAILTOS[what], U) == "unsubscribed"
    assert inbox.opt_outs == ["weekly-news"]


@pytest.mark.parametrize("spelt", [U.upper(), U.capitalize(), f"<{U}>", f" {U} "])
def test_the_case_of_the_recipient_is_ignored(inbox: Inbox, spelt: str) -> None:
    assert inbox.process(mail(), spelt) == "unsubscribed"


@pytest.mark.parametrize("header", ["To", "Delivered-To", "X-Original-To", "Cc"])
def test_the_headers_name_the_recipient_without_an_envelope(inbox: Inbox, header: str) -> None:
    assert inbox.process(mail(**{header: U})) == "unsubscribed"


def test_a_mailto_unsubscribe_has_the_scope_of_one_click(database: Database) -> None:
    inbox = Inbox(database, one_click_scope=Scope.ALL)
    inbox.process(mail(), U)
    assert inbox.opt_outs == ["all"]


def test_a_repeated_message_has_one_effect(inbox: Inbox) -> None:
    assert [inbox.process(mail(), U), inbox.process(mail(), U)] == ["unsubscribed", "duplicate"]
    assert len(inbox.replies) == 1


def test_the_change_notice_replies_to_the_message(inbox: Inbox) -> None:
    inbox.process(mail(), U)
    assert inbox.replies == ["<m1@example.org>"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "auto-generated"},
        {"Auto-Submitted": "auto-replied"},
        {"List-Id": "<x.example.org>"},
        {"Return-Path": "<>"},
        {"Precedence": "bulk"},
    ],
    ids=str,
)
def test_an_automatic_message_unsubscribes_without_a_reply(
    inbox: Inbox, headers: dict[str, str]
) -> None:
    assert inbox.process(mail(**headers), U) == "unsubscribed"
    assert inbox.replies == []


def _changed(address: str) -> str:
    local_part, _, domain = address.partition("@")
    last = "a" if local_part[-5] != "a" else "b"
    return f"{local_part[:-5]}{last}{local_part[-4:]}@{domain}"


@pytest.mark.parametrize(
    "recipient",
    [
        _changed(U),
        U[2:],
        f"u-{U}",
        U.replace("u-", "b-", 1),
        B.replace("b-", "u-", 1),
        f"{write_mailto(make.id_of(), 'weekly-news', [make.SERVER_KEY])}@in.example.org",
        "unsubscribe@in.example.org",
        "@",
        "",
    ],
)
def test_a_message_to_a_forged_recipient_is_quarantined(inbox: Inbox, recipient: str) -> None:
    assert inbox.process(mail("stop"), recipient).startswith("quarantined: ")
    assert inbox.opt_outs == []
    assert inbox.quarantined == 1


def test_a_message_not_understood_is_quarantined_once(inbox: Inbox) -> None:
    inbox.process(mail("hello"), "x@in.example.org")
    inbox.process(mail("hello"), "x@in.example.org")
    assert inbox.quarantined == 1


def test_an_automatic_reply_to_a_mailing_is_not_quarantined(inbox: Inbox) -> None:
    away = mail("I am away", Subject="Out of office", Auto_Submitted="auto-replied")
    assert inbox.process(away, B) == "ignored: an automatic message"
    assert (inbox.opt_outs, inbox.quarantined) == ([], 0)


def test_a_permanent_bounce_suppresses_marketing(inbox: Inbox) -> None:
    assert inbox.process(dsn(), B) == "bounce suppressed"
    assert inbox.opt_outs == ["all"]
    assert inbox.replies == []


@pytest.mark.parametrize("status", ["5.2.2", "4.4.1", "5.0.0"])
def test_any_other_bounce_is_counted(inbox: Inbox, status: str) -> None:
    assert inbox.process(dsn(status), B) == "bounce soft"
    assert inbox.opt_outs == []


@pytest.mark.parametrize(
    ("status", "action"), [("4.1.1", "delayed"), ("5.7.1", "failed"), ("5.7.515", "failed")]
)
def test_delays_and_verdicts_about_the_sender_are_ignored(
    inbox: Inbox, status: str, action: str
) -> None:
    assert inbox.process(dsn(status, action), B) == "bounce ignored"
    assert (inbox.opt_outs, inbox.soft_bounces, inbox.quarantined) == ([], 0, 0)


@pytest.mark.parametrize(
    ("final", "original", "another", "effect"),
    [
        ("ada@example.org", "", False, "bounce suppressed"),
        ("Ada@Example.ORG", "", True, "bounce suppressed"),
        ("dead@inside.example", "ada@example.org", False, "bounce suppressed"),
        ("dead@inside.example", "ada@example.org", True, "bounce ignored"),
        ("dead@inside.example", "", True, "bounce ignored"),
        ("dead@inside.example", "", False, "bounce soft"),
        ("dead@inside.example", "list@inside.example", False, "bounce soft"),
        ("", "", False, "bounce suppressed"),
    ],
)
def test_a_dead_mailbox_behind_an_address_does_not_suppress_it(
    inbox: Inbox, final: str, original: str, another: bool, effect: str
) -> None:
    raw = dsn(recipient=final, original_recipient=original, another=another)
    assert inbox.process(raw, B) == effect
    assert inbox.opt_outs == (["all"] if effect == "bounce suppressed" else [])


def test_a_bounce_suppresses_a_subscriber_whose_address_is_unknown(inbox: Inbox) -> None:
    unknown = make.id_of("not-on-record@example.org")
    token = f"{write_return_path(unknown, 'weekly-news', KEYS)}@in.example.org"
    assert inbox.process(dsn(recipient="dead@inside.example"), token) == "bounce suppressed"


def test_a_report_about_our_email_counts_whatever_its_from(inbox: Inbox) -> None:
    raw = dsn(original="From: System Administrator Weekly <postmaster@example.org>")
    assert inbox.process(raw, B) == "bounce suppressed"


def test_an_unreadable_report_about_our_email_is_quarantined(inbox: Inbox) -> None:
    raw = mail("Maintenance tonight.", From="MAILER-DAEMON@mx.example", Auto_Submitted="no")
    assert inbox.process(raw, B) == "quarantined: a report that is not understood"
    assert (inbox.opt_outs, inbox.quarantined) == ([], 1)
    assert inbox.process(raw, "letters@example.org") == "ignored: an automatic message"


def test_a_challenge_is_ignored(inbox: Inbox) -> None:
    raw = mail("Please verify that you are a person: https://x.example/1")
    assert inbox.process(raw, B) == "ignored: an automatic message"
    assert (inbox.opt_outs, inbox.soft_bounces, inbox.quarantined) == ([], 0, 0)


def test_a_message_worded_like_a_challenge_is_still_processed(inbox: Inbox) -> None:
    raw = mail("Stop. To confirm your message I clicked on https://x.example/1")
    assert inbox.process(raw, "letters@example.org") == "quarantined: not understood"
    assert inbox.process(raw, U) == "unsubscribed"


def test_a_bounce_is_counted_for_the_topic_of_its_email(inbox: Inbox) -> None:
    inbox.process(dsn("4.2.2"), B)
    with inbox.database.reading() as session:
        assert session.scalars(select(FailedMailing.topic)).one() == "weekly-news"


def test_a_bounced_change_notice_suppresses_no_subscriber(inbox: Inbox) -> None:
    inbox.process(dsn(), "letters@example.org")
    assert inbox.opt_outs == []


def test_a_complaint_unsubscribes_from_the_topic(inbox: Inbox) -> None:
    assert inbox.process(arf(), "fbl@in.example.org") == "complaint"
    assert inbox.opt_outs == ["weekly-news"]
    assert inbox.replies == []


def test_a_trusted_complaint_unsubscribes_from_all_topics(database: Database) -> None:
    inbox = Inbox(database, trusted=True)
    inbox.process(arf(), "fbl@in.example.org")
    assert inbox.opt_outs == ["all"]


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_a_feedback_type_that_is_not_a_complaint_is_ignored(inbox: Inbox, kind: str) -> None:
    inbox.process(arf(kind), "fbl@in.example.org")
    assert (inbox.opt_outs, inbox.quarantined) == ([], 0)


@pytest.mark.parametrize(
    "kind", ["Abuse;", "abuse (spam)", "(x) abuse", "spam", "complaint", "unsubscribe", "xarf", ""]
)
def test_any_other_feedback_type_is_a_complaint(inbox: Inbox, kind: str) -> None:
    assert inbox.process(arf(kind), "fbl@in.example.org") == "complaint"
    assert inbox.opt_outs == ["weekly-news"]


@pytest.mark.parametrize("kind", ["not-spam (x)", "Not-Spam;", "auth-failure (dkim)"])
def test_a_comment_does_not_turn_a_feedback_type_into_a_complaint(inbox: Inbox, kind: str) -> None:
    inbox.process(arf(kind), "fbl@in.example.org")
    assert inbox.opt_outs == []


@pytest.mark.parametrize("written", ["{}", "<{}>", "{}@in.example.org"])
def test_a_complaint_is_matched_by_the_feedback_id_in_the_report(
    inbox: Inbox, written: str
) -> None:
    token = written.format(B.partition("@")[0])
    raw = arf(f"abuse\r\nCFBL-Feedback-ID: {token}", original="To: [redacted]")
    assert inbox.process(raw, "fbl@in.example.org") == "complaint"
    assert inbox.opt_outs == ["weekly-news"]


def test_a_complaint_with_plain_text_fields_is_recognized(inbox: Inbox) -> None:
    raw = arf().replace(b"message/feedback-report", b"text/plain; charset=us-ascii")
    assert inbox.process(raw, "fbl@in.example.org") == "complaint"
    assert inbox.opt_outs == ["weekly-news"]


def test_a_report_of_another_type_is_not_a_complaint(inbox: Inbox) -> None:
    raw = arf().replace(b"message/feedback-report", b"text/plain")
    raw = raw.replace(b"report-type=feedback-report", b"report-type=delivery-status")
    inbox.process(raw, "fbl@in.example.org")
    assert inbox.opt_outs == []


def test_a_not_spam_report_does_not_resubscribe(inbox: Inbox) -> None:
    inbox.process(arf(), "fbl@in.example.org")
    inbox.process(arf("not-spam"), "fbl@in.example.org")
    assert inbox.opt_outs == ["weekly-news"]


@pytest.mark.parametrize(
    "original",
    [
        "",
        "List-Unsubscribe: <https://mail.example.org/u/1.20779.forged>",
        "List-Unsubscribe: <https://elsewhere.example/unsubscribe?id=7>",
    ],
)
def test_a_complaint_about_an_email_without_our_token_has_no_effect(
    inbox: Inbox, original: str
) -> None:
    inbox.process(arf(original=original), "fbl@in.example.org")
    assert inbox.opt_outs == []


@pytest.mark.parametrize("header", ["CFBL-Feedback-ID", "X-Preference-Center"])
def test_a_complaint_is_matched_by_our_identifying_headers(inbox: Inbox, header: str) -> None:
    raw = arf(original=f"To: [redacted]\r\n{header}: {B.partition('@')[0]}")
    assert inbox.process(raw, "fbl@in.example.org") == "complaint"
    assert inbox.opt_outs == ["weekly-news"]


def test_a_complaint_is_matched_by_the_return_path(inbox: Inbox) -> None:
    inbox.process(arf(original=f"Return-Path: <{B}>"), "fbl@in.example.org")
    assert inbox.opt_outs == ["weekly-news"]


@given(raw=st.binary(max_size=2000), recipient=st.text(max_size=80))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_message_unsubscribes_without_a_token(inbox: Inbox, raw: bytes, recipient: str) -> None:
    inbox.process(raw, recipient)
    assert inbox.opt_outs == []


def test_no_part_of_a_message_is_logged(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    inbox.process(mail("canary-note"), U)
    inbox.process(mail("canary-note"), "canary@in.example.org")
    assert caplog.records
    for secret in (U.partition("@")[0], "canary", "ada@"):
        assert secret not in caplog.text


def test_a_repeated_message_does_not_end_a_new_subscription(inbox: Inbox) -> None:
    inbox.process(mail(), U)
    with inbox.database.transaction() as session:
        make.start_topic(session, at=make.NOW)
    assert inbox.process(mail(), U) == "duplicate"
    assert inbox.opt_outs == []


def test_one_message_to_two_addresses_unsubscribes_from_both(inbox: Inbox) -> None:
    offers = f"{write_mailto(make.id_of(), 'offers', KEYS)}@in.example.org"
    assert [inbox.process(mail(), U), inbox.process(mail(), offers)] == [
        "unsubscribed",
        "unsubscribed",
    ]
    assert inbox.opt_outs == ["offers", "weekly-news"]


def test_a_complaint_about_another_senders_email_is_quarantined(inbox: Inbox) -> None:
    effect = inbox.process(arf(original="Subject: hello"), "fbl@in.example.org")
    assert effect == "quarantined: a complaint about an email that is not ours"
    assert inbox.quarantined == 1


def test_a_report_to_a_forged_return_path_is_not_quarantined(inbox: Inbox) -> None:
    assert inbox.process(dsn(), _changed(B)) == "ignored: a token that we did not sign"
    assert (inbox.opt_outs, inbox.quarantined) == ([], 0)


@pytest.mark.parametrize(
    "broken", ["https://[", "https://a]b/u/x", "mailto:[x@y", "https://x\u2100y/"]
)
def test_an_invalid_url_does_not_hide_a_valid_one(inbox: Inbox, broken: str) -> None:
    real = make.minter().mint("ada@example.org", "weekly-news", "c").unsubscribe_url
    original = f"List-Unsubscribe: <{broken}>\r\nList-Unsubscribe: <{real}>"
    assert inbox.process(arf(original=original), "fbl@in.example.org") == "complaint"
    assert inbox.opt_outs == ["weekly-news"]


def test_a_recipient_may_be_any_bytes(inbox: Inbox) -> None:
    assert inbox.process(mail(), "u-\udcff@in.example.org") == "quarantined: not understood"


def test_messages_that_name_the_same_people_do_not_deadlock(inbox: Inbox) -> None:
    people = [make.id_of(f"p{number}@x.example") for number in range(30)]
    tokens = [f"{write_mailto(each, 'offers', KEYS)}@in.example.org" for each in people]
    messages = [(mail(str(turn)), turn) for turn in (1, -1)]
    with ThreadPoolExecutor(2) as pool:
        effect = list(pool.map(lambda each: inbox.process(each[0], *tokens[:: each[1]]), messages))
    assert sorted(effect) == ["duplicate", "unsubscribed"]
