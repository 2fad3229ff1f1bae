"""What a change touches, as plain values: taken before it, kept in the ledger, put back by undo."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from preference_center.store.tables import Subscriber, Subscription, Suppression, row_values

_NOT_TAKEN = {"subscriber_id", "topic", "kind", "updated_at", "reaffirmed_at"}
_TIMES = {"changed_at", "consent_at", "paused_until", "since"}
_PREFIX = "topic:"


def subscription_key(slug: str) -> str:
    """Return the key under which a subscription stands in a snapshot."""
    return _PREFIX + slug


def topic_of(key: str) -> str | None:
    """Return the slug of a subscription's key, or None for a suppression's."""
    return key.removeprefix(_PREFIX) if key.startswith(_PREFIX) else None


def capture(subscriber: Subscriber, keys: Iterable[str]) -> dict[str, Any]:
    """Return what stands under each key: `topic:SLUG`, `all` or `address`; None: nothing."""
    return {key: _values(find(subscriber, key)) for key in keys}


def matches(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Tell whether things are as they were. Columns that came later than `then` do not count."""
    return all(
        now[key] == then[key]
        if now[key] is None or then[key] is None
        else all(now[key].get(name) == value for name, value in then[key].items())
        for key in then
    )


def visible_state(value: Mapping[str, Any] | None) -> Any:
    """Return what a person would notice of a value: what they get, not since when."""
    if value is None:
        return None
    return tuple(value.get(name) for name in ("status", "frequency", "paused_until"))


def find(subscriber: Subscriber, key: str) -> Subscription | Suppression | None:
    """Return what stands under a key now."""
    slug = topic_of(key)
    if slug is None:
        return subscriber.suppressions.get(key)
    return subscriber.subscriptions.get(slug)


def restore(subscriber: Subscriber, key: str, value: Any, now: datetime) -> None:
    """Make what stands under `key` what it was."""
    slug = topic_of(key)
    if slug is None:
        _put(subscriber.suppressions, key, value, Suppression(kind=key, updated_at=now))
        for subscription in subscriber.subscriptions.values():
            subscription.updated_at = now
    else:
        _put(subscriber.subscriptions, slug, value, Subscription(topic=slug, updated_at=now))


def copy_values(source: Subscription, target: Subscription) -> None:
    """Make `target` say what `source` says."""
    for name, value in row_values(source).items():
        setattr(target, name, value)


def _put(held: dict[str, Any], key: str, value: Any, new: Subscription | Suppression) -> None:
    if value is None:
        held.pop(key, None)
        return
    row = held.get(key)
    if row is None:
        row = held[key] = new
    row.updated_at, row.repeated_at = new.updated_at, None
    for name, plain in value.items():
        setattr(row, name, _from_plain(name, plain))


def _values(row: Subscription | Suppression | None) -> dict[str, Any] | None:
    if row is None:
        return None
    values = row_values(row)
    return {name: _to_plain(values[name]) for name in values if name not in _NOT_TAKEN}


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.hex() if isinstance(value, bytes) else value


def _from_plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _TIMES:
        return datetime.fromisoformat(value)
    return bytes.fromhex(value) if name == "consent_wording" else value
