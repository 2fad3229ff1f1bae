"""Read the rows of another system's file into records, first those that end consent."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from preference_center.core.vocab import ImportStatus, Scope
from preference_center.data.formats.base import Format, unrepeated
from preference_center.data.formats.layout import Layout, layout_of
from preference_center.data.formats.meaning import Meaning, Statement
from preference_center.data.formats.statements import read_statements
from preference_center.data.formats.times import read_moment
from preference_center.data.identity import BadRowError
from preference_center.data.import_cells import MAX_WORD, Cells, UnknownWordError
from preference_center.data.import_columns import Columns, match
from preference_center.data.import_records import AddressRecord, ReadRow, Rules
from preference_center.data.import_rows import (
    cell_problems,
    is_stop,
    read_mailable,
    read_row,
    read_start,
    read_stop,
    refuse_faulty,
    refuse_suspects,
)
from preference_center.data.tabular import Row

_STATUS_OF = {
    Meaning.BOUNCED: ImportStatus.BOUNCED,
    Meaning.COMPLAINED: ImportStatus.COMPLAINED,
    Meaning.SUBSCRIBED: ImportStatus.SUBSCRIBED,
    Meaning.UNCONFIRMED: ImportStatus.UNCONFIRMED,
}
_STARTS = (Meaning.SUBSCRIBED, Meaning.UNCONFIRMED)
_UNCLEAR_ADDRESS = "it is unclear which column holds the address"
_MAX_REASON = 200  # characters of a reason that are kept


class Reader(Protocol):
    """Reads rows of one part of a file."""

    def read(self, row: Row, now: datetime, *, stops: bool) -> ReadRow:
        """Return what a row says that ends consent if `stops`, else the rest of it.

        Raises:
            BadRowError: this part of what it says cannot be used.
        """


@dataclass(frozen=True)
class ReadableRow(Row):
    """A row with its reader. It is read twice: with `stops`, and later without."""

    reader: Reader = field(kw_only=True)
    stops: bool = field(kw_only=True)

    def read(self, now: datetime) -> ReadRow:
        """Return what the row says in this pass, or raise BadRowError."""
        return self.reader.read(self, now, stops=self.stops)


@dataclass(frozen=True)
class PlainReader:
    """Reads rows with the columns of `import`."""

    rules: Rules

    def read(self, row: Row, now: datetime, *, stops: bool) -> ReadRow:
        """Return what a row says if that is, or is not, an unsubscribe."""
        columns = match(row.names, self.rules.ignored, mapped=self.rules.columns)
        if is_stop(row, columns, self.rules) is not stops:
            return ReadRow()
        return read_row(row, columns, self.rules, now)


@dataclass(frozen=True)
class FormatReader:
    """Reads rows of a part, named `name`, of a file of another system."""

    form: Format
    name: str
    rules: Rules

    def read(self, row: Row, now: datetime, *, stops: bool) -> ReadRow:
        """Return what a row says; see `Reader`."""
        layout = layout_of(row.names, self.form, self.rules.ignored)
        said = read_statements(self.form, self.name, row.cells, layout, self.rules)
        if said.unknown_words and not stops and not said.parts(stops=True):
            column, word = said.unknown_words[0]
            raise UnknownWordError(f"{column} has an unknown word", column, word)
        read = ReadRow(unknown_words=said.unknown_words if stops else [])
        ended = {self._topic(each) for each in said.parts(stops=True)}  # "" is every topic.
        for statement in said.parts(stops=stops):
            if statement.meaning is Meaning.NOTHING:
                read.skipped = Meaning.NOTHING
                continue
            if statement.meaning in _STARTS and ended & {"", self._topic(statement)}:
                continue
            if not layout.emails:
                raise BadRowError(_UNCLEAR_ADDRESS)
            make = self._stop if stops else self._other
            _add(read, make(statement, row, layout, now))
        return read

    def _stop(self, statement: Statement, row: Row, layout: Layout, now: datetime) -> ReadRow:
        topic = self._topic(statement)
        values = self._stop_values(statement, topic, row, layout, now)
        cells = Cells(values, now, lenient=True, warnings=[*row.problems, *cell_problems(row)])
        read = self._stop_each(layout.addresses(row.cells) or [""], cells)
        if statement.topics and not topic:
            read.unmapped_topics.append(statement.topics[0][:MAX_WORD])
            read.warnings.append("its topic is not mapped: unsubscribed from every topic")
        return read

    def _stop_each(self, emails: list[str], cells: Cells) -> ReadRow:
        """Return the stop of each address that can be read; raise BadRowError if none can be."""
        read, errors = ReadRow(warnings=cells.warnings), []
        for email in emails:
            each = replace(cells, values={"email": email, **cells.values}, warnings=[])
            try:
                _add(read, read_stop(each, self._plain))
            except BadRowError as error:
                errors.append(error)
        if not read.records:
            raise errors[0]
        read.warnings += map(str, errors)
        if len(emails) > 1:
            read.warnings.append(f"the row has {len(emails)} addresses: each is unsubscribed")
        return read

    def _stop_values(
        self, statement: Statement, topic: str, row: Row, layout: Layout, now: datetime
    ) -> dict[str, str]:
        at = _time(layout.first((*statement.at, *self.form.stopped_at), row.cells), now)
        reason = layout.first(self.form.reasons, row.cells)[:_MAX_REASON]
        stated = f"{self.form.title}: {reason}" if reason else self.form.title
        if statement.meaning in _STATUS_OF:
            status = _STATUS_OF[statement.meaning]
            return {"status": status, "changed_at": at, "changed_by": stated}
        if topic and statement.meaning is Meaning.UNSUBSCRIBED:
            status = ImportStatus.UNSUBSCRIBED
            return {"status": status, "topic": topic, "changed_at": at, "changed_by": stated}
        return {"kind": Scope.ALL, "since": at, "source": stated}

    def _other(self, statement: Statement, row: Row, layout: Layout, now: datetime) -> ReadRow:
        if statement.meaning is Meaning.UNCLEAR:
            if statement.topics:
                raise BadRowError(f"{statement.topics[0]} cannot be read")
            raise BadRowError(
                "it does not say why the address is on this list, which may be of bounces or of "
                "blocks: keep the name that the file had, or use --status"
            )
        refuse_faulty(row, cell_problems(row))
        if statement.meaning is Meaning.KNOWN:
            _refuse_filled_suspects(layout.columns, row.cells)
            identity = read_mailable(self._email(row, layout), self.rules.identity_key)
            return ReadRow([AddressRecord(identity)])
        refuse_suspects(layout.columns, row.cells)
        return self._start(statement, row, layout, now)

    def _start(self, statement: Statement, row: Row, layout: Layout, now: datetime) -> ReadRow:
        topic = self._topic(statement)
        if not topic and statement.topics:
            return ReadRow(unmapped_topics=[statement.topics[0][:MAX_WORD]])
        if not topic:
            raise BadRowError("it does not say which topic: use --topic")
        values = {
            "status": _STATUS_OF[statement.meaning],
            "topic": topic,
            "consent_at": _time(layout.first(self.form.consent_at, row.cells), now),
            "consent_source": self.form.title,
        }
        cells = Cells(self._email(row, layout) | values, now, lenient=False)
        return read_start(cells, self._plain)

    def _email(self, row: Row, layout: Layout) -> dict[str, str]:
        """Return the one address of a row, or raise BadRowError."""
        emails = layout.addresses(row.cells)
        if len(emails) > 1 and not layout.is_ordered:
            raise BadRowError(_UNCLEAR_ADDRESS)
        return {"email": emails[0] if emails else ""}

    def _topic(self, statement: Statement) -> str:
        """Return the slug of the topic that a statement is about, or ""."""
        if not statement.topics:
            return self.rules.topic or ""
        names = (each for name in statement.topics for each in (name, unrepeated(name)))
        found = (self.rules.topics.get(name.strip().lower()) for name in names)
        return next(filter(None, found), "")

    @property
    def _plain(self) -> Rules:
        """Return rules without the options, which have been applied."""
        return Rules(self.rules.identity_key)


def _refuse_filled_suspects(columns: Columns, cells: Mapping[str, str]) -> None:
    """Raise BadRowError if a cell that is not read may say that a known person opted out."""
    filled = tuple(name for name in columns.suspects if cells[name].strip())
    refuse_suspects(replace(columns, suspects=filled), cells)


def _time(text: str, now: datetime) -> str:
    """Return a time as ISO 8601; unchanged, so that it is reported, if it is not understood."""
    moment = read_moment(text)
    return text if moment is None else moment.latest(now).isoformat()


def _add(read: ReadRow, more: ReadRow) -> None:
    """Add what one more statement of a row says."""
    read.records += more.records
    read.aliases += more.aliases
    read.warnings += (each for each in more.warnings if each not in read.warnings)
    read.unmapped_topics += more.unmapped_topics
    read.cleaned |= more.cleaned
