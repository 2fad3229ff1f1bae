"""What each provider's events mean: their kind, their recipient and their time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from preference_center.providers.event import Event, InvalidSignatureError
from tests.support import make, samples, webhooks
from tests.support.samples import (
    ADA,
    FULL,
    GONE,
    TOKEN,
    ses_bounce,
    ses_complaint,
    ses_delay,
    ses_subscription,
)

# Provider, event, and meaning: a bounce's code is followed by a sign for its severity.
SIGNS = {"permanent": "!", "probable": "?", "soft": "", "ignored": "-"}
MEANINGS: list[tuple[str, Any, str]] = [
    ("ses", ses_bounce(), "bounce 5.1.1!"),
    ("ses", ses_bounce(sub="NoEmail"), "bounce 5.1.1!"),
    ("ses", ses_bounce(status="5.2.2", diagnosticCode=FULL), "bounce 5.2.2"),
    ("ses", ses_bounce(status="5.7.1", diagnosticCode="550 5.7.1 blocked"), "bounce 5.7.1-"),
    ("ses", ses_bounce(status="", diagnosticCode=""), "bounce !"),
    ("ses", ses_bounce(sub="NoEmail", status=None, diagnosticCode=None), "bounce !"),
    ("ses", ses_bounce(status="5.0.0", diagnosticCode="smtp; 554 refused"), "bounce 5.0.0!"),
    ("ses", ses_bounce(status="", diagnosticCode="smtp; 550 no such user"), "bounce 5.1.1!"),
    ("ses", ses_bounce(status="", diagnosticCode="smtp; 554 spam"), "bounce -"),
    ("ses", ses_bounce("Transient", "MessageTooLarge"), "bounce -"),
    (
        "ses",
        ses_bounce("Transient", status="4.7.0", diagnosticCode="421 4.7.0 rate"),
        "bounce 4.7.0-",
    ),
    ("ses", ses_bounce("Transient", "MailboxFull"), "bounce 5.1.1"),
    ("ses", ses_bounce("Undetermined"), "bounce 5.1.1"),
    ("ses", ses_bounce(sub="Suppressed"), "bounce 5.1.1"),
    ("ses", ses_bounce(sub="OnAccountSuppressionList"), "bounce 5.1.1"),
    ("ses", ses_bounce(sub="OnTenantSuppressionList"), "bounce 5.1.1"),
    ("ses", ses_bounce(sub="Suppressed", status="", diagnosticCode="on a block list"), "bounce"),
    ("ses", ses_bounce(sub="OnAnotherSuppressionList", status=""), "bounce"),
    ("ses", ses_bounce(status="<5.1.1>", diagnosticCode=7), "bounce !"),
    ("ses", ses_bounce("Transient", status="4.4.7", diagnosticCode=""), "bounce 4.4.7"),
    ("ses", ses_bounce("Transient", status=None, diagnosticCode=None), ""),
    ("ses", ses_delay(), ""),
    ("ses", ses_complaint(), "complaint"),
    ("ses", ses_complaint(None), "complaint"),
    ("ses", ses_complaint("not-spam"), ""),
    ("ses", ses_complaint("auth-failure"), ""),
    ("ses", ses_subscription(everything=True), "unsubscribe from everything"),
    ("ses", ses_subscription(everything=False, status="OptOut"), "unsubscribe"),
    ("ses", ses_subscription(everything="True"), "unsubscribe from everything"),
    ("ses", ses_subscription(everything="false"), ""),
    ("ses", ses_subscription(everything=False), ""),
    ("ses", ses_subscription(everything=False, was="OptOut"), ""),
    ("ses", samples.ses_delivery(), "delivered"),
    ("ses", {"eventType": "Reject", "reject": {"reason": "Bad content"}}, ""),
    ("sendgrid", samples.sendgrid("bounce", reason=GONE, type="bounce"), "bounce 5.1.1!"),
    ("sendgrid", samples.sendgrid("bounce", status="5.1.1", reason=GONE), "bounce 5.1.1!"),
    ("sendgrid", samples.sendgrid("bounce", status="5.0.0", reason="500 unknown"), "bounce 5.0.0"),
    (
        "sendgrid",
        samples.sendgrid("bounce", status="5.0.0", reason="x", type="bounce"),
        "bounce 5.0.0!",
    ),
    ("sendgrid", samples.sendgrid("bounce", reason="552 mailbox full", type="bounce"), "bounce"),
    (
        "sendgrid",
        samples.sendgrid("bounce", type="bounce", bounce_classification="Invalid Address"),
        "bounce !",
    ),
    (
        "sendgrid",
        samples.sendgrid("bounce", type="bounce", bounce_classification="Reputation"),
        "bounce -",
    ),
    (
        "sendgrid",
        samples.sendgrid("bounce", type="bounce", bounce_classification="Technical Failure"),
        "bounce",
    ),
    ("sendgrid", samples.sendgrid("bounce", reason=GONE, type="blocked"), "bounce"),
    (
        "sendgrid",
        samples.sendgrid("bounce", reason="554 blocked: spam", type="blocked"),
        "bounce -",
    ),
    ("sendgrid", samples.sendgrid("deferred", status="4.2.2"), ""),
    ("sendgrid", samples.sendgrid("dropped", reason="Bounced Address"), "bounce"),
    (
        "sendgrid",
        samples.sendgrid("dropped", reason="Unsubscribed Address"),
        "unsubscribe from everything",
    ),
    (
        "sendgrid",
        samples.sendgrid("dropped", reason=" unsubscribed address\n"),
        "unsubscribe from everything",
    ),
    ("sendgrid", samples.sendgrid("dropped", reason="Recipient List over Package Quota"), ""),
    ("sendgrid", samples.sendgrid("dropped", reason="Spam Reporting Address"), "complaint"),
    ("sendgrid", samples.sendgrid("spamreport"), "complaint"),
    ("sendgrid", samples.sendgrid("unsubscribe"), "unsubscribe from everything"),
    ("sendgrid", samples.sendgrid("group_unsubscribe", asm_group_id=10), "unsubscribe"),
    ("sendgrid", samples.sendgrid("group_resubscribe"), ""),
    ("sendgrid", samples.sendgrid("delivered"), "delivered"),
    ("sendgrid", samples.sendgrid("click"), ""),
    ("postmark", samples.postmark("Bounce", Type="HardBounce"), "bounce 5.1.1!"),
    ("postmark", samples.postmark("Bounce", Type="HardBounce", Details=FULL), "bounce 5.2.2"),
    ("postmark", samples.postmark("Bounce", Type="HardBounce", Details=""), "bounce !"),
    ("postmark", samples.postmark("Bounce", Type="HardBounce", Details="550 spam"), "bounce -"),
    ("postmark", samples.postmark("Bounce", Type="Blocked"), "bounce -"),
    ("postmark", samples.postmark("Bounce", Type="BadEmailAddress"), "bounce 5.1.3!"),
    ("postmark", samples.postmark("Bounce", Type="SoftBounce"), "bounce"),
    ("postmark", samples.postmark("Bounce", Type="SpamNotification"), "bounce -"),
    ("postmark", samples.postmark("Bounce", Type="SpamComplaint"), "complaint"),
    ("postmark", samples.postmark("Bounce", Type="AutoResponder"), ""),
    ("postmark", samples.postmark("Bounce", Type="Subscribe"), ""),
    ("postmark", samples.postmark("Bounce", Type="Unsubscribe"), "unsubscribe"),
    ("postmark", samples.postmark("SpamComplaint", Type="SpamComplaint"), "complaint"),
    ("postmark", samples.postmark_change("ManualSuppression"), "unsubscribe"),
    ("postmark", samples.postmark_change("SpamComplaint"), "complaint"),
    ("postmark", samples.postmark_change("HardBounce"), "bounce !"),
    ("postmark", samples.postmark_change("HardBounce", suppress=False), ""),
    ("postmark", samples.postmark_change(None, suppress=False), ""),
    ("postmark", samples.postmark_delivery(), "delivered"),
    ("postmark", samples.postmark("Open"), ""),
    ("mailgun", samples.mailgun("failed", severity="permanent", reason="bounce"), "bounce 5.1.1!"),
    ("mailgun", samples.mailgun("failed", "x", "5.1.10", severity="permanent"), "bounce 5.1.10!"),
    ("mailgun", samples.mailgun("failed", FULL, severity="permanent"), "bounce 5.2.2"),
    ("mailgun", samples.mailgun("failed", "", severity="permanent", reason="bounce"), "bounce !"),
    ("mailgun", samples.mailgun("failed", "", severity="permanent", reason="generic"), "bounce"),
    ("mailgun", samples.mailgun("failed", severity="temporary", reason="generic"), ""),
    ("mailgun", samples.mailgun("failed", "Too old", severity="permanent", reason="old"), "bounce"),
    (
        "mailgun",
        samples.mailgun("failed", severity="permanent", reason="suppress-bounce"),
        "bounce",
    ),
    (
        "mailgun",
        samples.mailgun("failed", severity="permanent", reason="suppress-unsubscribe"),
        "unsubscribe",
    ),
    (
        "mailgun",
        samples.mailgun("failed", severity="permanent", reason="suppress-complaint"),
        "complaint",
    ),
    ("mailgun", samples.mailgun("complained"), "complaint"),
    ("mailgun", samples.mailgun("unsubscribed"), "unsubscribe"),
    ("mailgun", samples.mailgun("delivered"), "delivered"),
    ("mailgun", samples.mailgun("rejected"), ""),
]


def read(provider: str, payload: Any) -> list[Event]:
    request = webhooks.SIGNED[provider](payload)
    return webhooks.reader_of(provider).read(request.posted, make.NOW)


def summary(event: Event) -> str:
    code = f"{event.code}{SIGNS[event.severity] if event.kind == 'bounce' else ''}"
    return f"{event.kind} {code}".strip() + (" from everything" if event.everything else "")


@pytest.mark.parametrize(("provider", "payload", "meaning"), MEANINGS)
def test_an_event_has_its_documented_meaning(provider: str, payload: Any, meaning: str) -> None:
    assert [summary(event) for event in read(provider, payload)] == ([meaning] if meaning else [])


@pytest.mark.parametrize(("provider", "payload", "meaning"), [each for each in MEANINGS if each[2]])
def test_an_event_has_its_recipient_token_and_time(
    provider: str, payload: Any, meaning: str
) -> None:
    (event,) = read(provider, payload)
    assert (event.address, event.token) == (ADA, TOKEN)
    assert event.id
    assert abs(event.occurred_at - make.NOW) < timedelta(seconds=1)


def test_each_of_two_recipients_has_an_event() -> None:
    payload = ses_bounce()
    other = {"emailAddress": "ben@example.org", "status": "4.4.7"}
    payload["bounce"]["bouncedRecipients"].append(other)
    first, second = read("ses", payload)
    assert (first.address, second.address) == (ADA, "ben@example.org")
    assert first.id != second.id


@pytest.mark.parametrize("written", ["Ada <ada@example.org>", '"Ada, L." <ada@example.org>'])
def test_a_display_name_is_not_part_of_the_address(written: str) -> None:
    assert [event.address for event in read("ses", ses_bounce(emailAddress=written))] == [ADA]


def test_a_redacted_complaint_keeps_its_token() -> None:
    payload = ses_complaint()
    payload["complaint"]["complainedRecipients"] = []
    (event,) = read("ses", payload)
    assert (event.kind, event.address, event.token) == ("complaint", "", TOKEN)


def test_the_token_is_found_in_the_headers_that_ses_repeats() -> None:
    payload = ses_bounce()
    headers = [{"name": "Subject", "value": "x"}, {"name": "X-Preference-Center", "value": TOKEN}]
    payload["mail"] = {"destination": [ADA], "headers": headers}
    assert [event.token for event in read("ses", payload)] == [TOKEN]


@pytest.mark.parametrize(
    "arguments",
    [
        {"custom_args": {"preference_center": TOKEN}},
        {"unique_args": {"preference_center": TOKEN}},
        {"custom_args": [{"key": "x", "value": "y"}, {"key": "preference_center", "value": TOKEN}]},
        {"unique_args": [{"key": "preference_center", "value": TOKEN}]},
    ],
)
def test_sendgrids_custom_arguments_are_read_in_every_form(arguments: dict[str, Any]) -> None:
    payload = samples.sendgrid("unsubscribe", preference_center=None, **arguments)
    assert [event.token for event in read("sendgrid", payload)] == [TOKEN]


@pytest.mark.parametrize(
    "arguments", [[], {}, "x", [{"key": 7}], [["preference_center", TOKEN]], None]
)
def test_other_custom_arguments_are_not_a_token(arguments: Any) -> None:
    payload = samples.sendgrid("unsubscribe", preference_center=None, custom_args=arguments)
    assert [event.token for event in read("sendgrid", payload)] == [""]


@pytest.mark.parametrize(
    ("address", "sent_to"), [(ADA, True), ("ADA@example.org", True), ("far@x.example", False)]
)
def test_ses_reports_whether_it_sent_to_the_failed_address(address: str, sent_to: bool) -> None:
    payload = ses_bounce(emailAddress=address)
    assert [event.sent_to_address for event in read("ses", payload)] == [sent_to]
    payload["mail"] = {"tags": {}}
    assert [event.sent_to_address for event in read("ses", payload)] == [None]


@pytest.mark.parametrize("form", webhooks.MAILGUN_FORMS)
def test_a_signed_form_of_a_legacy_mailgun_webhook_is_an_unknown_event(form: str) -> None:
    request = webhooks.mailgun_form(form, event="unsubscribed", recipient=ADA)
    (event,) = webhooks.reader_of("mailgun").read(request.posted, make.NOW)
    assert (event.kind, event.raw, event.address) == ("unknown", request.body, "")


@pytest.mark.parametrize("form", webhooks.MAILGUN_FORMS)
def test_a_form_with_a_wrong_signature_is_refused(form: str) -> None:
    request = webhooks.mailgun_form(form, key="not-the-key-at-all", event="unsubscribed")
    with pytest.raises(InvalidSignatureError):
        webhooks.reader_of("mailgun").read(request.posted, make.NOW)


def test_amazons_validation_message_is_not_an_event() -> None:
    text = "Successfully validated SNS topic for Amazon SES event publishing."
    assert webhooks.reader_of("ses").read(webhooks.envelope(text).posted, make.NOW) == []


def test_an_event_without_a_time_happened_now() -> None:
    payload = samples.sendgrid("unsubscribe", timestamp="soon")
    assert [event.occurred_at for event in read("sendgrid", payload)] == [make.NOW]


def test_postmarks_seven_fractional_digits_are_read() -> None:
    (event,) = read("postmark", samples.postmark("SpamComplaint"))
    assert event.occurred_at == datetime(2026, 11, 22, 14, 5, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("payload", [None, [], "x", 7, {"email": []}, [[]], {"a": {"b": None}}])
@pytest.mark.parametrize("provider", list(webhooks.SIGNED))
def test_a_payload_of_unknown_form_is_not_an_event(provider: str, payload: Any) -> None:
    assert read(provider, payload) == []


@pytest.mark.parametrize("address", ["\ud800@example.org", "a\0@example.org", 7.5, None, ["x"]])
def test_an_address_that_no_database_can_store_is_dropped(address: Any) -> None:
    (event,) = read("sendgrid", samples.sendgrid("unsubscribe", email=address))
    assert event.address in ("", "7.5")
