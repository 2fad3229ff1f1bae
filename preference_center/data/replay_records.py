"""Read rows of an exported ledger: whose consent each one ended or started, and when."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from preference_center.core.change import ALL, Target
from preference_center.core.vocab import SUPPRESSION_SCOPES, Event, Scope, Source, Status
from preference_center.data.tabular import Row
from preference_center.links.minter import CAMPAIGN, SLUG

COLUMNS = ("id", "seq", "event", "scope", "topic", "recorded_at", "status", "hash")

_ENDING_EVENTS = (Event.UNSUBSCRIBED, Event.STAYED_OFF, Event.ERASED)
_MAX_SEQ = 2**62
_MAX_CLOCK_SKEW = timedelta(days=1)


@dataclass(frozen=True)
class Entry:
    """What a row of the ledger says about one subscriber and one target.

    `ends` is True if consent had ended after it, `erases` if it records an erasure.
    """

    subscriber_id: UUID
    target: Target
    erases: bool
    seq: int
    ends: bool
    source: Source
    campaign: str
    occurred_at: datetime
    recorded_at: datetime
    hash: bytes


class _Doubts:
    """The cells of one row that cannot be read. An unsubscribe is applied all the same."""

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
    """Return what a row says, or None if nothing follows from it, and what is wrong with it.

    If a cell cannot be read, a row that ends consent is read in the stricter way, provided that it
    has a subscriber id. Any other row must be readable in full.
    """
    cells, doubts = row.cells, _Doubts()
    event, status = cells.get("event", ""), cells.get("status", "")
    ends = event in _ENDING_EVENTS or status == Status.UNSUBSCRIBED
    try:
        subscriber_id = UUID(cells.get("id", ""))
    except ValueError:
        return None, "the id is not a subscriber id"
    if not event:
        return None, "this is not a row of the ledger"
    target = _target(cells, event, doubts)
    if target is None and not ends:
        return None, ""  # The subscriber was erased since.
    recorded_at = doubts.time("recorded_at", cells.get("recorded_at", ""), now)
    entry = Entry(
        subscriber_id=subscriber_id,
        target=target or ALL,
        erases=event == Event.ERASED,
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


def _target(cells: Mapping[str, str], event: str, doubts: _Doubts) -> Target | None:
    """Return a row's target, or None for a topic that is missing or cannot be read.

    A row whose scope cannot be read counts for all topics.
    """
    scope, topic = cells.get("scope", ""), cells.get("topic", "")
    if event == Event.ERASED:
        return ALL
    if scope == Scope.TOPIC:
        if SLUG.fullmatch(topic):
            return Target.of(topic)
        if topic:
            doubts.add("topic")
        return None
    if scope not in SUPPRESSION_SCOPES:
        doubts.add("scope")
        return ALL
    return Target(Scope(scope))


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


def _source(cells: Mapping[str, str]) -> Source:
    source = cells.get("original_source") or cells.get("source", "")
    return Source(source) if source in tuple(Source) else Source.IMPORT
