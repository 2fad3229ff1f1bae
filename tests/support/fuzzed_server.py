"""Serve as the command does, without what would stop or slow down many odd requests.

Those are the limit of requests of a key, the time to wait for events, and looking up names.

    python -m tests.support.fuzzed_server serve --port 8000
"""

import socket
from typing import Any

from limits import RateLimitItemPerMinute

from preference_center.cli import main
from preference_center.core.feed import FeedEvent
from preference_center.web.api import events, limits
from preference_center.web.api.routes import Call

_read, _look_up = events._read, socket.getaddrinfo
_PUBLIC = "93.184.215.14"
_LOCAL = ("127.0.0.1", "localhost")


def _read_at_once(call: Call, start: int, limit: int, _wait: float) -> list[FeedEvent]:
    return _read(call, start, limit, 0)


def _public(host: Any, *arguments: Any, **options: Any) -> Any:
    """Look up a name, which leads to a public address unless it is that of this machine."""
    return _look_up(host if host in _LOCAL else _PUBLIC, *arguments, **options)


if __name__ == "__main__":
    limits.MAX_REQUESTS_PER_MINUTE = RateLimitItemPerMinute(10**9)
    for module, name, value in (
        (events, "_read", _read_at_once),
        (socket, "getaddrinfo", _public),
    ):
        setattr(module, name, value)
    main()
