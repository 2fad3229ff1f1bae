"""Types of options and arguments."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from re import Pattern
from typing import Any

import click

from preference_center.links.minter import CAMPAIGN, SLUG, TEST_CAMPAIGN
from preference_center.links.server import OWN_CAMPAIGNS
from preference_center.util.clock import parse_time

_MIN_YEAR, _MAX_YEAR = 1970, 9000  # So that a day can be added or subtracted.


class Matching(click.ParamType[str]):
    """A text that a pattern matches; `allowed` describes the pattern."""

    def __init__(self, name: str, pattern: Pattern[str], allowed: str) -> None:
        self.name, self._pattern, self._allowed = name, pattern, allowed

    def convert(self, value: str, param: object, ctx: object) -> str:
        """Return the text, or fail."""
        if not self._pattern.fullmatch(value):
            self.fail(f"{value!r} is not {self._allowed}")
        return value


TOPIC = Matching("topic", SLUG, "1 to 32 of a-z, 0-9 and -")


def _campaign(reserved: Collection[str]) -> Matching:
    return Matching(
        "campaign",
        re.compile(f"(?!({'|'.join(sorted(reserved))})$){CAMPAIGN.pattern}"),
        f"1 to 40 of A-Z, a-z, 0-9, - _ and ., or is a reserved name "
        f"({', '.join(sorted(reserved))})",
    )


CAMPAIGN_NAME = _campaign(OWN_CAMPAIGNS)
LINK_CAMPAIGN = _campaign(OWN_CAMPAIGNS - {TEST_CAMPAIGN})


class Pairs(click.ParamType[tuple[str, str]]):
    """Two texts with `=` between them; the second is one of `allowed`, or of that type.

    The first is in lower case. It may contain `=`.
    """

    def __init__(self, name: str, allowed: Sequence[str] | click.ParamType[str]) -> None:
        self.name = name
        self._allowed = (
            allowed if isinstance(allowed, click.ParamType) else click.Choice(list(allowed))
        )

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        """Return the two texts, or fail."""
        if isinstance(value, tuple):
            return value
        theirs, _, ours = value.rpartition("=")
        if not theirs.strip():
            self.fail(f"{value!r} is not {self.name.upper()}.")
        return theirs.strip().lower(), str(self._allowed.convert(ours.strip(), param, ctx))


class Time(click.ParamType[datetime]):
    """A date or time in ISO 8601, in UTC unless it has a time zone."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """Return the time in UTC, or fail."""
        if isinstance(value, datetime):
            return value
        try:
            at = parse_time(value)
        except ValueError:
            at = None
        if at is None or not _MIN_YEAR <= at.year <= _MAX_YEAR:
            self.fail(f"{value!r} is not a time, like 2026-11-22 or 2026-11-22T14:05:00Z.")
        return at


def values(vocabulary: type[StrEnum]) -> list[str]:
    """Return an enum's values for `click.Choice`, which would offer the members' names."""
    return [member.value for member in vocabulary]
