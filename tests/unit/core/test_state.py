"""The plain values of a subscriber: they match the tables, and a snapshot restores all of them."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from preference_center.core import snapshots, state
from preference_center.core.change import ALL, Target
from preference_center.core.vocab import Frequency, Scope, Source, Status
from preference_center.store import seals, set_sql, tables
from tests.support import make

LATER = make.NOW + timedelta(hours=1)
WEEKLY = Target.of("weekly-news")
SUBSCRIPTION = state.Subscription(
    topic="weekly-news",
    status=Status.UNCONFIRMED,
    frequency=Frequency.MONTHLY,
    paused_until=datetime(2027, 1, 2, tzinfo=UTC),
    changed_at=datetime(2026, 1, 3, 4, 5, 6, 789, tzinfo=UTC),
    source=Source.MAILTO,
    basis="consent",
    acquired_from="the fair",
    consent_at=datetime(2025, 6, 7, 8, 9, tzinfo=UTC),
    consent_source="confirm link",
    consent_wording=bytes(range(32)),
    updated_at=make.NOW,
    repeated_at=make.NOW,
)
SUPPRESSION = state.Suppression(
    kind=Scope.ALL,
    since=datetime(2026, 2, 3, 4, 5, tzinfo=UTC),
    source=Source.COMPLAINT,
    updated_at=make.NOW,
    repeated_at=make.NOW,
)
SUBSCRIBER = state.Subscriber(
    subscriber_id=UUID(int=7),
    email="ada@example.org",
    locale="de",
    delivered_on=date(2026, 3, 4),
    created_at=make.NOW,
    erased_at=LATER,
    seq=8,
    head=bytes(range(32)),
    explicit_from=3,
    is_spelling=True,
)
ROWS: list[tuple[Any, Any, Sequence[str]]] = [
    (SUBSCRIBER, tables.SubscriberRow, ()),
    (SUBSCRIPTION, tables.SubscriptionRow, ("subscriber_id",)),
    (SUPPRESSION, tables.SuppressionRow, ("subscriber_id",)),
]
TARGETS: list[tuple[Target, state.Subscription | state.Suppression]] = [
    (WEEKLY, SUBSCRIPTION),
    (ALL, SUPPRESSION),
]


@pytest.mark.parametrize(("row", "table", "before"), ROWS)
def test_the_values_are_those_of_the_columns_in_their_order(
    row: Any, table: Any, before: Sequence[str]
) -> None:
    columns = set_sql.columns_of(table)[len(before) :]
    assert set_sql.columns_of(table)[: len(before)] == tuple(before)
    assert tuple(each.name for each in fields(row))[: len(columns)] == columns
    assert row.values() == tuple(getattr(row, name) for name in columns)
    assert None not in row.values(), "a value that is not set shows nothing"
    assert len(set(row.values())) > len(columns) / 2
    assert type(row)(*row.values()) == row


def test_loaded_values_make_the_same_subscriber() -> None:
    subscriber = replace(
        SUBSCRIBER,
        subscriptions={"weekly-news": SUBSCRIPTION},
        suppressions={Scope.ALL: SUPPRESSION},
    )
    assert state.Loaded.of(subscriber).subscriber() == subscriber


def _holder(*rows: state.Subscription | state.Suppression) -> state.Subscriber:
    """Return a subscriber with copies of the rows."""
    subscriber = state.Subscriber.new(UUID(int=7), make.NOW)
    for row in rows:
        if isinstance(row, state.Subscription):
            subscriber.subscriptions[row.topic] = replace(row)
        else:
            subscriber.suppressions[row.kind] = replace(row)
    return subscriber


def _typed(row: Any) -> list[tuple[str, type, Any]]:
    return [
        (each.name, type(getattr(row, each.name)), getattr(row, each.name)) for each in fields(row)
    ]


@pytest.mark.parametrize(("target", "row"), TARGETS)
@pytest.mark.parametrize("other", ["removed", "changed", "kept"])
def test_a_snapshot_restores_every_field_with_its_type(
    target: Target, row: state.Subscription | state.Suppression, other: str
) -> None:
    subscriber = _holder(row)
    captured = seals.canonical_json(snapshots.capture(subscriber, [target]))
    if other == "removed":
        subscriber = _holder()
    elif other == "changed":
        changed: Any = snapshots.find(subscriber, target)
        for each in fields(changed):
            if each.name not in ("topic", "kind"):
                setattr(changed, each.name, None)
    snapshots.restore(subscriber, target, json.loads(captured)[target.key], LATER)
    restored: Any = snapshots.find(subscriber, target)
    assert _typed(restored) == _typed(replace(row, updated_at=LATER, repeated_at=None))


def test_empty_fields_are_restored_as_none() -> None:
    empty = replace(SUBSCRIPTION, paused_until=None, consent_at=None, consent_wording=None)
    captured = seals.canonical_json(snapshots.capture(_holder(empty), [WEEKLY]))
    subscriber = _holder(SUBSCRIPTION)
    snapshots.restore(subscriber, WEEKLY, json.loads(captured)[WEEKLY.key], LATER)
    restored = snapshots.find(subscriber, WEEKLY)
    assert _typed(restored) == _typed(replace(empty, updated_at=LATER, repeated_at=None))


@pytest.mark.parametrize(("target", "row"), TARGETS)
def test_the_absence_of_a_row_is_restored(
    target: Target, row: state.Subscription | state.Suppression
) -> None:
    captured = snapshots.capture(_holder(), [target])
    subscriber = _holder(row)
    snapshots.restore(subscriber, target, captured[target.key], LATER)
    assert snapshots.find(subscriber, target) is None
