"""Who may call a route. Each one says so; a test fails for one that says nothing."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])


class Caller(Enum):
    """Whom a route answers."""

    ANYONE = "anyone, and it tells nothing about a person"
    LINK = "whoever holds the signed link in the path"
    PROVIDER = "a mail provider whose secret is set, and who proves that it knows it"


def open_to(caller: Caller) -> Callable[[View], View]:
    """Declare whom a view answers."""

    def declare(view: View) -> View:
        view.caller = caller  # type: ignore[attr-defined]
        return view

    return declare
