"""`export`: write what is on record to a file, or suppressions to the files of another system."""

from contextlib import ExitStack
from typing import Any, BinaryIO

import click

from preference_center.cli.database import opened_database
from preference_center.cli.export_job import ExportJob, read_list
from preference_center.cli.files import Refusals, progress
from preference_center.cli.parameters import Time, values
from preference_center.core import topics
from preference_center.core.vocab import Frequency, KeyKind
from preference_center.data import exports
from preference_center.data.export_formats import FORMATS
from preference_center.data.suppression_files import SYSTEMS
from preference_center.util.clock import utc_now


@click.command()
@click.argument("what", type=click.Choice(sorted(exports.KINDS)))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(list(FORMATS)),
    default="csv",
    show_default=True,
    help="CSV and XLSX for spreadsheets, JSON Lines and Parquet for programs.",
)
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    help="A file, or a folder with --for; - is standard output.",
)
@click.option("--excel", is_flag=True, help="Begin CSV with the byte order mark that Excel needs.")
@click.option("--topic", help="Only this topic.")
@click.option("--status", help="Only this status; of bounces, this severity.")
@click.option("--frequency", type=click.Choice(values(Frequency)), help="Only this frequency.")
@click.option("--locale", help="Only this language, like de or pt-BR, as it is on record.")
@click.option("--campaign", help="Only this campaign.")
@click.option("--changed-since", "since", type=Time(), help="Changed at this time or later.")
@click.option("--until", type=Time(), help="Changed before this time.")
@click.option("--match", type=click.File("rb"), help="Take missing addresses from this CSV.")
@click.option(
    "--for", "system", type=click.Choice(list(SYSTEMS)), help="Write what this system imports."
)
def export(
    what: str,
    file_format: str,
    output: str,
    excel: bool,
    status: str | None,
    frequency: str | None,
    match: BinaryIO | None,
    system: str | None,
    **selected: Any,
) -> None:
    """Export what is on record, also for other systems.

    CSV is safe to open in a spreadsheet: an apostrophe, which `import` removes, is put before
    a cell that would run as a formula. In other formats, text is unchanged; in XLSX it is no
    formula. Parquet needs pyarrow. The file appears under its name only when it is complete; a
    file that it replaces keeps its owner and mode.

    Suppressions end email on all topics; with --topic, unsubscribes from that topic are
    exported as well. Reasons do not name subscribers; they are selected by whole weeks, and
    bounces by whole days.

    \b
    filter                    exports that have it
    --topic                   all
    --changed-since, --until  all
    --status                  preferences, suppressions, outbox, bounces
    --frequency               preferences
    --locale                  preferences, suppressions, outbox
    --campaign                ledger, reasons, claims

    A subscriber may be on record only by id. --match FILE takes the address from your own
    list, a CSV with a column `email`, if it is there.

    \b
    preference-center export suppressions --for mailchimp -o FOLDER

    --for writes a new folder with the files that a system imports, and with a README.txt
    that says how to import them there.

    Exit status: 0 success; 1 some rows of --match could not be read; 2 the call is wrong; 3
    the database became unavailable.
    """
    kind = exports.KINDS[what]
    wanted = exports.Filter(
        **selected,
        status=kind.status(status),
        frequency=None if frequency is None else Frequency(frequency),
    )
    began_at, refusals = utc_now(), Refusals()
    job = ExportJob(kind, wanted, file_format, output, began_at, excel=excel, system=system)
    job.check(matches=match is not None)
    with opened_database(*((KeyKind.IDENTITY,) if match else ())) as (settings, database):
        with ExitStack() as stack:
            addresses = None
            if match is not None:
                read = read_list(match, settings.identity_key, refusals.add)
                addresses = stack.enter_context(read)
            session = stack.enter_context(database.reading())
            if wanted.topic is not None:
                topics.get(session, wanted.topic)  # A misspelled one would omit unsubscribes.
            advance = stack.enter_context(progress(f"Exporting {what}", None))
            is_complete = job.write(session, addresses, advance)
        if kind.fetch is not None and is_complete:
            with database.transaction() as session:
                exports.record_fetch(session, kind.fetch, wanted, began_at)
    refusals.exit()
