"""The rows that a change affects, as plain values.

A snapshot is captured before and after a change, kept in the ledger, and restored by undo.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from preference_center.core.change import Target
from preference_center.core.state import Subscriber, Subscription, Suppression
from preference_center.core.vocab import Frequency, Source, Status

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
        subscriber.mark_updated(now)
    existing = find(subscriber, target)
    if value is None:
        _remove(subscriber, target)
    elif existing is not None:
        # A field that was added later than the value stays as it is.
        for name, restored in from_plain(value).items():
            setattr(existing, name, restored)
        existing.updated_at, existing.repeated_at = now, None
    elif target.topic is None:
        suppression = Suppression(kind=target.scope, updated_at=now, **from_plain(value))
        subscriber.suppressions[target.scope] = suppression
    else:
        subscription = Subscription(topic=target.topic, updated_at=now, **from_plain(value))
        subscriber.subscriptions[target.topic] = subscription


def _remove(subscriber: Subscriber, target: Target) -> None:
    if target.topic is None:
        subscriber.suppressions.pop(target.scope, None)
    else:
        subscriber.subscriptions.pop(target.topic, None)


def _values(row: Subscription | Suppression | None) -> Value:
    """Return the fields that say what a row says, not which one it is or when it was written."""
    if row is None:
        return None
    if isinstance(row, Suppression):
        return {"since": _text(row.since), "source": row.source}
    return {
        "status": row.status,
        "frequency": row.frequency,
        "paused_until": _text(row.paused_until),
        "changed_at": _text(row.changed_at),
        "source": row.source,
        "basis": row.basis,
        "acquired_from": row.acquired_from,
        "consent_at": _text(row.consent_at),
        "consent_source": row.consent_source,
        "consent_wording": row.consent_wording.hex() if row.consent_wording else None,
    }


@lru_cache(1024)  # The rows of a batch repeat a few times.
def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


# How the plain values of fields that are not texts are read.
_READERS: Mapping[str, Callable[[str], Any]] = {
    "status": Status,
    "frequency": Frequency,
    "source": Source,
    "since": datetime.fromisoformat,
    "paused_until": datetime.fromisoformat,
    "changed_at": datetime.fromisoformat,
    "consent_at": datetime.fromisoformat,
    "consent_wording": bytes.fromhex,
}


def from_plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a row from their plain values."""
    return {
        name: _READERS.get(name, str)(plain) if plain is not None else None
        for name, plain in value.items()
    }
