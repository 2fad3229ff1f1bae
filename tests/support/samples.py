"""Events about ada@example.org, as the providers document them."""

from typing import Any

from preference_center.links.mail_tokens import write_return_path
from tests.support import make

ADA = "ada@example.org"
TOKEN = write_return_path(make.id_of(ADA), "weekly-news", (make.LINK_KEY,))
SECONDS = int(make.NOW.timestamp())
ISO = "2026-11-22T14:05:00.000Z"
GONE = "550 5.1.1 The email account that you tried to reach does not exist."
FULL = "552 5.2.2 Mailbox full"

_SES_MAIL = {
    "timestamp": ISO,
    "messageId": "0102018f-EXAMPLE",
    "destination": [ADA],
    "tags": {"ses:configuration-set": ["letters"], "preference_center": [TOKEN]},
}


def ses_bounce(kind: str = "Permanent", sub: str = "General", **recipient: Any) -> dict[str, Any]:
    person = {"emailAddress": ADA, "action": "failed", "status": "5.1.1", "diagnosticCode": GONE}
    bounce = {
        "bounceType": kind,
        "bounceSubType": sub,
        "bouncedRecipients": [{**person, **recipient}],
        "timestamp": ISO,
        "feedbackId": "0102018f-feedback",
    }
    return {"eventType": "Bounce", "bounce": bounce, "mail": _SES_MAIL}


def ses_complaint(kind: str | None = "abuse", **recipient: Any) -> dict[str, Any]:
    people = [{"emailAddress": ADA, **recipient}]
    complaint: dict[str, Any] = {"complainedRecipients": people, "timestamp": ISO}
    if kind is not None:
        complaint["complaintFeedbackType"] = kind
    return {"notificationType": "Complaint", "complaint": complaint, "mail": _SES_MAIL}


def ses_subscription(
    *, everything: bool | str, was: str = "OptIn", status: str = "OptIn"
) -> dict[str, Any]:
    """Return a change of one of two topics; the other has long been unsubscribed from."""

    def preferences(status: str, *, everything: bool | str) -> dict[str, Any]:
        topics = [
            {"topicName": "news", "subscriptionStatus": status},
            {"topicName": "offers", "subscriptionStatus": "OptOut"},
        ]
        return {"unsubscribeAll": everything, "topicSubscriptionStatus": topics}

    subscription = {
        "timestamp": ISO,
        "source": "UnsubscribeHeader",
        "newTopicPreferences": preferences(status, everything=everything),
        "oldTopicPreferences": preferences(was, everything=False),
    }
    return {"eventType": "Subscription", "subscription": subscription, "mail": _SES_MAIL}


def ses_delay() -> dict[str, Any]:
    person = {"emailAddress": ADA, "status": "4.4.1", "diagnosticCode": "421 4.4.1 later"}
    delay = {"timestamp": ISO, "delayType": "General", "delayedRecipients": [person]}
    return {"eventType": "DeliveryDelay", "deliveryDelay": delay, "mail": _SES_MAIL}


def ses_delivery() -> dict[str, Any]:
    delivery = {"timestamp": ISO, "recipients": [ADA], "smtpResponse": "250 2.6.0 Message received"}
    return {"eventType": "Delivery", "delivery": delivery, "mail": _SES_MAIL}


def sendgrid(event: str, **changes: Any) -> dict[str, Any]:
    return {
        "email": ADA,
        "timestamp": SECONDS,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": event,
        "sg_event_id": f"event-{event}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "preference_center": TOKEN,
        **changes,
    }


def postmark(record: str, **changes: Any) -> dict[str, Any]:
    return {
        "RecordType": record,
        "ID": 4323372036854775807,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "MessageStream": "broadcast",
        "Email": ADA,
        "BouncedAt": "2026-11-22T14:05:00.1234567Z",
        "Details": f"smtp;{GONE}",
        "Metadata": {"preference_center": TOKEN},
        **changes,
    }


def postmark_change(reason: str | None, *, suppress: bool = True) -> dict[str, Any]:
    changed = {"Recipient": ADA, "ChangedAt": "2026-11-22T14:05:00Z", "Origin": "Recipient"}
    suppression = {"SuppressSending": suppress, "SuppressionReason": reason}
    return postmark("SubscriptionChange", **changed, **suppression)


def postmark_delivery() -> dict[str, Any]:
    """Return the example of Postmark's documentation, with our token."""
    return {
        "RecordType": "Delivery",
        "ServerID": 23,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Recipient": ADA,
        "DeliveredAt": "2026-11-22T14:05:00Z",
        "Details": "Test delivery webhook details",
        "MessageStream": "broadcast",
        "Metadata": {"preference_center": TOKEN},
    }


def mailgun(event: str, message: str = GONE, code: str = "", **changes: Any) -> dict[str, Any]:
    status = {"code": 550, "message": message, "description": "", "enhanced-code": code}
    return {
        "event": event,
        "id": "Ase7i2zsRYeDXztHGENqRA",
        "timestamp": SECONDS + 0.25,
        "recipient": ADA,
        "delivery-status": status,
        "user-variables": {"preference_center": TOKEN},
        **changes,
    }
