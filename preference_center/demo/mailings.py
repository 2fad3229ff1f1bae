"""The results of the demo's mailings. They are stored in a file beside the database."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from preference_center.core.vocab import DecisionReason
from preference_center.demo.json_files import as_json
from preference_center.links.addresses import mask

MAX_SHOWN = 8
_EXAMPLES = 4


@dataclass(frozen=True)
class Example:
    """A person who was left out: their masked address, and until when if that is known."""

    masked: str
    until: datetime | None


@dataclass(frozen=True)
class LeftOut:
    """How many people were left out for one reason, and a few of them."""

    reason: DecisionReason
    count: int
    examples: list[Example]


@dataclass(frozen=True)
class SentMailing:
    """One mailing. `reader` says why the inbox's reader was left out; None if they were not."""

    topic: str
    campaign: str
    at: datetime
    allowed: int
    left_out: list[LeftOut]
    reader: LeftOut | None

    @property
    def asked(self) -> int:
        """Return how many people the mailing asked about."""
        return self.allowed + self.count(*DecisionReason)

    def count(self, *reasons: DecisionReason) -> int:
        """Return how many people were left out for any of `reasons`."""
        return sum(each.count for each in self.left_out if each.reason in reasons)


def summarize(
    topic: str, campaign: str, at: datetime, verdicts: Iterable[Mapping[str, str]], reader: str
) -> SentMailing:
    """Return the result of a mailing, given the audience verdict on each person."""
    asked = list(verdicts)
    not_allowed = [each for each in asked if each["reason"]]
    left_out = [
        _left_out(reason, [each for each in not_allowed if each["reason"] == reason])
        for reason in DecisionReason
    ]
    own = [each for each in not_allowed if each["email"] == reader]
    return SentMailing(
        topic,
        campaign,
        at,
        allowed=len(asked) - len(not_allowed),
        left_out=[each for each in left_out if each.count],
        reader=_left_out(DecisionReason(own[0]["reason"]), own) if own else None,
    )


def save(folder: Path, mailing: SentMailing) -> None:
    """Add a mailing to the stored ones."""
    with _file(folder).open("a", encoding="utf-8") as file:
        file.write(f"{as_json(mailing)}\n")


def newest(folder: Path) -> list[SentMailing]:
    """Return the newest mailings, newest first."""
    if not _file(folder).exists():
        return []
    lines = _file(folder).read_text(encoding="utf-8").splitlines()
    return [_read(json.loads(line)) for line in reversed(lines[-MAX_SHOWN:])]


def _file(folder: Path) -> Path:
    return folder / "mailings.jsonl"


def _left_out(reason: DecisionReason, found: list[Mapping[str, str]]) -> LeftOut:
    # Spread the examples over the list: neighbours were often last emailed at the same time.
    step = max(1, len(found) // _EXAMPLES)
    examples = [Example(mask(each["email"]), _time(each["until"])) for each in found[::step]]
    return LeftOut(reason, len(found), examples[:_EXAMPLES])


def _read(values: Any) -> SentMailing:
    left_out = [_read_left_out(each) for each in values["left_out"]]
    reader = _read_left_out(values["reader"]) if values["reader"] is not None else None
    at = datetime.fromisoformat(values["at"])
    return SentMailing(values["topic"], values["campaign"], at, values["allowed"], left_out, reader)


def _read_left_out(values: Any) -> LeftOut:
    examples = [Example(each["masked"], _time(each["until"])) for each in values["examples"]]
    return LeftOut(DecisionReason(values["reason"]), values["count"], examples)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
