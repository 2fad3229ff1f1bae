"""Find parts of a file that may say who opted out, although import does not read this from them.

A part is an entry of an archive or a sheet of a workbook. Like a column that is not read, such a
part must not be ignored silently, since import would then subscribe these people.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from preference_center.data.formats.base import Format, folded_name
from preference_center.data.formats.layout import layout_of
from preference_center.data.formats.meaning import Meaning
from preference_center.data.formats.reader import Reader
from preference_center.data.formats.recognition import Table
from preference_center.data.identity import BadRowError
from preference_center.data.import_columns import is_suspect_part, match
from preference_center.data.import_records import PreferenceRecord, ReadRow, Rules
from preference_center.data.import_words import EMAIL_NAMES
from preference_center.data.tabular import Row
from preference_center.data.unpacking import Unpacked

_ADDRESS = re.compile(r"\s*[^\s@]+@[^\s@]+\.[^\s@]+\s*")
_ROWS_LOOKED_AT = 100  # of a part that is not read, for addresses
# Files in an archive that may have addresses, and that import does not read there.
_CLOSED = (
    *(".xls", ".xlsx", ".xlsm", ".xlsb", ".ods", ".numbers", ".parquet"),
    *(".zip", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst"),
)


@dataclass(frozen=True)
class GuardedReader:
    """Reads rows, but refuses those that start a topic, because of `why`."""

    reader: Reader
    why: str

    def read(self, row: Row, now: datetime, *, stops: bool) -> ReadRow:
        """Return what a row says; see `Reader`."""
        read = self.reader.read(row, now, stops=stops)
        if any(
            isinstance(each, PreferenceRecord) and not each.ends_consent for each in read.records
        ):
            raise BadRowError(self.why)
        return read


def suspects(
    form: Format | None,
    tables: Sequence[Table],
    read: Sequence[Table],
    unpacked: Unpacked,
    rules: Rules,
) -> Iterator[str]:
    """Yield the names of parts that may say who opted out, of all `tables` of a file.

    `read` are the tables that are read, `unpacked` also has the entries that are no tables.
    """
    are_read = set(read)
    for table in tables:
        if not table.shown:
            continue
        has_name = is_suspect_part(table.part.path or table.part.name)
        if table not in are_read:
            is_suspect = not _is_harmless(form, table.shown) and (has_name or _has_addresses(table))
        else:
            is_suspect = has_name and not _says_who(form, table, rules)
        if is_suspect:
            yield table.shown
    yield from (
        each
        for each in unpacked.left_out
        if is_suspect_part(each) or each.lower().endswith(_CLOSED) or each in unpacked.lists
    )


def reason(names: Sequence[str]) -> str:
    """Return why nothing is started from a file that has these suspects."""
    return (
        f"{names[0]} may say who opted out, and this is not read from it: import it by itself "
        f"first, and then use --ignore-part for it"
    )


def _is_harmless(form: Format | None, name: str) -> bool:
    pattern = form.harmless_parts if form is not None else ""
    return bool(pattern) and re.fullmatch(pattern, name) is not None


def _says_who(form: Format | None, table: Table, rules: Rules) -> bool:
    """Return True if all rows of a table end consent or have a status of their own."""
    starts_rest = rules.status is not None and not rules.status.ends_consent
    if form is None:
        stated = match(table.names, rules.ignored, mapped=rules.columns).read.keys()
        return not starts_rest or ("kind" in stated and "status" not in stated)
    default = layout_of(table.names, form, rules.ignored).default
    of_name = form.meaning_of_name(table.part.name)
    return default.is_stop or default is Meaning.UNCLEAR or of_name is not None


def _has_addresses(table: Table) -> bool:
    names = set(map(folded_name, table.names))
    if names & EMAIL_NAMES or any(map(_ADDRESS.fullmatch, table.names)):
        return True
    rows = (row for row in islice(table.rows(), _ROWS_LOOKED_AT) if isinstance(row, Row))
    return any(_ADDRESS.fullmatch(cell) for row in rows for cell in row.cells.values())
