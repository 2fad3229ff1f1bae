"""The content of each email that we send.

It always goes to the stored address, except for the confirmation of a sign-up, for a complaint
about the use of data, which goes to the operator, and for emails to staff.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import (
    data_complaints,
    joining,
    receipts,
    request_limits,
    sign_ups,
    subscribers,
    topics,
)
from preference_center.core.leases import LeasedEmail
from preference_center.core.preferences import is_reachable
from preference_center.core.sign_ups import SignUp
from preference_center.core.state import Subscriber
from preference_center.core.vocab import (
    OPEN_REQUESTS,
    TO_STAFF,
    ConfirmState,
    KeyKind,
    OutboxKind,
    ReceiptState,
    Scope,
)
from preference_center.i18n import Languages
from preference_center.links.addresses import normalise
from preference_center.links.minter import Link, write_link
from preference_center.links.server import (
    ACCOUNT_LIFETIME,
    Account,
    Confirm,
    Receipt,
    SignUpLink,
    write_account,
    write_confirm,
    write_receipt,
    write_sign_up,
)
from preference_center.outbound import staff_messages
from preference_center.outbound.compose import EmailContent
from preference_center.settings.settings import Settings


def write(
    session: Session,
    leased: LeasedEmail,
    settings: Settings,
    languages: Languages,
    now: datetime,
) -> EmailContent | None:
    """Return the content of a leased email, or None if it is no longer needed."""
    if leased.kind in TO_STAFF:
        return staff_messages.write(session, leased, settings, now)
    if leased.kind is OutboxKind.DATA_COMPLAINT:
        return _data_complaint(session, leased, settings, languages)
    subscriber = subscribers.find(session, leased.subscriber_id)
    if _is_too_soon(session, leased, subscriber):
        return None
    writer = _Writer(session, leased, settings, languages, now)
    if leased.kind is OutboxKind.SIGN_UP:
        return writer.sign_up(subscriber)
    if subscriber is None or subscriber.email is None or not _may_be_sent(leased.kind, subscriber):
        return None
    return writer.to_subscriber(subscriber, leased.kind)


def _is_too_soon(session: Session, leased: LeasedEmail, subscriber: Subscriber | None) -> bool:
    """Return True if an email that anyone can request would come too soon after a complaint."""
    if subscriber is None or leased.kind not in OPEN_REQUESTS:
        return False
    return request_limits.is_too_soon(session, subscriber, leased)


def _data_complaint(
    session: Session, leased: LeasedEmail, settings: Settings, languages: Languages
) -> EmailContent | None:
    """Return the email to the operator about a complaint. An answer to it goes to the person."""
    complaint = data_complaints.find(session, leased.subscriber_id, leased.first_seq)
    to = settings.reply_to or settings.alerts_to
    if complaint is None or not complaint.text or to is None:
        return None
    values = {"complaint": complaint}
    person = normalise(complaint.email) if complaint.email is not None else None
    template = f"mail/{leased.kind}"
    return EmailContent(to, languages.offered[0], template, values, reply_to=person)


def _may_be_sent(kind: OutboxKind, subscriber: Subscriber) -> bool:
    """Return False after a bounce, unless the subscriber has requested the email."""
    requested = kind is not OutboxKind.CHANGE_NOTICE
    return Scope.ADDRESS not in subscriber.suppressions or (requested and is_reachable(subscriber))


@dataclass(frozen=True)
class _Writer:
    session: Session
    leased: LeasedEmail
    settings: Settings
    languages: Languages
    now: datetime

    def to_subscriber(self, subscriber: Subscriber, kind: OutboxKind) -> EmailContent | None:
        """Return an email to the address on record, or None if it is no longer needed."""
        locale = self.languages.choose(self.leased.locale, subscriber.locale)
        values = self._values(subscriber, kind, locale)
        if values is None:
            return None
        return EmailContent(normalise(subscriber.email or ""), locale, f"mail/{kind}", values)

    def sign_up(self, subscriber: Subscriber | None) -> EmailContent | None:
        """Return the email about the sign-up that queued it, or None.

        Of sign-ups at nearly the same moment, which queue one email, it is about the newest. A
        subscriber who gets everything that was asked for gets a preferences link.
        """
        asked_at = self.leased.created_at
        found = sign_ups.newest(self.session, self.leased.subscriber_id, asked_at, self.now)
        if found is None:
            return None
        known = topics.list_topics(self.session)
        state = sign_ups.read_state(self.session, found, subscriber, known)
        has_email = subscriber is not None and subscriber.email is not None
        if state is ConfirmState.RECEIVED and subscriber is not None and has_email:
            return self.to_subscriber(subscriber, OutboxKind.LINK)
        if state is not ConfirmState.READY:
            return None
        stored = subscriber.locale if subscriber is not None else None
        locale = self.languages.choose(self.leased.locale, stored, found.locale)
        names = {each.slug: topics.name(each, locale) for each in known}
        started = sign_ups.startable(found, known, subscriber)
        values = {
            "topics": [names[slug] for slug in started],
            "confirm_url": self._sign_up_url(found),
        }
        to, template = normalise(found.email), f"mail/{OutboxKind.SIGN_UP}"
        return EmailContent(to, locale, template, values, to_stranger=not has_email)

    def _sign_up_url(self, sign_up: SignUp) -> str:
        signed = SignUpLink(self.now.date(), sign_up.subscriber_id, sign_up.id)
        return self._url("c", write_sign_up(signed, self._keys(KeyKind.SERVER)))

    def _values(
        self, subscriber: Subscriber, kind: OutboxKind, locale: str
    ) -> dict[str, Any] | None:
        """Return the values of the email's templates, or None if it is no longer needed."""
        match kind:
            case OutboxKind.CHANGE_NOTICE:
                return self._change_notice(subscriber, locale)
            case OutboxKind.OPT_IN_REQUEST:
                return self._opt_in_request(subscriber, locale)
            case OutboxKind.LINK:
                preferences_url = self._preferences_url("", "link")
                return {"address": subscriber.email, "preferences_url": preferences_url}
            case OutboxKind.ACCOUNT_LINK:
                return {"account_url": self._account_url()}
            case _:
                raise ValueError(f"an email of kind {kind} is not to the subscriber")

    def _change_notice(self, subscriber: Subscriber, locale: str) -> dict[str, Any] | None:
        first, last = self.leased.first_seq, self.leased.last_seq
        zone = self.settings.time_zone
        receipt = receipts.read(self.session, subscriber, first, last, locale, self.now, zone)
        if receipt is None or receipt.state is ReceiptState.UNDONE:
            return None
        if receipt.state is ReceiptState.SUPERSEDED and not receipt.gives_more:
            return None  # A later change has its own email, which this one would contradict.
        day = self.leased.created_at.date()
        signed = Receipt(day, self.leased.subscriber_id, first, last)
        receipt_url = self._url("r", write_receipt(signed, self._keys(KeyKind.SERVER)))
        topic = receipt.changes[0].topic
        return {
            "receipt": receipt,
            "current": receipt.preferences,
            "receipt_url": receipt_url,
            "undo_url": f"{receipt_url}/undo",
            "preferences_url": self._preferences_url(topic.slug if topic else "", "change_notice"),
        }

    def _opt_in_request(self, subscriber: Subscriber, locale: str) -> dict[str, Any] | None:
        topic, asked_at = topics.get(self.session, self.leased.topic), self.leased.created_at
        if joining.confirm_state(subscriber, topic, asked_at) is not ConfirmState.READY:
            return None  # The link would start nothing.
        signed = Confirm(self.now.date(), self.leased.subscriber_id, topic.slug, asked_at)
        url = self._url("c", write_confirm(signed, self._keys(KeyKind.SERVER)))
        return {"topic": topics.name(topic, locale), "confirm_url": url}

    def _account_url(self) -> str:
        """Return the URL of a link whose time starts now, when the email is sent."""
        signed = Account(self.now.date(), self.leased.subscriber_id, self.now + ACCOUNT_LIFETIME)
        return self._url("a", write_account(signed, self._keys(KeyKind.SERVER)))

    def _preferences_url(self, topic: str, campaign: str) -> str:
        link = Link(self.now.date(), self.leased.subscriber_id, topic or "all", campaign)
        return self._url("p", write_link("preferences", link, self._keys(KeyKind.LINK)))

    def _url(self, page: str, link: str) -> str:
        return f"{self.settings.public_url}/{page}/{link}"

    def _keys(self, kind: KeyKind) -> tuple[str, ...]:
        keys: tuple[str, ...] = self.session.info["keys"][kind]
        return keys
