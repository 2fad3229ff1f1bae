"""Complaints from feedback loops, complete or with most fields missing."""

import pytest

from preference_center.mail.arf import Complaint
from preference_center.mail.incoming import read
from tests.support import received


def complaint(name: str) -> Complaint:
    found = received.message(name).complaint
    assert found is not None
    return found


def feedback(fields: str, sender: str = "fbl@example.net") -> bytes:
    body = f"--edge\nContent-Type: message/feedback-report\n\n{fields}\n--edge--\n"
    kind = "multipart/report; report-type=feedback-report; boundary=edge"
    return received.email(body, From=sender, Content_Type=kind)


def test_a_complaint_has_a_kind_and_an_envelope_sender() -> None:
    found = complaint("yahoo-complaint")
    assert found == Complaint(kind="abuse", mail_from="b-token@in.example.org")


def test_outlook_sends_the_email_without_a_report() -> None:
    assert complaint("outlook-complaint") == Complaint("abuse", "")


@pytest.mark.parametrize("kind", ["fraud", "virus", "other", "Miscategorized", "x-new"])
def test_any_kind_is_kept_in_lower_case(kind: str) -> None:
    found = read(feedback(f"Feedback-Type: {kind}\nUser-Agent: x\nVersion: 1")).complaint
    assert found is not None
    assert found.kind == kind.lower()


def test_a_complaint_without_a_kind_has_the_kind_other() -> None:
    found = read(feedback("User-Agent: x\nVersion: 1")).complaint
    assert found is not None
    assert found.kind == "other"


def test_an_empty_report_is_not_a_complaint() -> None:
    assert read(feedback("")).complaint is None


def test_an_undeliverable_complaint_is_not_a_complaint() -> None:
    raw = received.report("Action: failed", returned="X-HmXmrOriginalRecipient: ada@example.net")
    assert read(raw).complaint is None


def test_a_forwarded_complaint_is_not_a_complaint() -> None:
    inner = received.raw("yahoo-complaint").decode()
    body = f"--fwd\nContent-Type: message/rfc822\n\n{inner}\n--fwd--\n"
    raw = received.email(body, Content_Type="multipart/mixed; boundary=fwd")
    assert read(raw).complaint is None


@pytest.mark.parametrize("part", ["text/rfc822-headers", "text/rfc822-header", "message/rfc822"])
def test_a_part_of_headers_only_counts_as_the_original(part: str) -> None:
    fields = f"Feedback-Type: abuse\n\n--edge\nContent-Type: {part}\n\nCFBL-Feedback-ID: b-token"
    fields += f"\nX-Preference-Center: b-other\nList-Unsubscribe: <{received.LINK}>"
    original = read(feedback(fields)).original
    assert original is not None
    assert original.list_unsubscribe == (received.LINK,)
    assert original.feedback_ids == ("b-token", "b-other")


def test_an_outlook_complaint_may_be_merged_with_its_wrapper() -> None:
    raw = received.email(
        Return_Path="staff@hotmail.com",
        X_HmXmrOriginalRecipient="ada@hotmail.example",
        From="news@example.org",
        List_Unsubscribe=f"<{received.LINK}>",
        Content_Type="text/html",
    )
    incoming = read(raw)
    assert incoming.complaint is not None
    assert incoming.complaint.kind == "abuse"
    assert incoming.original is not None
    assert incoming.original.list_unsubscribe == (received.LINK,)


def test_an_outlook_complaint_may_be_flattened_to_text() -> None:
    body = f"X-HmXmrOriginalRecipient: ada@hotmail.example\nList-Unsubscribe: <{received.LINK}>\n"
    incoming = read(received.email(body, From="staff@hotmail.com", Subject="complaint about x"))
    assert incoming.complaint is not None
    assert incoming.original is not None
    assert incoming.original.list_unsubscribe == (received.LINK,)
    assert read(received.email(body, From="bob@example.net")).complaint is None


def test_an_outlook_subject_may_be_an_encoded_word() -> None:
    body = (
        f"--edge\nContent-Type: message/rfc822\n\nList-Unsubscribe: <{received.LINK}>\n--edge--\n"
    )
    raw = received.email(
        body,
        From="staff@hotmail.com",
        Subject="=?utf-8?Q?complaint_about_message_from_192.0.2.1?=",
        Content_Type="multipart/mixed; boundary=edge",
    )
    assert read(raw).complaint is not None
