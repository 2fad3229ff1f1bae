"""All that is held on one person, table by table: for the person, for staff, and for the files.

A table that names a subscriber is in SECTIONS, or in LEFT_OUT with the reason. So is each of its
columns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from json import loads
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from preference_center.core import topics, why
from preference_center.core.why import AllowedEmail
from preference_center.store.queries import ARE_ITS_DETAILS
from preference_center.store.tables import (
    AuditRow,
    Base,
    Claim,
    DataComplaint,
    FailedMailing,
    LedgerDetail,
    LedgerRow,
    LinkedSubscriber,
    OutboxRow,
    Reason,
    SignUpRow,
    SubscriberRow,
    SubscriptionRow,
    SuppressionRow,
    UnacknowledgedErasure,
    Wording,
)

BATCH_SIZE = 1000  # rows
SUBSCRIBER_COLUMNS = ("subscriber_id", "about")  # What a table may call a subscriber's id.
_DETAILS = ("before", "after")  # JSON in the tables

# What the copy does not contain, by table or column, and why.
LEFT_OUT: Mapping[str, str] = {
    "events": "they announce rows of the ledger to programs, and say nothing more",
    "webhook_deliveries": "they announce rows of the ledger to programs, and say nothing more",
    "idempotent_requests": "answers to a program, which repeat the other tables for a day",
    "subscribers.seq": "the number of the last row of the ledger",
    "subscribers.head": "seals the ledger",
    "subscribers.is_spelling": "says whether the id is that of another spelling of an address",
    "ledger.digest": "seals the ledger",
    "ledger.hash": "seals the ledger",
    "ledger_details.salt": "seals the ledger",
    "ledger_details.seq": "the same as in the ledger",
    "claims.received": "how many rows there were of the 30 days before",
    "outbox.id": "names the row",
    "outbox.lease": "says which process sends the email",
    "outbox.latest_at": "until when an email gathers changes",
    "sign_ups.id": "names the row",
    "staff_audit.position": "names the row",
    "staff_audit.staff_id": "names an employee (Court of Justice, C-579/21, paragraph 83)",
    "staff_audit.details": "what was changed is in the other tables",
    "staff_audit.hash": "seals the audit trail",
    "sign_ups.seq": "the number of the last row of the ledger at that time",
    "unacknowledged_erasures.email": "the address itself, encrypted; the copy would repeat it",
    "unacknowledged_erasures.warned_at": "when staff were told of programs",
}


@dataclass(frozen=True)
class Section:
    """One kind of data, a file of the copy: the columns of `tables` for one person.

    The rows are in the order of `order`, which ends with a key. `tables` are joined by subscriber.
    """

    name: str
    tables: tuple[type[Base], ...]
    order: tuple[Any, ...]

    @cached_property
    def columns(self) -> tuple[ColumnElement[Any], ...]:
        """Return the columns; the digest of a wording becomes its text."""
        return tuple(
            Wording.text.label(each.name) if _is_wording(each) else each
            for table in self.tables
            for each in table.__table__.columns
            if f"{table.__tablename__}.{each.name}" not in LEFT_OUT
            and (each.name not in SUBSCRIBER_COLUMNS or table is SubscriberRow)
        )

    @property
    def names(self) -> list[str]:
        """Return the names of the columns."""
        return [each.key or "" for each in self.columns]

    def statement(self, subscriber_id: UUID) -> Select[*tuple[Any, ...]]:
        """Return the statement for one person's rows, in no order."""
        own = self.tables[0].__table__.c
        statement: Select[*tuple[Any, ...]] = select(*self.columns).select_from(self.tables[0])
        if LedgerDetail in self.tables:
            statement = statement.outerjoin(LedgerDetail, ARE_ITS_DETAILS)
        for each in filter(_is_wording, own):
            statement = statement.outerjoin(Wording, Wording.digest == each)
        person = next(own[each] for each in SUBSCRIBER_COLUMNS if each in own)
        return statement.where(person == subscriber_id)


def _is_wording(column: ColumnElement[Any]) -> bool:
    return any(key.column.table is Wording.__table__ for key in column.foreign_keys)


SECTIONS: Mapping[str, Section] = {
    each.name: each
    for each in (
        Section("subscriber", (SubscriberRow,), (SubscriberRow.subscriber_id,)),
        Section("subscriptions", (SubscriptionRow,), (SubscriptionRow.topic,)),
        Section("suppressions", (SuppressionRow,), (SuppressionRow.kind,)),
        Section("ledger", (LedgerRow, LedgerDetail), (LedgerRow.seq,)),
        Section("allowed_emails", (Claim,), (Claim.claimed_at, Claim.topic, Claim.campaign)),
        Section("our_emails", (OutboxRow,), (OutboxRow.created_at, OutboxRow.id)),
        Section(
            "bounces",
            (FailedMailing,),
            (FailedMailing.day, FailedMailing.severity, FailedMailing.topic),
        ),
        Section("reasons", (Reason,), (Reason.given_at, Reason.seq)),
        Section("complaints", (DataComplaint,), (DataComplaint.number,)),
        Section(
            "linked_addresses",
            (LinkedSubscriber,),
            (LinkedSubscriber.linked_at, LinkedSubscriber.other_id),
        ),
        Section("sign_ups", (SignUpRow,), (SignUpRow.requested_at, SignUpRow.id)),
        Section("erasures", (UnacknowledgedErasure,), (UnacknowledgedErasure.seq,)),
        Section("staff", (AuditRow,), (AuditRow.position,)),
    )
}
_OF_STAFF = SECTIONS["staff"]


@dataclass(frozen=True)
class Newest:
    """The newest rows of a section, newest first, and how many there are."""

    rows: Sequence[Mapping[str, Any]]
    total: int


@dataclass(frozen=True)
class Held:
    """What is held on one person, for a page: the newest rows of each section.

    `allowed` are the emails that senders were allowed to send, with their reasons, and `names` the
    topics' names.
    """

    sections: Mapping[str, Newest]
    allowed: Sequence[AllowedEmail]
    names: Mapping[str, str]


def read(session: Session, subscriber_id: UUID, locale: str, limit: int) -> Held:
    """Return at most `limit` rows of each section. The names of topics are in a language."""
    return Held(
        newest(session, subscriber_id, limit, SECTIONS),
        why.explain(session, subscriber_id, limit),
        {each.slug: topics.name(each, locale) for each in topics.list_topics(session)},
    )


def rows(session: Session, section: Section, subscriber_id: UUID) -> Iterator[dict[str, Any]]:
    """Yield all rows of a section, oldest first, as they are read."""
    statement = section.statement(subscriber_id).order_by(*section.order)
    options = {"yield_per": BATCH_SIZE}
    for row in session.execute(statement, execution_options=options).mappings():
        yield {name: _plain(name, row[name]) for name in section.names}


def newest(
    session: Session, subscriber_id: UUID, limit: int, names: Iterable[str]
) -> dict[str, Newest]:
    """Return at most `limit` rows of some sections, by name. `total` counts all of them."""
    found = {}
    for name in names:
        section = SECTIONS[name]
        statement = section.statement(subscriber_id)
        ordered = statement.order_by(*(each.desc() for each in section.order)).limit(limit)
        some = [_read(dict(row)) for row in session.execute(ordered).mappings()]
        total = len(some)
        if total == limit:
            counted = select(func.count()).select_from(statement.subquery())
            total = session.scalars(counted).one()
        found[name] = Newest(some, total)
    return found


def is_held(session: Session, subscriber_id: UUID) -> bool:
    """Return True if anything is on record under a subscriber id.

    That staff have looked for it is not counted: they may have looked for a mistyped address.
    """
    sections = (each for each in SECTIONS.values() if each is not _OF_STAFF)
    statements = (each.statement(subscriber_id).limit(1) for each in sections)
    return any(session.execute(each).first() is not None for each in statements)


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _parsed(name, value) for name, value in row.items()}


def _parsed(name: str, value: Any) -> Any:
    return loads(value) if name in _DETAILS and isinstance(value, str) else value


def _plain(name: str, value: Any) -> Any:
    """Return a value as JSON may hold it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | StrEnum) else _parsed(name, value)
