"""What expires, and when: the steps of a purge, table by table (requirement P12)."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from preference_center.core import (
    anonymizing,
    bounce_rule,
    edited_texts,
    feed,
    idempotency,
    missed_erasures,
    request_limits,
    unacknowledged,
)
from preference_center.core.console_jobs import files, listing
from preference_center.core.joining import LINK_LIFETIME
from preference_center.core.lists import frozen
from preference_center.core.purging import Condition, Retention, Step, delete_batch, deletion
from preference_center.core.staff import audit, forms, sessions, signing_in
from preference_center.core.webhooks import TEST_SEQ
from preference_center.store.tables import (
    AuditRow,
    BounceCount,
    Claim,
    ClaimCount,
    ConsoleChunk,
    ConsoleJob,
    DataComplaint,
    EditedText,
    EventRow,
    FailedMailing,
    FrozenListRow,
    IdempotentRequest,
    InboundSeen,
    MailboxRequest,
    OutboxRow,
    QuarantineRow,
    SignUpHour,
    SignUpRow,
    StaffForm,
    StaffInvitation,
    StaffSession,
    StaffSignIn,
    UnacknowledgedErasure,
    WebhookDelivery,
)


def due(session: Session, keep: Retention, now: datetime) -> dict[str, int]:
    """Return how many rows each of `STEPS` would take if run to its end; change nothing."""
    return {step.name: _count(session, step.expired(keep, now)) for step in STEPS}


def _count(session: Session, conditions: Iterable[Condition]) -> int:
    statements = (select(func.count()).where(condition) for condition in conditions)
    return sum(session.scalars(statement).one() for statement in statements)


def _delete_events(session: Session, _keep: Retention, now: datetime) -> int:
    # Read first: `is_expired` reads the coordinator's table in a statement for all other servers.
    return delete_batch(session, EventRow, EventRow.position <= feed.first_position(session, now))


def _end_waiting(session: Session, _keep: Retention, now: datetime) -> int:
    found = unacknowledged.waiting(session, now, unacknowledged.is_overdue(now))
    return len(unacknowledged.settle(session, found, now)) if found else 0


STEPS = (
    deletion("emails", OutboxRow, lambda keep, now: OutboxRow.settled_at < now - keep.outbox),
    deletion("claims", Claim, lambda keep, now: Claim.claimed_at < now - keep.claims),
    Step(
        "reasons anonymized",
        lambda session, keep, now: anonymizing.anonymize(session, now - keep.reason_identities),
        lambda keep, now: [anonymizing.is_old(keep, now)],
    ),
    Step("reason texts", anonymizing.delete_texts, anonymizing.old_texts),
    deletion(
        "quarantined messages",
        QuarantineRow,
        lambda keep, now: QuarantineRow.received_at < now - keep.quarantine,
    ),
    deletion(
        "deduplication records",
        InboundSeen,
        lambda keep, now: InboundSeen.seen_at < now - keep.dedup,
    ),
    deletion(
        "answers to repeated API requests",
        IdempotentRequest,
        lambda _keep, now: idempotency.expired(now),
    ),
    deletion(
        "webhook deliveries",
        WebhookDelivery,
        lambda _keep, now: and_(
            feed.is_expired(now, WebhookDelivery.position), WebhookDelivery.seq != TEST_SEQ
        ),
    ),
    deletion(
        "failed mailings",
        FailedMailing,
        lambda _keep, now: FailedMailing.day <= (now - bounce_rule.WINDOW).date(),
    ),
    deletion(
        "bounce counts",
        BounceCount,
        lambda keep, now: BounceCount.hour <= now - keep.domain_counts,
    ),
    deletion(
        "claim counts",
        ClaimCount,
        lambda keep, now: ClaimCount.day < (now - keep.domain_counts).date(),
    ),
    deletion(
        "closed complaints about the use of data",
        DataComplaint,
        lambda keep, now: DataComplaint.closed_at < now - keep.data_complaints,
    ),
    deletion(
        "sign-ups",
        SignUpRow,
        lambda _keep, now: SignUpRow.requested_at <= now - LINK_LIFETIME,
    ),
    deletion(
        "times of requested emails",
        MailboxRequest,
        lambda _keep, now: MailboxRequest.third_at <= now - request_limits.WINDOW,
    ),
    deletion(
        "hours of sign-ups",
        SignUpHour,
        lambda _keep, now: SignUpHour.hour <= now - request_limits.HOURS_KEPT,
    ),
    deletion(
        "rows of the audit trail",
        AuditRow,
        lambda keep, now: audit.is_expired(now - keep.audit),
    ),
    deletion(
        "ended sessions of staff",
        StaffSession,
        lambda _keep, now: ~sessions.is_open(now),
    ),
    deletion(
        "expired invitations of staff",
        StaffInvitation,
        lambda _keep, now: StaffInvitation.expires_at <= now,
    ),
    deletion(
        "requests to sign in",
        StaffSignIn,
        lambda _keep, now: StaffSignIn.since <= now - signing_in.WINDOW,
    ),
    deletion("sent forms of staff", StaffForm, lambda _keep, now: forms.is_expired(now)),
    Step("events", _delete_events, lambda _keep, now: [feed.is_expired(now)]),
    Step(
        "addresses of erased subscribers",
        _end_waiting,
        lambda _keep, now: [and_(unacknowledged.IS_WAITING, unacknowledged.is_overdue(now))],
    ),
    deletion(
        "missed erasures",
        UnacknowledgedErasure,
        lambda _keep, now: missed_erasures.is_expired(now),
    ),
    deletion(
        "pieces of files of the console", ConsoleChunk, lambda _keep, now: files.is_expired(now)
    ),
    deletion(
        "exports and imports of the console", ConsoleJob, lambda _keep, now: listing.is_expired(now)
    ),
    deletion("lists of people", FrozenListRow, lambda _keep, now: frozen.is_expired(now)),
    deletion("old versions of texts", EditedText, lambda _keep, _now: edited_texts.is_expired()),
)
