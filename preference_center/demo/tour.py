"""The six steps of the start page, each with what the database and the folder say about it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core.ledger import LedgerEntry
from preference_center.core.vocab import Source
from preference_center.demo import inbox, mailings, outage, receiver, tampering, visitor
from preference_center.demo.company import TOPICS
from preference_center.demo.inbox import Email
from preference_center.demo.mailings import SentMailing
from preference_center.demo.outage import Outage
from preference_center.demo.receiver import Program
from preference_center.demo.tampering import Altered, LedgerState
from preference_center.demo.visitor import Visitor


@dataclass(frozen=True)
class Tour:
    """What the start page shows.

    Attributes:
        reader: the reader for whom the visitor acts.
        email: the email to leave by.
        left: the newest ledger row by which she left or asked for less, except in an outage.
        confirmation: the newest email about a change, once it has arrived.
        mailing: the newest mailing since she first left; `left_out`: whether one left her out.
        ledger, altered: the verified ledger, and the row that was altered.
        outage, is_locked: the newest outage, and whether it goes on.
        waiting: how many unsubscribes wait in the spool.
        applied: the ledger row of the unsubscribe that was made in the outage.
        next_email: the email whose one-click address is used in the next outage.
        program: the program that receives webhooks, once it has one.
    """

    reader: Visitor
    email: Email | None
    left: LedgerEntry | None
    confirmation: Email | None
    mailing: SentMailing | None
    left_out: bool
    ledger: LedgerState
    altered: Altered | None
    outage: Outage | None
    is_locked: bool
    waiting: int
    applied: LedgerEntry | None
    next_email: Email | None
    program: Program | None

    @property
    def done(self) -> tuple[bool, ...]:
        """Return for each step whether it is done."""
        kept = self.confirmation is not None and self.mailing is not None
        return (
            self.left is not None,
            self.reader.undid or kept,
            self.left_out,
            self.altered is not None,
            self.outage is not None and not self.is_locked and not self.waiting,
            self.program is not None and self.program.delivered_again,
        )

    @property
    def next(self) -> int:
        """Return the number of the first step that is not done, or 0."""
        return next((number for number, done in enumerate(self.done, 1) if not done), 0)

    @property
    def topic(self) -> str:
        """Return the topic that the next mailing should be about."""
        known = self.left.topic if self.left is not None else None
        return known or TOPICS[0].slug

    @property
    def changing(self) -> int:
        """Return the number of the step that is about to change by itself, or 0."""
        if self.is_locked or self.waiting:
            return 5
        return 2 if self.reader.is_email_due else 0


def load(session: Session, folder: Path, reader_id: UUID, waiting: int, now: datetime) -> Tour:
    """Return the state of the steps; `waiting` is the length of the spool."""
    reader, emails = visitor.load(session, reader_id), inbox.list_emails(inbox.inbox_folder(folder))
    last = outage.latest(folder)
    applied = _applied(reader, last)
    less = [row for row in reader.asked_for_less if row != applied]
    since = less[0].recorded_at if less else now
    sent = [each for each in mailings.newest(folder) if each.at > since]
    return Tour(
        reader=reader,
        email=next((each for each in emails if each.topic == TOPICS[0].slug), None),
        left=less[-1] if less else None,
        confirmation=inbox.confirmation(emails, since),
        mailing=sent[0] if sent else None,
        left_out=any(each.reader is not None for each in sent),
        ledger=tampering.verify(session),
        altered=tampering.latest(folder),
        outage=last,
        is_locked=last is not None and now < last.ends_at,
        waiting=waiting,
        applied=applied,
        next_email=email_to_press(reader, emails),
        program=receiver.load(folder),
    )


def email_to_press(reader: Visitor, emails: list[Email]) -> Email | None:
    """Return an email with a one-click address, of a topic that the reader still gets if any."""
    order = {new.slug: rank for rank, new in enumerate(reversed(TOPICS))}
    able = [each for each in emails if each.unsubscribe_url]
    able.sort(key=lambda each: (each.topic not in reader.received, order.get(each.topic, 0)))
    return able[0] if able else None


def _applied(reader: Visitor, last: Outage | None) -> LedgerEntry | None:
    """Return the newest row of an unsubscribe that was pressed during the outage."""
    if last is None:
        return None
    rows = (row for row in reversed(reader.rows) if row.source is Source.ONE_CLICK)
    return next((row for row in rows if last.began_at <= row.occurred_at < last.ends_at), None)
