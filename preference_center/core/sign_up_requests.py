"""Request the email of a sign-up, or of a link. The worker decides if it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import ledger, outbox, request_limits
from preference_center.core.outbox import Email, Notice
from preference_center.core.sign_ups import SignUp
from preference_center.core.vocab import OutboxKind
from preference_center.store import sets
from preference_center.store.tables import SignUpRow, SubscriberRow


@dataclass(frozen=True)
class Requester:
    """Whose email is requested: the subscriber id, and the mailbox under which it is counted.

    `language` is the one that was chosen for the email, or None.
    """

    subscriber_id: UUID
    mailbox: UUID
    language: str | None = None


@dataclass(frozen=True)
class NewSignUp:
    """What a form asks for. `wording` is what it said, or None if that is not known.

    `locale` is the language to store for a subscriber who has none.
    """

    email: str
    topics: Sequence[str]
    form_url: str
    wording: str | None = None
    locale: str | None = None


def request(session: Session, who: Requester, form: NewSignUp, now: datetime) -> None:
    """Record a sign-up and queue its email, unless the mailbox has had too many emails.

    The statements are the same for every address (P8).
    """
    ledger.record_wordings(session, [form.wording] if form.wording else [])
    if not request_limits.take(session, who.mailbox, now):
        return
    this = SubscriberRow.subscriber_id == who.subscriber_id
    seq = session.scalar(select(SubscriberRow.seq).where(this)) or 0
    row = SignUp(
        who.subscriber_id,
        uuid4(),
        form.email,
        " ".join(form.topics),
        form.locale,
        ledger.digest_of_wording(form.wording),
        form.form_url,
        seq,
        now,
        None,
    )
    sets.insert(session, SignUpRow, [tuple(vars(row).values())])
    _queue(session, who, OutboxKind.SIGN_UP, now)


def request_link(session: Session, who: Requester, now: datetime) -> None:
    """Queue an email with a preferences link, unless the mailbox has had too many emails.

    The worker drops it if the address is unknown.
    """
    if request_limits.take(session, who.mailbox, now):
        _queue(session, who, OutboxKind.LINK, now)


def request_account_link(
    session: Session, subscriber_id: UUID, language: str | None, identity_key: str, now: datetime
) -> None:
    """Queue an email with an account link, unless the mailbox has had too many emails.

    `language` is the one that was chosen for the email, or None. The statements are the same
    whatever is on record, and the worker drops the email if there is no address.
    """
    this = SubscriberRow.subscriber_id == subscriber_id
    email = session.scalar(select(SubscriberRow.email).where(this))
    mailbox = request_limits.mailbox_of(email, identity_key) if email else subscriber_id
    if request_limits.take(session, mailbox, now):
        who = Requester(subscriber_id, mailbox, language)
        _queue(session, who, OutboxKind.ACCOUNT_LINK, now)


def _queue(session: Session, who: Requester, kind: OutboxKind, now: datetime) -> None:
    notice = Notice(0, 0, now, now, now)
    outbox.add_to_pending(session, [Email(who.subscriber_id, kind, "", notice, who.language)])
