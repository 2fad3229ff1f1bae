"""What each kind of mail does that comes in, whatever stands around it (M11 to M14, S2)."""

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
U = f"{write_mailto(make.person(), 'weekly-news', KEYS)}@in.example.org"
B = f"{write_return_path(make.person(), 'weekly-news', KEYS)}@in.example.org"


@pytest.fixture(autouse=True)
def reader(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)
        make.topic(session, "offers")
        make.reader(session, "ada@example.org", "weekly-news", "offers")


def mail(body: str = "", **headers: str) -> bytes:
    """Return the bytes of a mail; `Message_Id` is written Message-Id."""
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
    """Return a delivery report as Postfix writes it; `another` recipient was reached."""
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
    """Return a complaint (RFC 5965) about a mail of ours."""
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
    """A receiver on one database, and what it has done to ada@example.org."""

    def __init__(self, database: Database, *, trusted: bool = False, **changes: Any) -> None:
        self.database = database
        known = make.settings(inbound_domain="in.example.org", **changes)
        self.receiver = MailProcessor(
            database, known, lambda: make.NOW, is_signed_by=lambda raw, domains: trusted
        )

    def take(self, raw: bytes, *recipients: str) -> str:
        return self.receiver.process(raw, recipients)

    @property
    def stops(self) -> list[str]:
        """Return what is stopped: topics, `all`, `address`."""
        with self.database.reading() as session:
            person = subscribers.find(session, make.person())
            assert person is not None
            topics = person.subscriptions.values()
            left = [each.topic for each in topics if each.status == "unsubscribed"]
            return sorted([*left, *person.suppressions])

    @property
    def answers(self) -> list[str | None]:
        """Return what each confirmation that waits would answer."""
        with self.database.reading() as session:
            return list(session.scalars(select(OutboxRow.in_reply_to)))

    @property
    def soft(self) -> int:
        """Return on how many days a failure that may pass is on record."""
        with self.database.reading() as session:
            return len(session.scalars(select(FailedMailing)).all())

    @property
    def kept(self) -> int:
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
    "from somebody else": mail(From="eve@example.net"),
    "an automatic answer": mail(Auto_Submitted="auto-replied"),
    "no headers at all": b"\r\nhello",
    "nothing": b"\r\n",
    "bytes of no charset": b"Subject: \xff\xfe\r\nContent-Type: text/plain; charset=x\r\n\r\n\x80",
}


@pytest.mark.parametrize("what", MAILTOS)
def test_the_recipient_alone_says_who_leaves_what(inbox: Inbox, what: str) -> None:
    assert inbox.take(MAILTOS[what], U) == "unsubscribed"
    assert inbox.stops == ["weekly-news"]


@pytest.mark.parametrize("spelt", [U.upper(), U.capitalize(), f"<{U}>", f" {U} "])
def test_the_case_of_the_recipient_says_nothing(inbox: Inbox, spelt: str) -> None:
    assert inbox.take(mail(), spelt) == "unsubscribed"


@pytest.mark.parametrize("header", ["To", "Delivered-To", "X-Original-To", "Cc"])
def test_without_an_envelope_the_headers_say_who(inbox: Inbox, header: str) -> None:
    assert inbox.take(mail(**{header: U})) == "unsubscribed"


def test_where_one_click_means_everything_so_does_a_mail(database: Database) -> None:
    inbox = Inbox(database, one_click_scope=Scope.ALL)
    inbox.take(mail(), U)
    assert inbox.stops == ["all"]


def test_the_same_mail_twice_has_one_effect(inbox: Inbox) -> None:
    assert [inbox.take(mail(), U), inbox.take(mail(), U)] == ["unsubscribed", "duplicate"]
    assert len(inbox.answers) == 1


def test_the_confirmation_answers_the_mail(inbox: Inbox) -> None:
    inbox.take(mail(), U)
    assert inbox.answers == ["<m1@example.org>"]


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
def test_an_automatic_mail_is_obeyed_and_never_answered(
    inbox: Inbox, headers: dict[str, str]
) -> None:
    assert inbox.take(mail(**headers), U) == "unsubscribed"
    assert inbox.answers == []


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
        f"{write_mailto(make.person(), 'weekly-news', [make.SERVER_KEY])}@in.example.org",
        "unsubscribe@in.example.org",
        "@",
        "",
    ],
)
def test_a_forged_recipient_stops_nobody_and_is_kept(inbox: Inbox, recipient: str) -> None:
    assert inbox.take(mail("stop"), recipient).startswith("quarantined: ")
    assert inbox.stops == []
    assert inbox.kept == 1


def test_what_nobody_understands_is_kept_once(inbox: Inbox) -> None:
    inbox.take(mail("hello"), "x@in.example.org")
    inbox.take(mail("hello"), "x@in.example.org")
    assert inbox.kept == 1


def test_an_automatic_answer_to_a_mailing_is_not_kept(inbox: Inbox) -> None:
    away = mail("I am away", Subject="Out of office", Auto_Submitted="auto-replied")
    assert inbox.take(away, B) == "ignored: an automatic message"
    assert (inbox.stops, inbox.kept) == ([], 0)


def test_a_permanent_bounce_stops_marketing(inbox: Inbox) -> None:
    assert inbox.take(dsn(), B) == "bounce suppressed"
    assert inbox.stops == ["all"]
    assert inbox.answers == []


@pytest.mark.parametrize("status", ["5.2.2", "4.4.1", "5.0.0"])
def test_any_other_bounce_is_counted(inbox: Inbox, status: str) -> None:
    assert inbox.take(dsn(status), B) == "bounce soft"
    assert inbox.stops == []


@pytest.mark.parametrize(
    ("status", "action"), [("4.1.1", "delayed"), ("5.7.1", "failed"), ("5.7.515", "failed")]
)
def test_a_delay_and_a_verdict_on_the_sender_count_for_nothing(
    inbox: Inbox, status: str, action: str
) -> None:
    assert inbox.take(dsn(status, action), B) == "bounce ignored"
    assert (inbox.stops, inbox.soft, inbox.kept) == ([], 0, 0)


@pytest.mark.parametrize(
    ("final", "original", "another", "told"),
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
def test_a_dead_mailbox_behind_an_address_does_not_end_the_address(
    inbox: Inbox, final: str, original: str, another: bool, told: str
) -> None:
    raw = dsn(recipient=final, original_recipient=original, another=another)
    assert inbox.take(raw, B) == told
    assert inbox.stops == (["all"] if told == "bounce suppressed" else [])


def test_a_subscriber_whose_address_is_not_known_is_the_one_who_failed(inbox: Inbox) -> None:
    unknown = make.person("not-on-record@example.org")
    token = f"{write_return_path(unknown, 'weekly-news', KEYS)}@in.example.org"
    assert inbox.take(dsn(recipient="dead@inside.example"), token) == "bounce suppressed"


def test_a_report_about_our_own_email_counts_whatever_its_from_says(inbox: Inbox) -> None:
    raw = dsn(original="From: System Administrator Weekly <postmaster@example.org>")
    assert inbox.take(raw, B) == "bounce suppressed"


def test_a_report_about_our_own_email_that_is_not_understood_is_kept(inbox: Inbox) -> None:
    raw = mail("Maintenance tonight.", From="MAILER-DAEMON@mx.example", Auto_Submitted="no")
    assert inbox.take(raw, B) == "quarantined: a report that is not understood"
    assert (inbox.stops, inbox.kept) == ([], 1)
    assert inbox.take(raw, "letters@example.org") == "ignored: an automatic message"


def test_a_challenge_is_nothing(inbox: Inbox) -> None:
    raw = mail("Please verify that you are a person: https://x.example/1")
    assert inbox.take(raw, B) == "ignored: an automatic message"
    assert (inbox.stops, inbox.soft, inbox.kept) == ([], 0, 0)


def test_a_reader_who_writes_like_a_challenge_leaves_or_is_kept(inbox: Inbox) -> None:
    raw = mail("Stop. To confirm your message I clicked on https://x.example/1")
    assert inbox.take(raw, "letters@example.org") == "quarantined: not understood"
    assert inbox.take(raw, U) == "unsubscribed"


def test_a_bounce_is_counted_for_the_topic_of_its_email(inbox: Inbox) -> None:
    inbox.take(dsn("4.2.2"), B)
    with inbox.database.reading() as session:
        assert session.scalars(select(FailedMailing.topic)).one() == "weekly-news"


def test_a_bounce_of_our_confirmation_stops_nobody(inbox: Inbox) -> None:
    inbox.take(dsn(), "letters@example.org")
    assert inbox.stops == []


def test_a_complaint_ends_the_topic(inbox: Inbox) -> None:
    assert inbox.take(arf(), "fbl@in.example.org") == "complaint"
    assert inbox.stops == ["weekly-news"]
    assert inbox.answers == []


def test_a_listed_reporters_complaint_ends_everything(database: Database) -> None:
    inbox = Inbox(database, trusted=True)
    inbox.take(arf(), "fbl@in.example.org")
    assert inbox.stops == ["all"]


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_what_is_no_complaint_does_nothing(inbox: Inbox, kind: str) -> None:
    inbox.take(arf(kind), "fbl@in.example.org")
    assert (inbox.stops, inbox.kept) == ([], 0)


@pytest.mark.parametrize(
    "kind", ["Abuse;", "abuse (spam)", "(x) abuse", "spam", "complaint", "unsubscribe", "xarf", ""]
)
def test_every_other_kind_is_a_complaint(inbox: Inbox, kind: str) -> None:
    assert inbox.take(arf(kind), "fbl@in.example.org") == "complaint"
    assert inbox.stops == ["weekly-news"]


@pytest.mark.parametrize("kind", ["not-spam (x)", "Not-Spam;", "auth-failure (dkim)"])
def test_a_comment_makes_no_complaint_of_another_kind(inbox: Inbox, kind: str) -> None:
    inbox.take(arf(kind), "fbl@in.example.org")
    assert inbox.stops == []


@pytest.mark.parametrize("written", ["{}", "<{}>", "{}@in.example.org"])
def test_a_complaint_is_found_by_the_feedback_id_in_the_report_itself(
    inbox: Inbox, written: str
) -> None:
    token = written.format(B.partition("@")[0])
    raw = arf(f"abuse\r\nCFBL-Feedback-ID: {token}", original="To: [redacted]")
    assert inbox.take(raw, "fbl@in.example.org") == "complaint"
    assert inbox.stops == ["weekly-news"]


def test_a_complaint_whose_fields_are_sent_as_plain_text_is_found(inbox: Inbox) -> None:
    raw = arf().replace(b"message/feedback-report", b"text/plain; charset=us-ascii")
    assert inbox.take(raw, "fbl@in.example.org") == "complaint"
    assert inbox.stops == ["weekly-news"]


def test_a_report_of_another_type_is_not_a_complaint_for_its_words(inbox: Inbox) -> None:
    raw = arf().replace(b"message/feedback-report", b"text/plain")
    raw = raw.replace(b"report-type=feedback-report", b"report-type=delivery-status")
    inbox.take(raw, "fbl@in.example.org")
    assert inbox.stops == []


def test_not_spam_brings_nobody_back(inbox: Inbox) -> None:
    inbox.take(arf(), "fbl@in.example.org")
    inbox.take(arf("not-spam"), "fbl@in.example.org")
    assert inbox.stops == ["weekly-news"]


@pytest.mark.parametrize(
    "original",
    [
        "",
        "List-Unsubscribe: <https://mail.example.org/u/1.20779.forged>",
        "List-Unsubscribe: <https://elsewhere.example/unsubscribe?id=7>",
    ],
)
def test_a_complaint_about_a_mail_we_never_signed_stops_nobody(inbox: Inbox, original: str) -> None:
    inbox.take(arf(original=original), "fbl@in.example.org")
    assert inbox.stops == []


@pytest.mark.parametrize("header", ["CFBL-Feedback-ID", "X-Preference-Center"])
def test_a_complaint_is_found_by_what_we_wrote_to_know_the_email_by(
    inbox: Inbox, header: str
) -> None:
    raw = arf(original=f"To: [redacted]\r\n{header}: {B.partition('@')[0]}")
    assert inbox.take(raw, "fbl@in.example.org") == "complaint"
    assert inbox.stops == ["weekly-news"]


def test_a_complaint_is_found_by_the_return_path_too(inbox: Inbox) -> None:
    inbox.take(arf(original=f"Return-Path: <{B}>"), "fbl@in.example.org")
    assert inbox.stops == ["weekly-news"]


@given(raw=st.binary(max_size=2000), recipient=st.text(max_size=80))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_comes_in_stops_nobody_without_a_token(
    inbox: Inbox, raw: bytes, recipient: str
) -> None:
    inbox.take(raw, recipient)
    assert inbox.stops == []


def test_nothing_of_a_mail_is_logged(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    inbox.take(mail("canary-note"), U)
    inbox.take(mail("canary-note"), "canary@in.example.org")
    assert caplog.records
    for secret in (U.partition("@")[0], "canary", "ada@"):
        assert secret not in caplog.text


def test_the_same_mail_after_the_person_came_back_stops_nothing(inbox: Inbox) -> None:
    inbox.take(mail(), U)
    with inbox.database.transaction() as session:
        make.join(session, at=make.NOW)
    assert inbox.take(mail(), U) == "duplicate"
    assert inbox.stops == []


def test_one_mail_to_two_is_two(inbox: Inbox) -> None:
    offers = f"{write_mailto(make.person(), 'offers', KEYS)}@in.example.org"
    assert [inbox.take(mail(), U), inbox.take(mail(), offers)] == ["unsubscribed", "unsubscribed"]
    assert inbox.stops == ["offers", "weekly-news"]


def test_a_complaint_about_no_mail_of_ours_is_kept(inbox: Inbox) -> None:
    told = inbox.take(arf(original="Subject: hello"), "fbl@in.example.org")
    assert told == "quarantined: a complaint about an email that is not ours"
    assert inbox.kept == 1


def test_a_report_to_a_forged_return_path_is_counted_and_not_kept(inbox: Inbox) -> None:
    assert inbox.take(dsn(), _changed(B)) == "ignored: a token that we did not sign"
    assert (inbox.stops, inbox.kept) == ([], 0)


@pytest.mark.parametrize(
    "broken", ["https://[", "https://a]b/u/x", "mailto:[x@y", "https://x\u2100y/"]
)
def test_an_address_that_is_none_hides_no_other(inbox: Inbox, broken: str) -> None:
    real = make.minter().mint("ada@example.org", "weekly-news", "c").unsubscribe_url
    original = f"List-Unsubscribe: <{broken}>\r\nList-Unsubscribe: <{real}>"
    assert inbox.take(arf(original=original), "fbl@in.example.org") == "complaint"
    assert inbox.stops == ["weekly-news"]


def test_a_recipient_may_be_any_bytes(inbox: Inbox) -> None:
    assert inbox.take(mail(), "u-\udcff@in.example.org") == "quarantined: not understood"


def test_two_mails_that_name_the_same_people_never_wait_for_each_other(inbox: Inbox) -> None:
    people = [make.person(f"p{number}@x.example") for number in range(30)]
    tokens = [f"{write_mailto(each, 'offers', KEYS)}@in.example.org" for each in people]
    mails = [(mail(str(turn)), turn) for turn in (1, -1)]
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda each: inbox.take(each[0], *tokens[:: each[1]]), mails))
    assert sorted(told) == ["duplicate", "unsubscribed"]
