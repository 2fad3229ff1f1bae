"""The rows that a change affects, as plain values.

A snapshot is captured before and after a change, kept in the ledger, and restored by undo.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from preference_center.core.change import Target
from preference_center.core.subscribers import mark_updated
from preference_center.store.tables import Subscriber, Subscription, Suppression, Utc, row_values

# Columns that identify a row, or that say when it was written rather than what it says.
_NOT_CAPTURED = {"subscriber_id", "topic", "kind", "updated_at", "repeated_at"}

_Key = TypeVar("_Key")
_Row = TypeVar("_Row", Subscription, Suppression)

Value = Mapping[str, Any] | None  # Columns by name; None if there is no row.
Snapshot = Mapping[str, Value]  # By the key of a target.


def capture(subscriber: Subscriber, targets: Iterable[Target]) -> dict[str, Value]:
    """Return the row of each target, as plain values."""
    return {target.key: _values(find(subscriber, target)) for target in targets}


def matches(now: Snapshot, then: Snapshot) -> bool:
    """Return True if the rows of `then` are the same now.

    Columns that were added later than `then` are not compared.
    """
    return all(_same(now[key], value) for key, value in then.items())


def _same(now: Value, then: Value) -> bool:
    if now is None or then is None:
        return now is then
    return all(now.get(name) == value for name, value in then.items())


def visible_state(value: Value) -> Any:
    """Return the part of a value that the subscriber notices: what they get, not since when."""
    if value is None:
        return None
    return tuple(value.get(name) for name in ("status", "frequency", "paused_until"))


def find(subscriber: Subscriber, target: Target) -> Subscription | Suppression | None:
    """Return the row of a target, or None."""
    if target.topic is None:
        return subscriber.suppressions.get(target.scope)
    return subscriber.subscriptions.get(target.topic)


def restore(subscriber: Subscriber, target: Target, value: Value, now: datetime) -> None:
    """Restore the row of a target to a captured value, or remove it if there was none."""
    if target.topic is None:
        mark_updated(subscriber, now)
        new = Suppression(kind=target.scope, updated_at=now)
        _put(subscriber.suppressions, target.scope, new, value)
    else:
        subscription = Subscription(topic=target.topic, updated_at=now)
        _put(subscriber.subscriptions, target.topic, subscription, value)


def _put(rows: MutableMapping[_Key, _Row], key: _Key, new: _Row, value: Value) -> None:
    if value is None:
        rows.pop(key, None)
        return
    row = rows.setdefault(key, new)
    row.updated_at, row.repeated_at = new.updated_at, None
    for name, plain in value.items():
        setattr(row, name, _from_plain(row, name, plain))


def copy_values(source: Subscription, target: Subscription) -> None:
    """Copy every column of `source` to `target`."""
    for name, value in row_values(source).items():
        setattr(target, name, value)


def _values(row: Subscription | Suppression | None) -> Value:
    if row is None:
        return None
    values = row_values(row)
    return {name: _to_plain(values[name]) for name in values if name not in _NOT_CAPTURED}


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.hex() if isinstance(value, bytes) else value


def _from_plain(row: Subscription | Suppression, name: str, value: Any) -> Any:
    if value is None:
        return None
    column = row.__table__.columns[name].type
    if isinstance(column, Utc):
        return datetime.fromisoformat(value)
    if column.python_type is bytes:
        return bytes.fromhex(value)
    return column.python_type(value)
