"""The current time, and times in texts. All other code takes the time as an argument."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


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
