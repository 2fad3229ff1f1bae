"""What the query of a page selects. A value that it does not know counts as absent."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from flask import request

from preference_center.core.figures.period import Period, Span
from preference_center.web.services import services

Choice = TypeVar("Choice", bound=StrEnum)

MAX_NUMBER = 2**31 - 1  # of an INTEGER of PostgreSQL


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


def number(name: str) -> int | None:
    """Return a number from 0 up, or None."""
    found = request.args.get(name, type=int)
    return found if found is not None and 0 <= found <= MAX_NUMBER else None


def moment(text: str) -> datetime | None:
    """Return a time in UTC that is written with its zone as in ISO 8601, or None."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
