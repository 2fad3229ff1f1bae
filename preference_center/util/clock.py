"""The current time, and times in texts. All other code takes the time as an argument."""

from datetime import UTC, datetime, time, timedelta, tzinfo


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def last_monday(now: datetime, zone: tzinfo, hour: int = 0) -> datetime:
    """Return the last time that it was Monday at `hour` in a zone, in UTC."""
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    at = datetime.combine(monday, time(hour), zone).astimezone(UTC)
    if at <= now:
        return at
    return datetime.combine(monday - timedelta(days=7), time(hour), zone).astimezone(UTC)


def parse_time(text: str, *, require_zone: bool = False) -> datetime:
    """Return the time of an ISO 8601 text in UTC, which is also the zone if the text has none.

    Raises:
        ValueError: the text is not a time, is out of range, or lacks a required zone.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        if require_zone:
            raise ValueError("the time has no zone")
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is out of range") from error
