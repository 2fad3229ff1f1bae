"""Only a provider's genuine events are read: each proof of origin, and each way it can fail."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from preference_center.providers import registry
from preference_center.providers.event import (
    InvalidSignatureError,
    MalformedEventError,
    VerificationUnavailableError,
    WebhookRequest,
)
from preference_center.providers.sendgrid.events import (
    SIGNATURE,
    TIMESTAMP,
    SendGrid,
    verification_key,
)
from preference_center.providers.ses.events import Ses
from preference_center.providers.ses.sns import SnsVerifier, host_of
from tests.support import make, samples, webhooks
from tests.support.webhooks import CERTIFICATE, HOST, TOPIC, Amazon, Request, authority, envelope

PAYLOADS: dict[str, Any] = {
    "ses": samples.ses_complaint(),
    "sendgrid": samples.sendgrid("spamreport"),
    "postmark": samples.postmark("SpamComplaint"),
    "mailgun": samples.mailgun("complained"),
}
DAY = timedelta(days=1)
MINUTES = timedelta(minutes=11)

# A request recorded by SendGrid, from the tests of its Python library.
RECORDED_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw"
    "+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
RECORDED = Request(
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":'
    b'"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm'
    b'_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@'
    b'ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n',
    {
        SIGNATURE: "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIq"
        "Hh89M15TluLtEZtM=",
        TIMESTAMP: "1600112502",
    },
)
RECORDED_AT = datetime.fromtimestamp(1600112502, UTC)


def read(provider: str, request: Request, now: datetime = make.NOW) -> int:
    """Return the number of events in a request."""
    return len(webhooks.reader_of(provider).read(request.posted, now))


def changed(request: Request, old: str, new: str) -> Request:
    assert old.encode() in request.body
    return Request(request.body.replace(old.encode(), new.encode()), request.headers)


@pytest.mark.parametrize("provider", registry.READERS)
def test_a_signed_request_is_read(provider: str) -> None:
    assert read(provider, webhooks.SIGNED[provider](PAYLOADS[provider])) == 1


def test_a_request_recorded_by_sendgrid_is_read() -> None:
    reader = SendGrid(verification_key(RECORDED_KEY))
    (event,) = reader.read(RECORDED.posted, RECORDED_AT)
    assert event.address == "hello@world.com"
    with pytest.raises(InvalidSignatureError):
        reader.read(changed(RECORDED, "hello@", "hallo@").posted, RECORDED_AT)


@pytest.mark.parametrize("provider", ["ses", "sendgrid"])
def test_a_changed_payload_is_refused(provider: str) -> None:
    request = webhooks.SIGNED[provider](PAYLOADS[provider])
    with pytest.raises(InvalidSignatureError):
        read(provider, changed(request, "ada@", "eve@"))


@pytest.mark.parametrize("provider", registry.READERS)
def test_an_unsigned_request_is_refused(provider: str) -> None:
    with pytest.raises(InvalidSignatureError):
        read(provider, Request(json.dumps(PAYLOADS[provider]).encode(), {}))


@pytest.mark.parametrize("provider", ["ses", "sendgrid", "mailgun"])
@pytest.mark.parametrize("later", [DAY + MINUTES, -MINUTES])
def test_a_signature_too_old_or_in_the_future_is_refused(provider: str, later: timedelta) -> None:
    request = webhooks.SIGNED[provider](PAYLOADS[provider])
    with pytest.raises(InvalidSignatureError):
        read(provider, request, make.NOW + later)


@pytest.mark.parametrize("provider", ["ses", "sendgrid", "mailgun"])
def test_a_retry_within_a_day_is_read(provider: str) -> None:
    request = webhooks.SIGNED[provider](PAYLOADS[provider])
    assert read(provider, request, make.NOW + DAY) == 1


def test_a_mailgun_signature_with_another_key_or_token_is_refused() -> None:
    other_key = webhooks.mailgun(PAYLOADS["mailgun"], key="another-key-7hG2kP9sQ4vX")
    other_token = changed(webhooks.mailgun(PAYLOADS["mailgun"]), "t" * 50, "u" * 50)
    for request in (other_key, other_token):
        with pytest.raises(InvalidSignatureError):
            read("mailgun", request)


def test_moving_characters_from_mailguns_token_to_its_time_is_refused() -> None:
    request = webhooks.mailgun(PAYLOADS["mailgun"], token="e0" + "a" * 48)
    signature = json.loads(request.body)["signature"]
    moved = changed(request, f'"{signature["timestamp"]}"', f'"{signature["timestamp"]}e0"')
    with pytest.raises(InvalidSignatureError):
        read("mailgun", changed(moved, signature["token"], "a" * 48))


def test_a_mailgun_subaccount_may_use_its_parents_signature() -> None:
    request = webhooks.mailgun(PAYLOADS["mailgun"])
    parents = changed(request, '"signature": "', '"signature": "00", "parent-signature": "')
    assert read("mailgun", parents) == 1


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !", "Basic cG9zdG1hcms6", "Bearer cG9zdG1hcms6", "Basic \ud800"],
)
def test_a_wrong_postmark_password_is_refused(header: str) -> None:
    request = webhooks.postmark(PAYLOADS["postmark"])
    with pytest.raises(InvalidSignatureError):
        read("postmark", Request(request.body, {"Authorization": header}))


@pytest.mark.parametrize(
    ("header", "value"),
    [(SIGNATURE, ""), (SIGNATURE, "AA=="), (SIGNATURE, "é"), (TIMESTAMP, ""), (TIMESTAMP, "nan")],
)
def test_an_invalid_sendgrid_header_is_refused(header: str, value: str) -> None:
    request = webhooks.sendgrid(PAYLOADS["sendgrid"])
    with pytest.raises(InvalidSignatureError):
        read("sendgrid", Request(request.body, {**request.headers, header: value}))


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_sns_signatures_are_accepted(version: str) -> None:
    assert read("ses", webhooks.ses(PAYLOADS["ses"], version=version)) == 1


def test_the_subject_is_part_of_the_signature() -> None:
    assert read("ses", webhooks.ses(PAYLOADS["ses"], Subject="Amazon SES Email Event")) == 1


def test_one_envelope_field_cannot_pass_for_two() -> None:
    request = webhooks.ses(PAYLOADS["ses"], Subject="Event")
    values = json.loads(request.body)
    values["MessageId"] += f"\nSubject\n{values.pop('Subject')}"
    with pytest.raises(InvalidSignatureError):
        read("ses", Request(json.dumps(values).encode(), {}))


def test_an_envelope_signed_by_another_certificate_is_refused() -> None:
    with pytest.raises(InvalidSignatureError):
        read("ses", webhooks.ses(PAYLOADS["ses"], signer=authority("eve.example")))


@pytest.mark.parametrize(
    "url",
    [
        f"https://sns.us-east-1.amazonaws.com{CERTIFICATE}",
        f"https://sns.s3.amazonaws.com{CERTIFICATE}",
        f"http://{HOST}{CERTIFICATE}",
        f"https://{HOST}.eve.example{CERTIFICATE}",
        f"https://{HOST}@eve.example{CERTIFICATE}",
        f"https://{HOST}/eve.pem",
        f"https://{HOST}{CERTIFICATE}?x",
        f"https://{HOST}/..{CERTIFICATE}",
        "",
    ],
)
def test_certificates_come_only_from_amazons_host_of_the_region(url: str) -> None:
    amazon, request = Amazon(), webhooks.ses(PAYLOADS["ses"])
    request = changed(request, f"https://{HOST}{CERTIFICATE}", url)
    with pytest.raises(InvalidSignatureError):
        webhooks.reader_of("ses", amazon.fetch).read(request.posted, make.NOW)
    assert amazon.requests == []


@pytest.mark.parametrize(
    "topic", [TOPIC.replace("123456789012", "999999999999"), "arn:aws:sns:eu-west-1:1:x", ""]
)
def test_an_unlisted_sns_topic_is_refused(topic: str) -> None:
    amazon, request = Amazon(), webhooks.ses(PAYLOADS["ses"], TopicArn=topic)
    with pytest.raises(InvalidSignatureError):
        webhooks.reader_of("ses", amazon.fetch).read(request.posted, make.NOW)
    assert amazon.requests == []


def test_a_certificate_is_fetched_once() -> None:
    amazon = Amazon()
    reader = webhooks.reader_of("ses", amazon.fetch)
    for _ in range(3):
        assert reader.read(webhooks.ses(PAYLOADS["ses"]).posted, make.NOW)
    assert amazon.requests == [(HOST, CERTIFICATE)]


def test_no_thread_waits_while_another_fetches_a_certificate() -> None:
    request = webhooks.ses(PAYLOADS["ses"]).posted

    def fetch(host: str, target: str) -> bytes:
        with pytest.raises(VerificationUnavailableError):
            reader.read(request, make.NOW)
        return Amazon().fetch(host, target)

    reader = Ses(SnsVerifier((TOPIC,), fetch))
    assert len(reader.read(request, make.NOW)) == 1


@pytest.mark.parametrize("answer", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_an_unreadable_certificate_is_refused(answer: bytes) -> None:
    reader = Ses(SnsVerifier((TOPIC,), lambda _host, _target: answer))
    with pytest.raises(InvalidSignatureError):
        reader.read(webhooks.ses(PAYLOADS["ses"]).posted, make.NOW)


def test_an_expired_certificate_is_refused() -> None:
    later = make.NOW + timedelta(days=31)
    with pytest.raises(InvalidSignatureError):
        read("ses", webhooks.ses(PAYLOADS["ses"], at=later), later)


def subscribe(url: str, **changes: Any) -> tuple[Amazon, Request]:
    request = envelope(
        "You have chosen to subscribe",
        Type="SubscriptionConfirmation",
        Token="2336412f37",
        SubscribeURL=url,
        **changes,
    )
    return Amazon(), request


CONFIRM = f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"


def test_a_subscription_is_confirmed_at_amazons_url() -> None:
    amazon, request = subscribe(f"https://{HOST}{CONFIRM}")
    assert webhooks.reader_of("ses", amazon.fetch).read(request.posted, make.NOW) == []
    assert amazon.requests == [(HOST, CERTIFICATE), (HOST, CONFIRM)]


@pytest.mark.parametrize(
    "url", ["https://eve.example/?Action=ConfirmSubscription", f"https://{HOST}/?Action=Delete", ""]
)
def test_a_subscription_is_not_confirmed_at_another_url(url: str) -> None:
    amazon, request = subscribe(url)
    with pytest.raises(InvalidSignatureError):
        webhooks.reader_of("ses", amazon.fetch).read(request.posted, make.NOW)
    assert amazon.requests == [(HOST, CERTIFICATE)]


def test_a_subscription_to_an_unlisted_topic_is_not_confirmed() -> None:
    amazon, request = subscribe(f"https://{HOST}{CONFIRM}", TopicArn=TOPIC + "x")
    with pytest.raises(InvalidSignatureError):
        webhooks.reader_of("ses", amazon.fetch).read(request.posted, make.NOW)
    assert amazon.requests == []


def test_each_partition_has_its_own_hosts() -> None:
    assert host_of(TOPIC) == HOST
    china = "arn:aws-cn:sns:cn-north-1:123456789012:x"
    assert host_of(china) == "sns.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5000])
@pytest.mark.parametrize("provider", ["ses", "postmark", "mailgun"])
def test_invalid_json_is_refused(provider: str, body: bytes) -> None:
    headers = webhooks.postmark({}).headers
    with pytest.raises((MalformedEventError, InvalidSignatureError)):
        webhooks.reader_of(provider).read(Request(body, headers).posted, make.NOW)


def test_a_missing_header_is_treated_as_empty() -> None:
    with pytest.raises(InvalidSignatureError):
        webhooks.reader_of("sendgrid").read(WebhookRequest(b"[]", lambda _name: ""), make.NOW)
