"""One call of `export`: its options are checked, then it writes a file or a folder."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click
from sqlalchemy.orm import Session

from preference_center.cli.files import opened_binary_output
from preference_center.data import exports, suppression_files
from preference_center.data.address_list import AddressList
from preference_center.data.export_formats import FORMATS
from preference_center.data.links_csv import read_people
from preference_center.data.output_files import whole_folder
from preference_center.data.suppression_files import SYSTEMS
from preference_center.data.suppression_files.note import Counts
from preference_center.data.tabular import FileRefusedError, RefusedRow

_Advance = Callable[[int], object]


@dataclass(frozen=True)
class ExportJob:
    """What to export, when it began, and where to; `system` is a name of `SYSTEMS`."""

    kind: exports.Kind
    selected: exports.Filter
    file_format: str
    output: str
    began_at: datetime
    _: KW_ONLY
    excel: bool
    system: str | None

    def check(self, *, matches: bool) -> None:
        """Raise UsageError or ExportRefusal if the options do not fit together."""
        self.kind.check(self.selected)
        if self.excel and self.file_format != "csv":
            raise click.UsageError("--excel is for CSV.")
        if self.output == "-" and (self.system or FORMATS[self.file_format].needs_file):
            what = "a folder" if self.system else "a file"
            raise click.UsageError(f"Name {what} with -o: this is not for standard output.")
        if matches and not self.kind.can_match:
            raise click.UsageError(f"--match is not for {self.kind.name}: it has no addresses.")
        if self.system is not None:
            self._check_system()

    def write(self, session: Session, addresses: AddressList | None, advance: _Advance) -> bool:
        """Write the file or the folder; return False if a person was left out."""
        if self.system is not None:
            return self._write_folder(session, addresses, advance)
        export = exports.Export(
            self.kind, self.selected, self.file_format, mark=self.excel, addresses=addresses
        )
        with opened_binary_output(self.output) as file:
            export.write(session, file, advance)
        return True

    def _check_system(self) -> None:
        if self.kind.name != "suppressions":
            raise click.UsageError("--for is for suppressions.")
        if self.file_format != "csv" or self.excel:
            raise click.UsageError("--for decides on the format: omit --format and --excel.")

    def _write_folder(
        self, session: Session, addresses: AddressList | None, advance: _Advance
    ) -> bool:
        system = SYSTEMS[self.system or ""]
        with whole_folder(Path(self.output)) as folder:
            written = suppression_files.write(
                session,
                system,
                self.selected,
                folder,
                self.began_at,
                addresses=addresses,
                advance=advance,
            )
        click.echo(
            f"Files for {system.title}: {len(written.files):,}. People in them: "
            f"{written.counts.written:,}. README.txt in {self.output} says how to import them.",
            err=True,
        )
        _show_left_out(written.counts)
        return written.is_complete


def _show_left_out(counts: Counts) -> None:
    if counts.left_out:
        click.echo(
            f"Left out, because their address is not on record: {counts.left_out:,}, of whom "
            f"{counts.erased:,} were erased. Use --match with a list of addresses.",
            err=True,
        )


@contextmanager
def read_list(
    file: BinaryIO, identity_key: str, on_refused: Callable[[RefusedRow], None]
) -> Iterator[AddressList]:
    """Yield the addresses of a CSV with a column `email`; raise FileRefusedError without one."""
    rows = read_people(file)
    if "email" not in rows.columns:
        raise FileRefusedError("no column of the list is named email: its first line must name one")
    with closing(AddressList()) as addresses:
        addresses.add(rows, identity_key, on_refused)
        yield addresses
