"""Suppressions in the files that other systems import: a folder for one of `SYSTEMS`.

Each system is described by a module. The files are for programs: they are raw, and nothing in them
is escaped for a spreadsheet.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from preference_center.data import exports
from preference_center.data.address_list import AddressList
from preference_center.data.export_formats import Cells
from preference_center.data.export_rows import Rows
from preference_center.data.suppression_files.brevo import BREVO
from preference_center.data.suppression_files.folder import Folder
from preference_center.data.suppression_files.ghost import GHOST
from preference_center.data.suppression_files.hubspot import HUBSPOT
from preference_center.data.suppression_files.klaviyo import KLAVIYO
from preference_center.data.suppression_files.listmonk import LISTMONK
from preference_center.data.suppression_files.mailchimp import MAILCHIMP
from preference_center.data.suppression_files.mailgun import MAILGUN
from preference_center.data.suppression_files.note import Counts, note
from preference_center.data.suppression_files.people import people
from preference_center.data.suppression_files.sendgrid import SENDGRID
from preference_center.data.suppression_files.ses import SES
from preference_center.data.suppression_files.system import OutputFile, Person, System
from preference_center.store import export_queries

SYSTEMS: Mapping[str, System] = {
    "mailchimp": MAILCHIMP,
    "listmonk": LISTMONK,
    "sendgrid": SENDGRID,
    "ses": SES,
    "mailgun": MAILGUN,
    "klaviyo": KLAVIYO,
    "brevo": BREVO,
    "hubspot": HUBSPOT,
    "ghost": GHOST,
}
_README = OutputFile("README.txt")


@dataclass(frozen=True)
class Written:
    """What was written: the rows of each file, and how many people."""

    files: Mapping[str, int]
    counts: Counts

    @property
    def is_complete(self) -> bool:
        """Return True if no person was left out."""
        return not self.counts.left_out


def write(
    session: Session,
    system: System,
    selected: exports.Filter,
    path: Path,
    now: datetime,
    *,
    addresses: AddressList | None = None,
    advance: Callable[[int], object] = lambda count: None,
) -> Written:
    """Write the files of a system into an empty folder, with a note on how to import them.

    `addresses` are those of subscribers who are on record only by id. `advance` is called with the
    number of rows of each batch.

    Raises:
        ExportRefusal: exports of suppressions do not have one of the filters.
    """
    exports.KINDS["suppressions"].check(selected)
    query = export_queries.stops if system.has_topics else export_queries.suppressions
    counts = Counts()
    with Folder(path) as folder:
        rows = Rows(query(selected, export_queries.SPELLING), addresses)
        with rows.read(session) as batches:
            for person in people(_counted(batches, advance)):
                if not person.is_spelling:
                    _count(counts, person)
                for file, line in system.lines(person) if person.email else ():
                    folder.add(file, line)
        files = folder.rows
        for line in note(system, selected, files, counts, now).splitlines():
            folder.add(_README, line)
    return Written(files, counts)


def _count(counts: Counts, person: Person) -> None:
    if not person.email:
        counts.left_out += 1
        counts.erased += person.is_erased
        return
    counts.written += 1
    counts.of_topic += not person.from_everything


def _counted(
    batches: Iterable[list[Cells]], advance: Callable[[int], object]
) -> Iterator[list[Cells]]:
    for batch in batches:
        yield batch
        advance(len(batch[0]))
