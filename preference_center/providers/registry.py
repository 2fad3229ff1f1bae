"""The providers whose events are accepted. A new provider is added to `READERS`.

A reader that needs `cryptography` is imported when it is configured: that takes 30 ms.
"""

from collections.abc import Callable

from preference_center.providers.event import EventReader
from preference_center.providers.mailgun.events import Mailgun
from preference_center.providers.postmark.events import Postmark
from preference_center.settings.env import PREFIX, SettingsError
from preference_center.settings.settings import Settings


def _ses(settings: Settings) -> EventReader | None:
    arns = settings.ses_sns_topic_arns
    if not arns:
        return None
    from preference_center.providers.ses.events import Ses
    from preference_center.providers.ses.sns import SnsVerifier

    return Ses(SnsVerifier(arns))


def _sendgrid(settings: Settings) -> EventReader | None:
    key = settings.sendgrid_webhook_public_key
    if not key:
        return None
    from preference_center.providers.sendgrid.events import SendGrid, verification_key

    try:
        return SendGrid(verification_key(key))
    except ValueError as error:
        name = f"{PREFIX}SENDGRID_WEBHOOK_PUBLIC_KEY"
        raise SettingsError([f"{name} is not the verification key that SendGrid shows."]) from error


def _postmark(settings: Settings) -> EventReader | None:
    credentials = settings.postmark_webhook_credentials
    return Postmark(credentials) if credentials else None


def _mailgun(settings: Settings) -> EventReader | None:
    key = settings.mailgun_webhook_signing_key
    return Mailgun(key) if key else None


READERS: dict[str, Callable[[Settings], EventReader | None]] = {
    "ses": _ses,
    "sendgrid": _sendgrid,
    "postmark": _postmark,
    "mailgun": _mailgun,
}


def event_readers(settings: Settings) -> dict[str, EventReader]:
    """Return the event reader of each provider whose secret is set, by name.

    Raise SettingsError if a secret cannot be used.
    """
    found = {name: make(settings) for name, make in READERS.items()}
    return {name: reader for name, reader in found.items() if reader is not None}
