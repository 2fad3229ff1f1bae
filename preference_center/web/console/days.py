"""Days in the fields of forms."""

from datetime import UTC, date, datetime, time, tzinfo

from flask import request

from preference_center.core.errors import Refusal


def start_of_day(name: str, zone: tzinfo = UTC) -> datetime | None:
    """Return when the day in a field begins in `zone`, as a time in UTC, or None if it is empty.

    Raises:
        Refusal: the field does not contain a day.
    """
    text = request.form.get(name, "").strip()
    try:
        day = date.fromisoformat(text) if text else None
        return datetime.combine(day, time(), zone).astimezone(UTC) if day is not None else None
    except (ValueError, OverflowError):
        raise Refusal("enter a day, like 2026-11-22", name) from None
