"""Read rows of an exported ledger: what each one ended or started, for whom, and when."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from preference_center.core.change import ALL, Target
from preference_center.core.vocab import SUPPRESSION_SCOPES, Event, Scope, Source, Status
from preference_center.data.import_cells import MAX_CLOCK_SKEW
from preference_center.data.tabular import Row
from preference_center.links.minter import CAMPAIGN, SLUG
from preference_center.util.clock import parse_time

COLUMNS = ("id", "seq", "event", "scope", "topic", "recorded_at", "status", "hash")

_ENDING_EVENTS = (Event.UNSUBSCRIBED, Event.STAYED_OFF, Event.ERASED)
_MAX_SEQ = 2**62


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


@dataclass
class _Cells:
    """The cells of one row, and the problems of those that cannot be read."""

    values: Mapping[str, str]
    now: datetime
    problems: list[str] = field(default_factory=list)

    def text(self, column: str) -> str:
        return self.values.get(column, "")

    def unreadable(self, column: str) -> None:
        self.problems.append(f"the {column} cannot be read")

    def time(self, column: str) -> datetime:
        """Return a time that is not in the future; if it cannot be read, the current time."""
        try:
            at = parse_time(self.text(column), require_zone=True)
        except ValueError:
            at = None
        if at is None or at > self.now + MAX_CLOCK_SKEW:
            self.unreadable(column)
            return self.now
        return at


def read(row: Row, now: datetime) -> tuple[Entry | None, str]:
    """Return what a row says, or None if nothing needs to be done, and its problems.

    A row that ends consent needs only a subscriber id: each cell that cannot be read is assumed to
    end as much as possible. Any other row must be readable in full.
    """
    cells = _Cells(row.cells, now)
    try:
        subscriber_id = UUID(cells.text("id"))
    except ValueError:
        return None, "the id is not a subscriber id"
    if not cells.text("event"):
        return None, "this is not a row of the ledger"
    entry = _entry(cells, subscriber_id)
    problem = "; ".join(cells.problems)
    if entry is None or not problem:
        return entry, ""
    return (entry, f"{problem}: consent is ended anyway") if entry.ends else (None, problem)


def _entry(cells: _Cells, subscriber_id: UUID) -> Entry | None:
    event = cells.text("event")
    ends = event in _ENDING_EVENTS or cells.text("status") == Status.UNSUBSCRIBED
    target = _target(cells, event)
    if target is None and not ends:
        return None  # The subscriber was erased later.
    campaign = cells.text("campaign")
    return Entry(
        subscriber_id=subscriber_id,
        target=target or ALL,
        erases=event == Event.ERASED,
        seq=_seq(cells),
        ends=ends,
        source=_source(cells),
        campaign=campaign if CAMPAIGN.fullmatch(campaign) else "",
        occurred_at=cells.time("occurred_at"),
        recorded_at=cells.time("recorded_at"),
        hash=_hash(cells),
    )


def _target(cells: _Cells, event: str) -> Target | None:
    """Return a row's target, or None for a topic that is missing or cannot be read.

    A row whose scope cannot be read is about all topics.
    """
    scope, topic = cells.text("scope"), cells.text("topic")
    if event == Event.ERASED:
        return ALL
    if scope == Scope.TOPIC:
        if SLUG.fullmatch(topic):
            return Target.of(topic)
        if topic:
            cells.unreadable("topic")
        return None
    if scope not in SUPPRESSION_SCOPES:
        cells.unreadable("scope")
        return ALL
    return Target(Scope(scope))


def _seq(cells: _Cells) -> int:
    text = cells.text("seq")
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    cells.unreadable("seq")
    return _MAX_SEQ


def _hash(cells: _Cells) -> bytes:
    text = cells.text("hash")
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return bytes.fromhex(text)
    cells.unreadable("hash")
    return b""


def _source(cells: _Cells) -> Source:
    source = cells.text("original_source") or cells.text("source")
    return Source(source) if source in tuple(Source) else Source.IMPORT
