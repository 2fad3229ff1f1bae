"""Read untrusted JSON: a value that is missing or has the wrong type counts as empty."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeGuard

from preference_center.providers.event import MalformedEventError


class JsonObject:
    """One JSON object."""

    def __init__(self, value: Any) -> None:
        self._values: dict[str, Any] = value if isinstance(value, dict) else {}

    def text(self, name: str) -> str:
        """Return a string that a database can store; a number is converted."""
        value = self._values.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        return value if _is_text(value) else ""

    def is_true(self, name: str) -> bool:
        """Return True if a value is true or the string "true"."""
        return self._values.get(name) is True or self.text(name).lower() == "true"

    def part(self, name: str) -> "JsonObject":
        """Return an object in this object."""
        return JsonObject(self._values.get(name))

    def parts(self, name: str) -> Iterator["JsonObject"]:
        """Yield the objects of a list."""
        yield from each_of(self._values.get(name))

    def texts(self, name: str) -> list[str]:
        """Return the strings of a list."""
        value = self._values.get(name)
        return list(filter(_is_text, value)) if isinstance(value, list) else []

    def first(self, name: str) -> str:
        """Return the first string of a list."""
        return next(iter(self.texts(name)), "")

    def argument(self, field: str, name: str) -> str:
        """Return a value in a field that is an object, or a list of `key` and `value` pairs."""
        pairs = (each.text("value") for each in self.parts(field) if each.text("key") == name)
        return self.part(field).text(name) or next(pairs, "")

    def time(self, name: str) -> datetime | None:
        """Return a time from Unix seconds or ISO 8601 with a zone, or None."""
        text = self.text(name)
        return from_seconds(text) or _from_iso(text)


def from_seconds(text: str) -> datetime | None:
    """Return the time for a Unix timestamp, UTC, or None."""
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _from_iso(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _is_text(value: Any) -> TypeGuard[str]:
    """Return True for a string without NUL or lone surrogates."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value)


def parse(text: bytes | str) -> Any:
    """Return the value of a JSON document. Raise MalformedEventError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError("the body is not JSON") from error


def each_of(value: Any) -> Iterator[JsonObject]:
    """Yield the objects in a list, and skip its other items."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield JsonObject(item)
