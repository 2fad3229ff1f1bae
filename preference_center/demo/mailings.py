"""What the demo's mailings came to: noted beside the database as they are sent, to be shown."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from preference_center.links.addresses import mask

MAX_SHOWN = 8
_EXAMPLES = 4
# What `audience` says, the most telling first.
_REASONS = ("frequency", "paused", "unsubscribed", "suppressed", "unconfirmed", "not_subscribed")


@dataclass(frozen=True)
class Example:
    """Somebody who was left out: the masked address, and until when where that is known."""

    who: str
    until: datetime | None


@dataclass(frozen=True)
class LeftOut:
    """How many were left out for one reason, and some of them."""

    reason: str
    count: int
    examples: list[Example]


@dataclass(frozen=True)
class Mailed:
    """One mailing. `reader` is why the inbox's reader was left out, None where they were not."""

    topic: str
    campaign: str
    at: datetime
    allowed: int
    left_out: list[LeftOut]
    reader: LeftOut | None

    @property
    def asked(self) -> int:
        """Return how many people the mailing asked about."""
        return self.allowed + self.count(*(each.reason for each in self.left_out))

    def count(self, *reasons: str) -> int:
        """Return how many were left out for one of `reasons`."""
        return sum(each.count for each in self.left_out if each.reason in reasons)


def summed(
    topic: str, campaign: str, at: datetime, verdicts: Iterable[Mapping[str, str]], reader: str
) -> Mailed:
    """Return what the verdicts of a mailing come to."""
    by_reason: dict[str, list[Mapping[str, str]]] = {reason: [] for reason in ("", *_REASONS)}
    for each in verdicts:
        by_reason.setdefault(each["reason"], []).append(each)
    allowed = by_reason.pop("")
    left_out = [_left_out(reason, found) for reason, found in by_reason.items() if found]
    own = [each for found in by_reason.values() for each in found if each["email"] == reader]
    why = _left_out(own[0]["reason"], own) if own else None
    return Mailed(topic, campaign, at, len(allowed), left_out, why)


def note(folder: Path, mailed: Mailed) -> None:
    """Add a mailing to those that were noted."""
    with _file(folder).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(mailed), default=datetime.isoformat) + "\n")


def noted(folder: Path) -> list[Mailed]:
    """Return the newest mailings, newest first."""
    if not _file(folder).exists():
        return []
    lines = _file(folder).read_text(encoding="utf-8").splitlines()
    return [_read(json.loads(line)) for line in reversed(lines[-MAX_SHOWN:])]


def _file(folder: Path) -> Path:
    return folder / "mailings.jsonl"


def _left_out(reason: str, found: list[Mapping[str, str]]) -> LeftOut:
    """Take examples from all over: those side by side were often mailed last at the same time."""
    step = max(1, len(found) // _EXAMPLES)
    examples = [Example(mask(each["email"]), _time(each["until"])) for each in found[::step]]
    return LeftOut(reason, len(found), examples[:_EXAMPLES])


def _read(values: Any) -> Mailed:
    left_out = [_read_left_out(each) for each in values["left_out"]]
    reader = _read_left_out(values["reader"]) if values["reader"] is not None else None
    at = datetime.fromisoformat(values["at"])
    return Mailed(values["topic"], values["campaign"], at, values["allowed"], left_out, reader)


def _read_left_out(values: Any) -> LeftOut:
    examples = [Example(each["who"], _time(each["until"])) for each in values["examples"]]
    return LeftOut(values["reason"], values["count"], examples)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
