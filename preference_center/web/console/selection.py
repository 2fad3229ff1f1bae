"""What the query of a page of figures selects. A value that it does not know counts as absent."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from flask import request

from preference_center.core.figures.period import Period, Span
from preference_center.web.services import services

Choice = TypeVar("Choice", bound=StrEnum)


def period(default: Span, offered: Sequence[Span] = tuple(Span)) -> Period:
    """Return the period that is asked for."""
    wanted = choice("span", offered)
    return Period(wanted or default, services().clock())


def choice(name: str, offered: Sequence[Choice]) -> Choice | None:
    """Return the member of an enum that is asked for, or None."""
    wanted = request.args.get(name)
    return next((each for each in offered if each.value == wanted), None)


def text(name: str) -> str | None:
    """Return a value, or None if it is absent or empty."""
    return request.args.get(name) or None
