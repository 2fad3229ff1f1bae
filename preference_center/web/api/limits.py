"""Limit the requests of an API key, and say so (draft-ietf-httpapi-ratelimit-headers)."""

import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from preference_center.core.api_keys import ApiKey
from preference_center.web.api.problems import Problem, ProblemKind

MAX_REQUESTS_PER_MINUTE = RateLimitItemPerMinute(1200)


class KeyLimits:
    """Counts the requests of each key in this process."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def take(self, key: ApiKey) -> dict[str, str]:
        """Count a request, and return the headers that say how many remain, or raise Problem."""
        limit, name = MAX_REQUESTS_PER_MINUTE, str(key.id)
        allowed = self._limiter.hit(limit, name)
        reset_at, remaining = self._limiter.get_window_stats(limit, name)
        seconds = max(1, int(reset_at - time.time()) + 1)
        headers = {
            "RateLimit-Policy": f'"minute";q={limit.amount};w=60',
            "RateLimit": f'"minute";r={remaining};t={seconds}',
        }
        if not allowed:
            headers["Retry-After"] = str(seconds)
            raise Problem(ProblemKind.TOO_MANY_REQUESTS, headers=headers)
        return headers
