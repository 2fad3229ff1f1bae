"""Limit the emails that are requested for an address: sign-ups and links.

Both limits are kept in the database, so that all processes share them.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from preference_center.core.consumers import WARN_EVERY
from preference_center.core.leases import LeasedEmail
from preference_center.core.preferences import first_complained_at
from preference_center.core.state import Subscriber
from preference_center.core.vocab import OPEN_REQUESTS, OutboxState
from preference_center.links.addresses import fingerprint, normalise
from preference_center.store import queries
from preference_center.store.tables import MailboxRequest, OutboxRow, SignUpHour

WINDOW = timedelta(days=1)  # A mailbox gets at most as many emails in it as its row has times.
AFTER_COMPLAINT = timedelta(days=30)  # After a spam complaint, it gets one in this time.
HOURS_KEPT = timedelta(days=14)
HOUR = timedelta(hours=1)
_SAME_DOMAINS = {"googlemail.com": "gmail.com"}  # Both deliver to the same mailboxes.


def mailbox_of(email: str, identity_key: str) -> UUID:
    """Return the key under which the requests for an address are counted.

    Some providers ignore dots in the local part, and what follows a plus sign. Each variant is a
    subscriber of its own, but one mailbox gets the emails.
    """
    local, at, domain = normalise(email).rpartition("@")
    base = local.partition("+")[0].replace(".", "") or local
    domain = _SAME_DOMAINS.get(domain, domain)
    return fingerprint(f"{base}{at}{domain}", identity_key)


def take(session: Session, mailbox: UUID, now: datetime) -> bool:
    """Count an email to a mailbox; return False if it has had three within a day.

    It is one statement, so that of requests at the same moment no more than three are counted.
    """
    row = MailboxRequest
    new = queries.insert(session, row).values(mailbox=mailbox, third_at=now)
    counted = new.on_conflict_do_update(
        index_elements=[row.mailbox],
        set_={"first_at": row.second_at, "second_at": row.third_at, "third_at": now},
        where=or_(row.first_at.is_(None), row.first_at <= now - WINDOW),
    )
    return session.scalar(counted.returning(row.mailbox)) is not None


def is_too_soon(session: Session, subscriber: Subscriber, leased: LeasedEmail) -> bool:
    """Return True if an address has had a requested email since its complaint, and recently.

    A further complaint, which may be about that email, does not allow another one. Of two emails
    that are sent at the same moment, the older one counts as sent.
    """
    complained = first_complained_at(subscriber)
    if complained is None:
        return False
    row = OutboxRow
    others = select(row.id, row.created_at, row.state).where(
        row.subscriber_id == leased.subscriber_id,
        row.id != leased.id,
        row.kind.in_(OPEN_REQUESTS),
        row.created_at >= complained,
        row.created_at > leased.created_at - AFTER_COMPLAINT,
        row.state.in_((OutboxState.SENT, OutboxState.STARTED)),
    )
    own = (leased.created_at, leased.id)
    return any(
        state is OutboxState.SENT or (created_at, each) < own
        for each, created_at, state in session.execute(others)
    )


def hour_of(now: datetime) -> datetime:
    """Return the start of an hour."""
    return now.replace(minute=0, second=0, microsecond=0)


def take_hourly(session: Session, now: datetime, ceiling: int, *, is_postponed: bool) -> bool:
    """Count an email to an unknown address; return False if there were `ceiling` in this hour.

    `is_postponed` is True if it has had to wait before, so that it is counted once.
    """
    row, hour = SignUpHour, hour_of(now)
    new = queries.insert(session, row).values(hour=hour, sent=0, held=0)
    session.execute(new.on_conflict_do_nothing())
    counted = update(row).where(row.hour == hour, row.sent < ceiling).values(sent=row.sent + 1)
    if session.scalar(counted.returning(row.hour)) is not None:
        return True
    if not is_postponed:
        session.execute(update(row).where(row.hour == hour).values(held=row.held + 1))
    return False


def take_warning(session: Session, now: datetime) -> int:
    """Return how many emails had to wait in the hours since a day ago, and note the warning.

    Return 0 if there were none, or if staff were warned within a day.
    """
    recent = session.scalars(
        select(SignUpHour).where(SignUpHour.hour > now - WARN_EVERY).with_for_update()
    ).all()
    warned = any(each.warned_at and each.warned_at > now - WARN_EVERY for each in recent)
    held = 0 if warned else sum(each.held for each in recent)
    if held:
        for each in recent:
            each.warned_at = now
    return held
