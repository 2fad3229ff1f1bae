"""Export what is on record, streamed in constant memory.

Rows are ordered by their keys (reasons, which have none, by all of their columns), so that the same
data gives the same bytes on both engines.

Preferences are exported with their effective status: a person who unsubscribed from everything is
`unsubscribed` from each topic, so that another tool that imports the file does not email them.
"""

import codecs
from collections.abc import Callable, Generator, Mapping, Set
from contextlib import closing
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from preference_center.core import fetches
from preference_center.core.errors import ExportRefusal
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import FetchKind, ImportStatus, OutboxState
from preference_center.data.address_list import AddressList
from preference_center.data.export_formats import FORMATS
from preference_center.data.export_rows import Rows
from preference_center.store import export_queries, sending_export_queries
from preference_center.store.streaming import AnySelect

Filter = export_queries.ExportFilter
_EVERY_KIND = frozenset({"since", "until"})


@dataclass(frozen=True)
class Kind:
    """A kind of export: its query, and the filters that it has besides `since` and `until`.

    `statuses` is the vocabulary of its filter `status`. `fetch` says how it counts as a fetch of
    unsubscribes, if it does. `can_match` says whether its rows have addresses.
    """

    name: str
    query: Callable[[Filter], AnySelect]
    filters: Set[str]
    statuses: tuple[StrEnum, ...] = ()
    fetch: FetchKind | None = None
    can_match: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(each.name for each in Rows(self.query(Filter())).columns)

    def status(self, word: str | None) -> StrEnum | None:
        """Return the status of a filter, or raise ExportRefusal if there are no such rows."""
        if word is None:
            return None
        found = next((each for each in self.statuses if each == word), None)
        if found is None and self.statuses:
            raise ExportRefusal(f"a status of {self.name} is one of: {', '.join(self.statuses)}")
        if found is None:
            raise ExportRefusal(f"{self.name} exports have no filter status")
        return found

    def check(self, selected: Filter) -> None:
        """Raise ExportRefusal if this kind of export does not have one of the filters."""
        given = {name for name, value in vars(selected).items() if value is not None}
        unknown = sorted(given - self.filters - _EVERY_KIND)
        if unknown:
            raise ExportRefusal(f"{self.name} exports have no filter {' and '.join(unknown)}")

    def count(self, session: Session, selected: Filter, at_most: int) -> int:
        """Return how many rows the filters select, or `at_most` if there are more."""
        self.check(selected)
        some = self.query(selected).order_by(None).limit(at_most).subquery()
        return session.scalars(select(func.count()).select_from(some)).one()


_ENDED = tuple(each for each in ImportStatus if each.ends_consent)
_PREFERENCES = Kind(
    "preferences",
    export_queries.preferences,
    {"topic", "status", "frequency", "locale"},
    tuple(ImportStatus),
    FetchKind.PREFERENCES,
)
_SUPPRESSIONS = Kind(
    "suppressions",
    export_queries.suppressions,
    {"topic", "status", "locale"},
    _ENDED,
    FetchKind.SUPPRESSIONS,
)
_LEDGER = Kind("ledger", export_queries.ledger, {"topic", "campaign"}, can_match=False)
_REASONS = Kind("reasons", export_queries.reasons, {"topic", "campaign"}, can_match=False)
_CLAIMS = Kind("claims", sending_export_queries.claims, {"topic", "campaign"})
_OUTBOX = Kind(
    "outbox", sending_export_queries.outbox, {"topic", "status", "locale"}, tuple(OutboxState)
)
_BOUNCES = Kind(
    "bounces",
    sending_export_queries.bounces,
    {"topic", "status"},
    tuple(each for each in BounceSeverity if each is not BounceSeverity.IGNORED),
)
KINDS: Mapping[str, Kind] = {
    each.name: each
    for each in (_PREFERENCES, _SUPPRESSIONS, _LEDGER, _REASONS, _CLAIMS, _OUTBOX, _BOUNCES)
}


@dataclass(frozen=True)
class Export:
    """One export of one kind, in one of `FORMATS`.

    With `mark`, the file begins with a byte order mark, so that Excel reads CSV as UTF-8.
    `addresses` are those of subscribers who are on record only by id.
    """

    kind: Kind
    selected: Filter
    file_format: str
    _: KW_ONLY
    mark: bool = False
    addresses: AddressList | None = None

    def write(
        self,
        session: Session,
        file: BinaryIO,
        advance: Callable[[int], object] = lambda count: None,
    ) -> None:
        """Write the file; `advance` is called with the number of rows of each batch.

        Raises:
            ExportRefusal: the kind does not have one of the filters, or the format cannot be
                written.
        """
        for count in self.steps(session, file):
            advance(count)

    def steps(self, session: Session, file: BinaryIO) -> Generator[int]:
        """Write as `write` does; yield the number of rows of each batch once it is written.

        The file is complete when the generator ends.
        """
        self.kind.check(self.selected)
        if self.mark:
            file.write(codecs.BOM_UTF8)
        rows = Rows(self.kind.query(self.selected), self.addresses)
        writer = FORMATS[self.file_format].writer(file, rows.columns, self.kind.name)
        with closing(writer), rows.read(session) as batches:
            for batch in batches:
                writer.write(batch)
                yield len(batch[0])


def record_fetch(session: Session, kind: FetchKind, selected: Filter, began_at: datetime) -> None:
    """Record which unsubscribes an export that began at `began_at` has given to a sender.

    An export with any filter but a topic and times does not count: it lacks unsubscribes.
    """
    if selected != replace(Filter(selected.topic), since=selected.since, until=selected.until):
        return
    fetched = {selected.topic or fetches.EVERYTHING}
    if kind is FetchKind.SUPPRESSIONS:
        fetched.add(fetches.EVERYTHING)  # An export for a topic has all suppressions as well.
    for topic in sorted(fetched):
        fetches.record(session, kind, topic, began_at, since=selected.since, until=selected.until)
