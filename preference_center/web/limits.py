"""Limit what an origin may ask for by the hour. Never a stop: only mails that somebody asks for."""

from limits import RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

LINKS_AN_HOUR = RateLimitItemPerHour(10)


class Limits:
    """Counts in this process's memory alone: no address of origin is ever stored."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def allow(self, origin: str) -> bool:
        """Count one more mailed link for an origin; False where it has had its share."""
        return self._limiter.hit(LINKS_AN_HOUR, origin)
