"""The queries of exports about emails: claims, the outbox, and bounces."""

from sqlalchemy import cast, select

from preference_center.core.vocab import TO_STAFF
from preference_center.store.export_queries import Bytewise, ExportFilter, equal, within
from preference_center.store.report_queries import day_of, last_day
from preference_center.store.streaming import AnySelect
from preference_center.store.tables import Claim, FailedMailing, OutboxRow, SubscriberRow


def claims(wanted: ExportFilter) -> AnySelect:
    """Return every claim, in the order of subscribers and topics."""
    statement: AnySelect = (
        select(
            SubscriberRow.email,
            Claim.subscriber_id.label("id"),
            Claim.topic,
            Claim.campaign,
            Claim.claimed_at,
            Claim.released_at,
        )
        .join(SubscriberRow, SubscriberRow.subscriber_id == Claim.subscriber_id)
        .order_by(Claim.subscriber_id, Claim.topic, cast(Claim.campaign, Bytewise))
    )
    statement = within(statement, Claim.claimed_at, wanted)
    return equal(statement, (Claim.topic, wanted.topic), (Claim.campaign, wanted.campaign))


def outbox(wanted: ExportFilter) -> AnySelect:
    """Return every email to a subscriber, without anything that its recipient is sent."""
    statement: AnySelect = (
        select(
            SubscriberRow.email,
            OutboxRow.subscriber_id.label("id"),
            OutboxRow.id.label("email_id"),
            OutboxRow.kind,
            OutboxRow.topic,
            OutboxRow.state.label("status"),
            OutboxRow.locale,
            OutboxRow.first_seq,
            OutboxRow.last_seq,
            OutboxRow.created_at,
            OutboxRow.due_at,
            OutboxRow.attempts,
            OutboxRow.settled_at,
            OutboxRow.failure,
        )
        # An email may have been asked for with an address that is not on record.
        .outerjoin(SubscriberRow, SubscriberRow.subscriber_id == OutboxRow.subscriber_id)
        .where(*(OutboxRow.kind != each for each in TO_STAFF))
        .order_by(OutboxRow.subscriber_id, OutboxRow.id)
    )
    return equal(
        within(statement, OutboxRow.created_at, wanted),
        (OutboxRow.topic, wanted.topic),
        (OutboxRow.state, wanted.status),
        (OutboxRow.locale, wanted.locale),
    )


def bounces(wanted: ExportFilter) -> AnySelect:
    """Return the days on which emails failed. A day counts if any part of it is wanted."""
    statement: AnySelect = (
        select(
            SubscriberRow.email,
            FailedMailing.subscriber_id.label("id"),
            FailedMailing.day,
            FailedMailing.severity,
            FailedMailing.topic,
            FailedMailing.code,
            FailedMailing.ended_domain,
        )
        .join(SubscriberRow, SubscriberRow.subscriber_id == FailedMailing.subscriber_id)
        .order_by(
            FailedMailing.subscriber_id,
            FailedMailing.day,
            FailedMailing.severity,
            FailedMailing.topic,
        )
    )
    if wanted.since is not None:
        statement = statement.where(FailedMailing.day >= day_of(wanted.since))
    if wanted.until is not None:
        statement = statement.where(FailedMailing.day <= last_day(wanted.until))
    return equal(
        statement, (FailedMailing.topic, wanted.topic), (FailedMailing.severity, wanted.status)
    )
