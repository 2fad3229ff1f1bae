"""What a row of an exported ledger says: whose consent it ended or started, and when."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from preference_center.data.tabular import Row
from preference_center.links.minter import CAMPAIGN, SLUG

COLUMNS = ("id", "seq", "event", "scope", "topic", "recorded_at", "status", "hash")

_ENDING_EVENTS = ("unsubscribed", "stayed_off", "erased")
_MAX_SEQ = 2**62
_MAX_CLOCK_SKEW = timedelta(days=1)
_SOURCE = re.compile(r"[a-z-]{1,16}")

Scope = Literal["topic", "all", "address", "erased"]


@dataclass(frozen=True)
class Entry:
    """A row of the ledger, by what it says of one subscriber and scope.

    `ends` tells whether consent had ended after it. `topic` is "" but for the scope `topic`.
    """

    subscriber_id: UUID
    scope: Scope
    topic: str
    seq: int
    ends: bool
    source: str
    campaign: str
    occurred_at: datetime
    recorded_at: datetime
    hash: bytes


class _Doubts:
    """What could not be read in one row. It is no reason to lose an unsubscribe."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, what: str) -> None:
        self.found.append(f"the {what} cannot be read")

    def time(self, name: str, text: str, now: datetime) -> datetime:
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is not None and at.astimezone(UTC) <= now + _MAX_CLOCK_SKEW:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        self.add(name)
        return now


def read(row: Row, now: datetime) -> tuple[Entry | None, str]:
    """Return what a row says, None where it says nothing that matters, and what is wrong with it.

    A row that ends consent is taken as the stricter one where a cell of it cannot be read, as
    long as it says whose it is; any other row must be whole.
    """
    cells, doubts = row.cells, _Doubts()
    event, status = cells.get("event", ""), cells.get("status", "")
    ends = event in _ENDING_EVENTS or status == "unsubscribed"
    try:
        subscriber_id = UUID(cells.get("id", ""))
    except ValueError:
        return None, "the id is not a subscriber id"
    if not event:
        return None, "this is not a row of the ledger"
    scope, topic = _scope(cells, event, doubts)
    if not ends and scope == "topic" and not topic:
        return None, ""  # of a person who was erased since
    recorded_at = doubts.time("recorded_at", cells.get("recorded_at", ""), now)
    entry = Entry(
        subscriber_id=subscriber_id,
        scope="all" if scope == "topic" and not topic else scope,
        topic=topic,
        seq=_seq(cells.get("seq", ""), doubts),
        ends=ends,
        source=_source(cells),
        campaign=cells.get("campaign", "") if CAMPAIGN.fullmatch(cells.get("campaign", "")) else "",
        occurred_at=doubts.time("occurred_at", cells.get("occurred_at", ""), now),
        recorded_at=recorded_at,
        hash=_hash(cells.get("hash", ""), doubts),
    )
    problem = "; ".join(doubts.found)
    if problem and not ends:
        return None, problem
    return entry, f"{problem}: consent is ended all the same" if problem else ""


def _scope(cells: Mapping[str, str], event: str, doubts: _Doubts) -> tuple[Scope, str]:
    """Return a row's scope and topic. An unsubscribe without a readable topic ends everything."""
    topic = cells.get("topic", "")
    if event == "erased":
        return "erased", ""
    match cells.get("scope", ""):
        case "topic" if SLUG.fullmatch(topic):
            return "topic", topic
        case "topic":
            if topic:
                doubts.add("topic")
            return "topic", ""
        case "all":
            return "all", ""
        case "address":
            return "address", ""
    doubts.add("scope")
    return "all", ""


def _seq(text: str, doubts: _Doubts) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    doubts.add("seq")
    return _MAX_SEQ


def _hash(text: str, doubts: _Doubts) -> bytes:
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return bytes.fromhex(text)
    doubts.add("hash")
    return b""


def _source(cells: Mapping[str, str]) -> str:
    source = cells.get("original_source") or cells.get("source", "")
    return source if _SOURCE.fullmatch(source) else "import"
