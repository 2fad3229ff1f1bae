"""Who may call a route. Every route declares it; a test fails for a route that does not."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])


class Caller(Enum):
    """Who may call a route."""

    ANYONE = "anyone; the answer reveals nothing about a subscriber"
    API_KEY = "a sender's program with an API key that has the scope of the route"
    LINK = "anyone with the signed link in the path"
    MONITORING = "a monitoring system that knows METRICS_TOKEN"
    STAFF = "a member of staff who is signed in to the console and has the right of the route"
    PROVIDER = "a mail provider that proves that it knows its configured secret"


def open_to(caller: Caller) -> Callable[[View], View]:
    """Declare who may call a view."""

    def declare(view: View) -> View:
        view.caller = caller  # type: ignore[attr-defined]
        return view

    return declare
