"""What each of our own mails says, and to whom: the stored address, never another."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import joining, outbox, receipts, subscribers, topics
from preference_center.core.preferences import is_reachable
from preference_center.core.vocab import ConfirmState, KeyKind, OutboxKind, ReceiptState, Scope
from preference_center.i18n import Languages
from preference_center.links.addresses import normalise
from preference_center.links.minter import Link, write_link
from preference_center.links.server import Confirm, Receipt, write_confirm, write_receipt
from preference_center.settings.settings import Settings
from preference_center.store.tables import Subscriber


@dataclass(frozen=True)
class RenderedEmail:
    """A mail before it is composed: its templates, its language, and what they are filled with."""

    template: str
    to: str
    locale: str
    values: dict[str, Any]
    in_reply_to: str | None = None


def write(
    session: Session,
    mail: outbox.LeasedEmail,
    settings: Settings,
    languages: Languages,
    now: datetime,
) -> RenderedEmail | None:
    """Return what a claimed mail says, or None where there is nothing left to say."""
    person = subscribers.find(session, mail.subscriber_id)
    if person is None or person.email is None or not _may_come(mail.kind, person):
        return None
    writer = _Writer(session, mail, settings, now, languages.choose(person.locale))
    values = writer.values(person)
    if values is None:
        return None
    return RenderedEmail(
        mail.kind.value, normalise(person.email), writer.locale, values, mail.in_reply_to
    )


def _may_come(kind: OutboxKind, person: Subscriber) -> bool:
    """Tell whether a mail may be tried: after a bounce, only what the person asks for."""
    requested = kind is not OutboxKind.CHANGE_NOTICE
    return Scope.ADDRESS not in person.suppressions or (requested and is_reachable(person))


@dataclass(frozen=True)
class _Writer:
    session: Session
    mail: outbox.LeasedEmail
    settings: Settings
    now: datetime
    locale: str

    def values(self, person: Subscriber) -> dict[str, Any] | None:
        if self.mail.kind is OutboxKind.CHANGE_NOTICE:
            return self._change_notice(person)
        if self.mail.kind is OutboxKind.OPT_IN_REQUEST:
            return self._opt_in_request(person)
        return {"address": person.email, "preferences_url": self._preferences_url("", "link")}

    def _change_notice(self, person: Subscriber) -> dict[str, Any] | None:
        mail = self.mail
        receipt = receipts.read(
            self.session, person, mail.first_seq, mail.last_seq, self.locale, self.now
        )
        if receipt is None or receipt.state is ReceiptState.UNDONE:
            return None
        if receipt.state is ReceiptState.SUPERSEDED and not receipt.gives_more:
            return None  # A later change has its own email, which this one would contradict.
        signed = Receipt(mail.created_at.date(), mail.subscriber_id, mail.first_seq, mail.last_seq)
        receipt_url = self._url("r", write_receipt(signed, self._keys(KeyKind.SERVER)))
        topic = receipt.changes[0].topic
        return {
            "receipt": receipt,
            "current": receipt.preferences,
            "receipt_url": receipt_url,
            "undo_url": f"{receipt_url}/undo",
            "preferences_url": self._preferences_url(topic.slug if topic else "", "change_notice"),
        }

    def _opt_in_request(self, person: Subscriber) -> dict[str, Any] | None:
        topic, asked_at = topics.get(self.session, self.mail.topic), self.mail.created_at
        if joining.confirm_state(person, topic, asked_at) is not ConfirmState.READY:
            return None  # the link would start nothing
        signed = Confirm(self.now.date(), self.mail.subscriber_id, topic.slug, asked_at)
        url = self._url("c", write_confirm(signed, self._keys(KeyKind.SERVER)))
        return {"topic": topics.name(topic, self.locale), "confirm_url": url}

    def _preferences_url(self, topic: str, campaign: str) -> str:
        link = Link(self.now.date(), self.mail.subscriber_id, topic or "all", campaign)
        return self._url("p", write_link("preferences", link, self._keys(KeyKind.LINK)))

    def _url(self, page: str, link: str) -> str:
        return f"{self.settings.public_url}/{page}/{link}"

    def _keys(self, kind: KeyKind) -> tuple[str, ...]:
        keys: tuple[str, ...] = self.session.info["keys"][kind]
        return keys
