"""Read variables with our prefix from an environment, and collect the problems with them."""

import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path

from preference_center.util.text import is_one_line

PREFIX = "PREFERENCE_CENTER_"
_MAX_DAYS = 36_500  # So that now minus this many days is still a valid date.


class SettingsError(Exception):
    """One or more settings are missing or invalid; `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Reader:
    """Reads `PREFERENCE_CENTER_*` variables and collects problems, which `finish` raises.

    Each method returns the value of one setting, given by its name without the prefix. If the
    value is invalid, the method records a problem and returns a usable placeholder.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []
        self._read: set[str] = set()

    def refuse_unknown(self) -> None:
        """Record a problem for each variable with our prefix that is not a setting.

        A misspelled setting would otherwise be ignored.
        """
        ours = (name.removeprefix(PREFIX) for name in self._environ if name.startswith(PREFIX))
        for name in set(ours) - self._read:
            near = get_close_matches(name, self._read, 1)
            hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
            self.wrong(name, f"is not a setting{hint}")

    def finish(self) -> None:
        """Raise SettingsError if there was any problem."""
        if self._problems:
            raise SettingsError(self._problems)

    def text(self, name: str, *, required: bool = False, max_length: int | None = None) -> str:
        """Return a text of one line, or "" if it is not set."""
        self._read.add(name)
        value = self._environ.get(PREFIX + name, "").strip()
        if required and not value:
            self.wrong(name, "is missing")
        if not is_one_line(value):
            self.wrong(name, "contains a line break or another control character")
        if max_length is not None and len(value) > max_length:
            self.wrong(name, f"is longer than {max_length} characters")
        return value

    def list(self, name: str, *, required: bool = False) -> tuple[str, ...]:
        """Return the parts of a comma-separated list."""
        parts = tuple(part.strip() for part in self.text(name).split(",") if part.strip())
        if required and not parts:
            self.wrong(name, "is missing")
        return parts

    def one_of(self, name: str, choices: tuple[str, ...]) -> str:
        """Return one of `choices`; the first is the default."""
        value = self.text(name) or choices[0]
        if value not in choices:
            self.wrong(name, f"must be {' or '.join(choices)}")
            return choices[0]
        return value

    def some_of(self, name: str, choices: tuple[str, ...]) -> frozenset[str]:
        """Return the chosen ones of `choices`; all are the default, `none` chooses none."""
        chosen = frozenset(self.list(name)) or frozenset(choices)
        if chosen - {*choices, "none"}:
            self.wrong(name, f"may name {', '.join(choices)}, or none")
        return chosen - {"none"}

    def number(self, name: str, default: int, *, minimum: int = 0, maximum: int = 999_999) -> int:
        """Return a whole number from `minimum` to `maximum`."""
        value = self.text(name) or str(default)
        if not re.fullmatch(r"[0-9]{1,6}", value) or not minimum <= int(value) <= maximum:
            self.wrong(name, f"must be a number from {minimum} to {maximum}")
            return default
        return int(value)

    def seconds(self, name: str, default: int) -> timedelta:
        """Return a number of seconds as a duration."""
        value = self.text(name) or str(default)
        if not re.fullmatch(r"[0-9]{1,6}", value):
            self.wrong(name, "must be a number of seconds")
            return timedelta(seconds=default)
        return timedelta(seconds=int(value))

    def days(self, name: str, default: int, *, minimum: int = 1) -> timedelta:
        """Return a number of days as a duration."""
        return timedelta(days=self.number(name, default, minimum=minimum, maximum=_MAX_DAYS))

    def folder(self, name: str) -> Path | None:
        """Return the path of an existing folder, or None if it is not set."""
        value = self.text(name)
        if value and not Path(value).is_dir():
            self.wrong(name, "is not a folder")
        return Path(value) if value else None

    def wrong(self, name: str, why: str) -> None:
        """Record what is wrong with a setting."""
        self._problems.append(f"{PREFIX}{name} {why}{'' if why.endswith('?') else '.'}")
