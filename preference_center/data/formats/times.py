"""Read times as other systems write them. Without a zone, they are in UTC."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from preference_center.util.clock import parse_time

_UNIX = re.compile(r"\d{9,10}(\.\d+)?")  # seconds, from 1973 to 2286
_MILLISECONDS = re.compile(r"\d{12,13}")
# `2023-03-24 10:23:10 UTC`, and what Go's time.Time.String returns, with the name of the zone.
_WITH_ZONE = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)? ?(UTC|GMT|Z|[+-]\d\d:?\d\d)( \S+)?( m=.*)?"
)
_DAY_FIRST = re.compile(r"(\d\d)-(\d\d)-(\d{4})(?: (\d\d:\d\d(?::\d\d)?))?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Moment(NamedTuple):
    """A time in UTC; `day_only` if the text has no time of day."""

    at: datetime
    day_only: bool

    def latest(self, now: datetime) -> datetime:
        """Return the time, or the end of its day, but not a time of today that is after `now`."""
        if not self.day_only:
            return self.at
        end = self.at + timedelta(days=1, seconds=-1)
        return min(end, now) if self.at <= now else end


def read_moment(text: str) -> Moment | None:
    """Return the time in a text, or None if it has none that is understood."""
    try:
        return _read(text.strip())
    except (ValueError, OverflowError, OSError):
        return None


def _read(text: str) -> Moment:
    if _UNIX.fullmatch(text):
        return Moment(datetime.fromtimestamp(float(text), UTC), day_only=False)
    if _MILLISECONDS.fullmatch(text):
        return Moment(datetime.fromtimestamp(int(text) / 1000, UTC), day_only=False)
    if found := _DAY_FIRST.fullmatch(text):
        day, month, year, clock = found.groups()
        iso = f"{year}-{month}-{day}"
        return Moment(parse_time(f"{iso}T{clock}" if clock else iso), day_only=clock is None)
    if found := _WITH_ZONE.fullmatch(text):
        day, clock, fraction, zone = found[1], found[2], found[3] or "", found[4]
        offset = "+00:00" if zone.isalpha() else zone
        return Moment(parse_time(f"{day}T{clock}{fraction[:7]}{offset}"), day_only=False)
    if text[:1].isalpha():
        at = parsedate_to_datetime(text)
        return Moment(at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC), day_only=False)
    return Moment(parse_time(text), day_only=_DAY.fullmatch(text) is not None)
