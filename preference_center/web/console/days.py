"""Days in the fields of forms."""

from datetime import UTC, date, datetime, time, tzinfo

from flask import request

from preference_center.core.errors import Refusal

_YEARS = range(1900, 2200)  # Each day in them has a day before and after it, in each zone.


def parse_day(text: str) -> date:
    """Return the day of an ISO 8601 text.

    Raises:
        ValueError: the text is not a day, or not one of the years 1900 to 2199.
    """
    day = date.fromisoformat(text)
    if day.year not in _YEARS:
        raise ValueError("the year is out of range")
    return day


def start_of_day(name: str, zone: tzinfo = UTC) -> datetime | None:
    """Return when the day in a field begins in `zone`, as a time in UTC, or None if it is empty.

    Raises:
        Refusal: the field does not contain a day.
    """
    text = request.form.get(name, "").strip()
    try:
        return datetime.combine(parse_day(text), time(), zone).astimezone(UTC) if text else None
    except ValueError:
        raise Refusal("enter a day, like 2026-11-22", name) from None
