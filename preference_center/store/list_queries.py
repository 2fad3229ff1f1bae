"""The people of a list, selected by filters.

Each statement reads subscribers in the order of their ids, by the index of a topic if there is one,
and looks up the other tables by subscriber. None reads the ledger.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Self
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    case,
    func,
    or_,
    select,
    type_coerce,
    union,
)

from preference_center.core.staff_vocab import Standing
from preference_center.core.vocab import Frequency, ReasonCode, Scope, Status
from preference_center.store.streaming import AnySelect
from preference_center.store.tables import (
    Claim,
    Reason,
    SubscriberRow,
    SubscriptionRow,
    SuppressionRow,
)

Condition = ColumnElement[bool]
_ID = SubscriberRow.subscriber_id


@dataclass(frozen=True)
class ListFilter:
    """Selects people. None selects all. Both ends of a range of days are included.

    `campaign` selects those to whom an email of this campaign of the topic was allowed. `frequency`
    selects subscribers only, unless there is a `status`. Without a topic, `joined` is when a person
    was first on record, `left` is about any topic, and UNSUBSCRIBED means from everything.
    """

    topic: str | None = None
    status: Standing | None = None
    frequency: Frequency | None = None
    reason: ReasonCode | None = None
    campaign: str | None = None
    joined_from: date | None = None
    joined_to: date | None = None
    left_from: date | None = None
    left_to: date | None = None

    def plain(self) -> dict[str, str]:
        """Return what is not None, as text: for a URL, a form and the audit trail."""
        named = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: str(value) for name, value in named if value is not None}

    @classmethod
    def of(cls, plain: Mapping[str, str]) -> Self:
        """Return what `plain` was called on."""
        return cls(**{name: _READERS.get(name, str)(value) for name, value in plain.items()})


_READERS: Mapping[str, Callable[[str], Any]] = {
    "status": Standing,
    "frequency": Frequency,
    "reason": ReasonCode,
    "joined_from": date.fromisoformat,
    "joined_to": date.fromisoformat,
    "left_from": date.fromisoformat,
    "left_to": date.fromisoformat,
}


def people(wanted: ListFilter, opt_out: Collection[str], zone: tzinfo) -> Select[Any]:
    """Return the statement for the ids of people, without erased ones, in the order of ids.

    `opt_out` are the topics for which silence means consent. Days are those of `zone`.
    """
    statement: Select[Any] = select(_ID).where(SubscriberRow.erased_at.is_(None))
    # Not the further ids of people whose address was imported in several spellings.
    statement = statement.where(or_(~SubscriberRow.is_spelling, SubscriberRow.email.is_not(None)))
    if wanted.topic is not None:
        is_its = and_(SubscriptionRow.subscriber_id == _ID, SubscriptionRow.topic == wanted.topic)
        silent = wanted.topic in opt_out
        statement = statement.join(SubscriptionRow, is_its, isouter=silent)
        if silent:
            none_yet = SubscriptionRow.subscriber_id.is_(None)
            statement = statement.where(~and_(none_yet, SubscriberRow.explicit_from.is_not(None)))
    return statement.where(*_conditions(wanted, opt_out, zone)).order_by(_ID)


def rows_of(ids: Collection[UUID]) -> AnySelect:
    """Return the statement for what a file has of some people, without erased ones."""
    statement = select(_ID).where(SubscriberRow.erased_at.is_(None), _ID.in_(ids)).order_by(_ID)
    return with_columns(statement)


def with_columns(people: Select[Any]) -> AnySelect:
    """Return a statement for ids with the other columns of a file.

    `stopped` says what of the person's ends every email: `address`, or `all` topics.
    """
    stopped = case(
        (_stopped(SuppressionRow.kind == Scope.ADDRESS), Scope.ADDRESS.value),
        (_stopped(SuppressionRow.kind == Scope.ALL), Scope.ALL.value),
    )
    return people.with_only_columns(
        SubscriberRow.email,
        _ID.label("id"),
        SubscriberRow.locale,
        SubscriberRow.created_at.label("since"),
        type_coerce(stopped, String(8)).label("stopped"),
        maintain_column_froms=True,
    )


def _conditions(wanted: ListFilter, opt_out: Collection[str], zone: tzinfo) -> Iterator[Condition]:
    topic = wanted.topic
    status = wanted.status
    if status is None and wanted.frequency is not None:
        status = Standing.SUBSCRIBED
    if status is not None:
        yield _stands(status, topic, opt_out)
    if wanted.frequency is not None:
        held = SubscriptionRow.frequency == wanted.frequency
        if topic in opt_out and wanted.frequency is Frequency.EVERY:
            held = or_(held, SubscriptionRow.subscriber_id.is_(None))
        any_held = and_(_IS_SUBSCRIBED, SubscriptionRow.frequency == wanted.frequency)
        yield held if topic is not None else _any_topic(any_held)
    if wanted.reason is not None:
        yield _gave(wanted.reason, topic)
    if wanted.campaign is not None:
        yield _emailed(wanted.campaign, topic)
    if wanted.joined_from or wanted.joined_to:
        created = SubscriberRow.created_at
        consented = func.coalesce(SubscriptionRow.consent_at, created)
        joined = consented if topic is not None else created
        yield _within(joined, wanted.joined_from, wanted.joined_to, zone)
    if wanted.left_from or wanted.left_to:
        left = _within(SubscriptionRow.changed_at, wanted.left_from, wanted.left_to, zone)
        left = and_(SubscriptionRow.status == Status.UNSUBSCRIBED, left)
        since = _within(SuppressionRow.since, wanted.left_from, wanted.left_to, zone)
        left_all = (SuppressionRow.kind == Scope.ALL, since)
        yield (
            or_(left, _stopped(*left_all))
            if topic is not None
            else _ID.in_(
                union(  # Of two indexes. With OR, every subscriber would be looked at.
                    select(SubscriptionRow.subscriber_id).where(left),
                    select(SuppressionRow.subscriber_id).where(*left_all),
                )
            )
        )


_IS_SUBSCRIBED = SubscriptionRow.status == Status.SUBSCRIBED


def _stands(standing: Standing, topic: str | None, opt_out: Collection[str]) -> Condition:
    if standing is Standing.SUPPRESSED:
        return _stopped(SuppressionRow.kind == Scope.ADDRESS)
    if standing is Standing.UNSUBSCRIBED:
        left_all = _stopped(SuppressionRow.kind == Scope.ALL)
        left = SubscriptionRow.status == Status.UNSUBSCRIBED
        return or_(left, left_all) if topic is not None else left_all
    if standing is Standing.UNCONFIRMED:
        waits = SubscriptionRow.status == Status.UNCONFIRMED
        return waits if topic is not None else _any_topic(waits)
    if topic is not None:
        # No COALESCE: the engine knows how many rows have a status.
        none_yet = [SubscriptionRow.subscriber_id.is_(None)] if topic in opt_out else []
        return and_(or_(_IS_SUBSCRIBED, *none_yet), ~_stopped())
    by_silence = [~_any_topic(SubscriptionRow.topic == each) for each in opt_out]
    silent = and_(SubscriberRow.explicit_from.is_(None), or_(False, *by_silence))
    return and_(or_(_any_topic(_IS_SUBSCRIBED), silent), ~_stopped())


def _any_topic(condition: Condition) -> Condition:
    own = SubscriptionRow.subscriber_id == _ID
    return select(SubscriptionRow.topic).where(own, condition).correlate(SubscriberRow).exists()


def _stopped(*conditions: Condition) -> Condition:
    own = SuppressionRow.subscriber_id == _ID
    return select(SuppressionRow.kind).where(own, *conditions).correlate(SubscriberRow).exists()


def _gave(reason: ReasonCode, topic: str | None) -> Condition:
    """Return the condition that a person gave a reason, for a topic or for everything."""
    statement = select(Reason.seq).where(Reason.subscriber_id == _ID, Reason.code == reason)
    if topic is not None:
        statement = statement.where(or_(Reason.topic == topic, Reason.topic.is_(None)))
    return statement.correlate(SubscriberRow).exists()


def _emailed(campaign: str, topic: str | None) -> Condition:
    own = and_(Claim.subscriber_id == _ID, Claim.topic == topic, Claim.campaign == campaign)
    # A number, not EXISTS: PostgreSQL would scan all claims instead of looking up each person's.
    statement = select(func.count()).where(own, Claim.released_at.is_(None))
    return statement.correlate(SubscriberRow).scalar_subquery() > 0


def _within(column: Any, first: date | None, last: date | None, zone: tzinfo) -> Condition:
    """Return the condition that a time is on the days from `first` to `last`."""
    found: list[Condition] = []
    if first is not None:
        found.append(column >= _start_of(first, zone))
    if last is not None:
        found.append(column < _start_of(last + timedelta(days=1), zone))
    return and_(*found)


def _start_of(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
