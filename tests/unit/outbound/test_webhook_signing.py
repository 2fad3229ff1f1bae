"""Signatures, verified by the library of Standard Webhooks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from preference_center.outbound.webhook_signing import headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BODY = '{"type":"topic.stopped","data":{"topic":"Grüße"}}'.encode()


def signed(*secrets: str, at: datetime | None = None) -> dict[str, str]:
    return headers(secrets, "event-1", at or datetime.now(UTC), BODY)


def test_a_receiver_verifies_a_message() -> None:
    assert Webhook(SECRET).verify(BODY, signed(SECRET))["type"] == "topic.stopped"


def test_a_receiver_with_either_secret_verifies_a_message_with_two() -> None:
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(BODY, signed(SECRET, OTHER))


def test_a_receiver_refuses_another_secret_and_another_body() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, signed(SECRET))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", signed(SECRET))


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp"])
def test_the_signature_covers_the_id_and_the_time(part: str) -> None:
    changed = {**signed(SECRET), part: str(int(datetime.now(UTC).timestamp()) + 1)}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, changed)


def test_the_time_does_not_depend_on_the_zone() -> None:
    now = datetime.now(UTC)
    tokyo = now.astimezone(timezone(timedelta(hours=9)))
    assert signed(SECRET, at=tokyo) == signed(SECRET, at=now)
    Webhook(SECRET).verify(BODY, signed(SECRET, at=tokyo))


def test_a_known_signature() -> None:
    """The example of the specification's own libraries."""
    made = headers(
        [SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )  # fmt: skip
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
