"""Make files as other systems write them, and read what they say without a database."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import xlsxwriter

from preference_center.data.formats.reader import ReadableRow
from preference_center.data.identity import BadRowError
from preference_center.data.import_file import Choice, ImportFile, open_import
from preference_center.data.import_records import AddressRecord, Record, Rules, SuppressionRecord
from preference_center.data.tabular import RefusedRow
from tests.support import make

MAILCHIMP_START = ("Email Address", "First Name", "MEMBER_RATING", "OPTIN_TIME", "CONFIRM_TIME")
MAILCHIMP_END = ("LEID", "EUID", "NOTES", "TAGS")


def csv_of(header: Sequence[str], rows: Iterable[Mapping[str, str]], separator: str = ",") -> str:
    """Return a CSV file with these rows; missing cells are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def zipped(**entries: str | bytes) -> bytes:
    """Return a ZIP archive with these entries, whose names may be given with `**`."""
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]], hidden: Sequence[str] = ()) -> bytes:
    """Return an XLSX workbook."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
            if name in hidden:
                sheet.hide()
    return out.getvalue()


class Outcome:
    """What a file says, which is read without a database.

    `said` has a text for each record: the address, what is said, and the topic or `*`; `stops` are
    those that were read in the first pass, before any other.
    """

    def __init__(
        self, content: str | bytes, name: str = "file.csv", source: str = "auto", **rules: Any
    ) -> None:
        file = io.BytesIO(content.encode() if isinstance(content, str) else content)
        file.name = name
        self.said: list[str] = []
        self.times: dict[str, Any] = {}
        self.stated: dict[str, str] = {}
        self.refused: list[RefusedRow] = []
        self.warnings: list[str] = []
        self.unknown: set[str] = set()
        self.unmapped: set[str] = set()
        self.skipped = 0
        limit = rules.pop("max_unpacked", 200_000_000)
        with ExitStack() as stack:
            options = Rules(make.IDENTITY_KEY, **rules)
            self.file: ImportFile = open_import(file, Choice(source, None, limit), options, stack)
            for row in self.file.rows:
                if isinstance(row, RefusedRow):
                    self.refused.append(row)
                    continue
                assert isinstance(row, ReadableRow)
                self._read(row)

    def _read(self, row: ReadableRow) -> None:
        try:
            read = row.read(make.NOW)
        except BadRowError as error:
            self.refused.append(row.refused(str(error)))
            return
        self.warnings += read.warnings
        self.unknown |= {word for _, word in read.unknown_words}
        self.unmapped |= set(read.unmapped_topics)
        self.skipped += bool(read.skipped)
        for record in read.records:
            assert record.ends_consent is row.stops
            self._add(record)

    def _add(self, record: Record) -> None:
        email = record.identity.email or ""
        if isinstance(record, AddressRecord):
            self.said.append(f"{email} known")
            return
        if isinstance(record, SuppressionRecord):
            status, at = str(record.target.scope), record.since
        else:
            status = str(record.status)
            at = record.changed_at if record.ends_consent else record.consent_at
        self.said.append(f"{email} {status} {record.topic or '*'}")
        self.times[email] = at
        self.stated[email] = record.stated_source

    @property
    def stopped(self) -> set[str]:
        """Return the addresses whose consent ends."""
        ends = ("unsubscribed", "bounced", "complained", "all", "address", "topic")
        return {each.split()[0] for each in self.said if each.split()[1] in ends}

    @property
    def subscribed(self) -> set[str]:
        """Return the addresses that are subscribed."""
        return {each.split()[0] for each in self.said if each.split()[1] == "subscribed"}
