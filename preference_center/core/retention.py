"""Delete or anonymize expired data, table by table, in short steps (requirement P12)."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from preference_center.core import (
    bounce_rule,
    feed,
    idempotency,
    missed_erasures,
    request_limits,
    unacknowledged,
)
from preference_center.core.console_jobs import files, listing
from preference_center.core.joining import LINK_LIFETIME
from preference_center.core.lists import frozen
from preference_center.core.reasons import week_of
from preference_center.core.staff import audit, forms, sessions, signing_in
from preference_center.core.webhooks import TEST_SEQ
from preference_center.store import citus
from preference_center.store.tables import (
    AnonymizedReason,
    AuditRow,
    Base,
    BounceCount,
    Claim,
    ClaimCount,
    ConsoleChunk,
    ConsoleJob,
    DataComplaint,
    EventRow,
    FailedMailing,
    FrozenListRow,
    IdempotentRequest,
    InboundSeen,
    MailboxRequest,
    OutboxRow,
    QuarantineRow,
    Reason,
    SignUpHour,
    SignUpRow,
    StaffForm,
    StaffInvitation,
    StaffSession,
    StaffSignIn,
    UnacknowledgedErasure,
    WebhookDelivery,
)

BATCH_SIZE = 1000  # rows
MIN_REASONS_OF_A_CAMPAIGN = 5  # Fewer reasons than that could identify a subscriber.


@dataclass(frozen=True)
class Retention:
    """How long each kind of data is kept."""

    outbox: timedelta
    claims: timedelta
    reason_identities: timedelta
    reason_notes: timedelta
    quarantine: timedelta
    dedup: timedelta
    domain_counts: timedelta
    data_complaints: timedelta
    audit: timedelta


Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Step:
    """One kind of data: `run` deletes at most a batch of it and returns how many rows it took.

    `expired` returns the conditions that select, between them, all rows that are due.
    """

    name: str
    run: Callable[[Session, Retention, datetime], int]
    expired: Callable[[Retention, datetime], Iterable[Condition]]


def due(session: Session, keep: Retention, now: datetime) -> dict[str, int]:
    """Return how many rows each of `STEPS` would take if run to its end; change nothing."""
    return {step.name: _count(session, step.expired(keep, now)) for step in STEPS}


def _count(session: Session, conditions: Iterable[Condition]) -> int:
    statements = (select(func.count()).where(condition) for condition in conditions)
    return sum(session.scalars(statement).one() for statement in statements)


def _deletion(
    name: str, table: type[Base], expired: Callable[[Retention, datetime], Condition]
) -> Step:
    def run(session: Session, keep: Retention, now: datetime) -> int:
        return _delete(session, table, expired(keep, now))

    return Step(name, run, lambda keep, now: [expired(keep, now)])


def _delete(session: Session, table: type[Base], wanted: Condition) -> int:
    deleted = delete(table).where(_batch(session, table, wanted), wanted)
    return len(session.execute(deleted.returning(*table.__table__.primary_key)).all())


def _delete_events(session: Session, _keep: Retention, now: datetime) -> int:
    # Read first: `is_expired` reads the coordinator's table in a statement for all other servers.
    return _delete(session, EventRow, EventRow.position <= feed.first_position(session, now))


def _end_waiting(session: Session, _keep: Retention, now: datetime) -> int:
    found = unacknowledged.waiting(session, now, unacknowledged.is_overdue(now))
    return len(unacknowledged.settle(session, found, now)) if found else 0


def _batch(session: Session, table: type[Base], wanted: Condition) -> Condition:
    """Return the condition that selects at most a batch of these rows by their keys."""
    keys = tuple(table.__table__.primary_key)
    found = select(*keys).where(wanted).limit(BATCH_SIZE)
    if not citus.is_distributed(session):  # Citus refuses a lock of several subscribers' rows.
        # Rows that another transaction has locked are left to the next run.
        found = found.with_for_update(skip_locked=True)
    return tuple_(*keys).in_([tuple(row) for row in session.execute(found)])


def anonymize_reasons(session: Session, before: datetime) -> int:
    """Detach reasons given before a time from their subscribers, and from rarely named campaigns.

    Return how many reasons there were, at most a batch.
    """
    old = Reason.given_at < before
    deleted = delete(Reason).where(_batch(session, Reason, old), old)
    # Two runs at once must not copy a row twice, so each copies what it has deleted.
    found = session.scalars(deleted.returning(Reason)).all()
    shared = _shared_campaigns(session, Counter(reason.campaign for reason in found))
    for reason in found:
        session.add(
            AnonymizedReason(
                id=uuid4(),
                week=reason.week,
                topic=reason.topic,
                campaign=reason.campaign if reason.campaign in shared else None,
                code=reason.code,
                note=reason.note,
            )
        )
    session.flush()
    return len(found)


def _delete_reason_texts(session: Session, keep: Retention, now: datetime) -> int:
    old = _is_old_text(AnonymizedReason, keep, now)
    emptied = update(AnonymizedReason).where(_batch(session, AnonymizedReason, old), old)
    return len(session.scalars(emptied.values(note="").returning(AnonymizedReason.id)).all())


def _is_old_reason(keep: Retention, now: datetime) -> Condition:
    return Reason.given_at < now - keep.reason_identities


def _is_old_text(
    table: type[Reason | AnonymizedReason], keep: Retention, now: datetime
) -> Condition:
    return and_(table.week < week_of(now - keep.reason_notes), table.note != "")


def _old_texts(keep: Retention, now: datetime) -> list[Condition]:
    """Return the conditions of old texts, also of reasons that this run anonymizes."""
    anonymized = and_(_is_old_reason(keep, now), _is_old_text(Reason, keep, now))
    return [_is_old_text(AnonymizedReason, keep, now), anonymized]


def _shared_campaigns(session: Session, deleted: Counter[str | None]) -> set[str | None]:
    """Return the campaigns that at least five reasons name, anonymized or not.

    `deleted` are the campaigns of reasons that are no longer on record.
    """
    counts, names = deleted.copy(), deleted.keys() - {None}
    del counts[None]
    for table in (Reason, AnonymizedReason):
        named = select(table.campaign, func.count()).where(table.campaign.in_(names))
        for name, count in session.execute(named.group_by(table.campaign)):
            counts[name] += count
    return {name for name, count in counts.items() if count >= MIN_REASONS_OF_A_CAMPAIGN}


STEPS = (
    _deletion("emails", OutboxRow, lambda keep, now: OutboxRow.settled_at < now - keep.outbox),
    _deletion("claims", Claim, lambda keep, now: Claim.claimed_at < now - keep.claims),
    Step(
        "reasons anonymized",
        lambda session, keep, now: anonymize_reasons(session, now - keep.reason_identities),
        lambda keep, now: [_is_old_reason(keep, now)],
    ),
    Step("reason texts", _delete_reason_texts, _old_texts),
    _deletion(
        "quarantined messages",
        QuarantineRow,
        lambda keep, now: QuarantineRow.received_at < now - keep.quarantine,
    ),
    _deletion(
        "deduplication records",
        InboundSeen,
        lambda keep, now: InboundSeen.seen_at < now - keep.dedup,
    ),
    _deletion(
        "answers to repeated API requests",
        IdempotentRequest,
        lambda _keep, now: idempotency.expired(now),
    ),
    _deletion(
        "webhook deliveries",
        WebhookDelivery,
        lambda _keep, now: and_(
            feed.is_expired(now, WebhookDelivery.position), WebhookDelivery.seq != TEST_SEQ
        ),
    ),
    _deletion(
        "failed mailings",
        FailedMailing,
        lambda _keep, now: FailedMailing.day <= (now - bounce_rule.WINDOW).date(),
    ),
    _deletion(
        "bounce counts",
        BounceCount,
        lambda keep, now: BounceCount.hour <= now - keep.domain_counts,
    ),
    _deletion(
        "claim counts",
        ClaimCount,
        lambda keep, now: ClaimCount.day < (now - keep.domain_counts).date(),
    ),
    _deletion(
        "closed complaints about the use of data",
        DataComplaint,
        lambda keep, now: DataComplaint.closed_at < now - keep.data_complaints,
    ),
    _deletion(
        "sign-ups",
        SignUpRow,
        lambda _keep, now: SignUpRow.requested_at <= now - LINK_LIFETIME,
    ),
    _deletion(
        "times of requested emails",
        MailboxRequest,
        lambda _keep, now: MailboxRequest.third_at <= now - request_limits.WINDOW,
    ),
    _deletion(
        "hours of sign-ups",
        SignUpHour,
        lambda _keep, now: SignUpHour.hour <= now - request_limits.HOURS_KEPT,
    ),
    _deletion(
        "rows of the audit trail",
        AuditRow,
        lambda keep, now: audit.is_expired(now - keep.audit),
    ),
    _deletion(
        "ended sessions of staff",
        StaffSession,
        lambda _keep, now: ~sessions.is_open(now),
    ),
    _deletion(
        "expired invitations of staff",
        StaffInvitation,
        lambda _keep, now: StaffInvitation.expires_at <= now,
    ),
    _deletion(
        "requests to sign in",
        StaffSignIn,
        lambda _keep, now: StaffSignIn.since <= now - signing_in.WINDOW,
    ),
    _deletion("sent forms of staff", StaffForm, lambda _keep, now: forms.is_expired(now)),
    Step("events", _delete_events, lambda _keep, now: [feed.is_expired(now)]),
    Step(
        "addresses of erased subscribers",
        _end_waiting,
        lambda _keep, now: [and_(unacknowledged.IS_WAITING, unacknowledged.is_overdue(now))],
    ),
    _deletion(
        "missed erasures",
        UnacknowledgedErasure,
        lambda _keep, now: missed_erasures.is_expired(now),
    ),
    _deletion(
        "pieces of files of the console", ConsoleChunk, lambda _keep, now: files.is_expired(now)
    ),
    _deletion(
        "exports and imports of the console", ConsoleJob, lambda _keep, now: listing.is_expired(now)
    ),
    _deletion("lists of people", FrozenListRow, lambda _keep, now: frozen.is_expired(now)),
)
