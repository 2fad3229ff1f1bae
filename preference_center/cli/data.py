"""`import` and `export`."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import click

from preference_center import exports
from preference_center.cli.common import (
    Refusals,
    Time,
    opened_database,
    opened_output,
    progress,
    reading_progress,
)
from preference_center.clock import utc_now
from preference_center.core import topics
from preference_center.core.vocab import KeyKind
from preference_center.imports import Import
from preference_center.mailing import check_people
from preference_center.output_files import text_file, whole_file
from preference_center.rows import (
    CsvWriter,
    FileRefusedError,
    RefusedRow,
    Row,
    read_csv,
    read_json_lines,
)


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--topic", help="The topic of rows that name none.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "jsonl"]),
    help="What FILE is; without it, JSON Lines if its name ends in .jsonl, else CSV.",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen, and keep nothing.")
@click.option("--report", type=click.Path(path_type=Path), help="List refused rows in this CSV.")
@click.option(
    "--refused",
    type=click.Path(path_type=Path),
    help="Write refused rows to this file as they came, to be corrected and imported again.",
)
def import_command(
    file: BinaryIO,
    topic: str | None,
    file_format: str | None,
    dry_run: bool,
    report: Path | None,
    refused: Path | None,
) -> None:
    """Import people and their stops from a file.

    FILE is CSV or JSON Lines; - is standard input.

    Columns: email or id, topic, status, frequency, paused_until, locale, consent_at,
    consent_source, consent_wording, basis, acquired_from; changed_at and changed_by are read
    where an export wrote them. A file with a column `kind` holds suppressions. An import never
    undoes a stop, and running it again changes nothing.
    """
    name = getattr(file, "name", "")
    rows, columns, header = _rows(
        file, file_format or ("jsonl" if name.endswith(".jsonl") else "csv")
    )
    check_people(columns)
    refusals = Refusals()
    with ExitStack() as stack:
        settings, database = stack.enter_context(opened_database(KeyKind.IDENTITY, KeyKind.SERVER))
        _say_what_is_not_read(columns)
        on_refused = stack.enter_context(_reported(report, refusals))
        on_refused = stack.enter_context(_kept(refused, file, header, on_refused))
        advance = stack.enter_context(reading_progress("Importing", file))
        job = Import(
            database,
            settings.identity_key,
            utc_now,
            suppressions="kind" in columns,
            default_topic=topic,
            dry_run=dry_run,
        )
        new_topics: set[str] = set()
        counts = job.run(rows, on_refused, advance, new_topics.add)
    click.echo(
        f"{'Would be a' if dry_run else 'A'}dded {counts['added']:,}, "
        f"stopped {counts['stopped']:,}, unchanged {counts['unchanged']:,}, "
        f"kept as stopped {counts['kept']:,}, erased {counts['erased']:,}, "
        f"refused {counts['refused']:,}."
    )
    if new_topics:
        # A misspelt one would be read by nobody.
        click.echo(f"New topics, private: {', '.join(sorted(new_topics))}.")
    refusals.exit()


@click.command()
@click.argument("what", type=click.Choice(sorted(exports.KINDS)))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="CSV for spreadsheets, JSON Lines for programs.",
)
@click.option(
    "-o", "--output", default="-", show_default=True, help="A file; - is standard output."
)
@click.option("--excel", is_flag=True, help="Begin CSV with a byte order mark, as Excel needs it.")
@click.option("--topic", help="Only this topic.")
@click.option("--since", type=Time(), help="Recorded at this time or later.")
@click.option("--until", type=Time(), help="Recorded before this time.")
def export(
    what: str,
    file_format: str,
    output: str,
    excel: bool,
    topic: str | None,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Export preferences, suppressions, the ledger or reasons.

    CSV is safe to open in a spreadsheet: what would run as a formula has an apostrophe in front,
    which `import` removes. JSON Lines is raw. A file appears under its name only when it is
    whole; a file that it replaces keeps its owner and mode. Suppressions are the stops above all
    topics; with --topic, also the stops of that topic. Reasons name no person, and --since and
    --until take their whole weeks.
    """
    if excel and file_format != "csv":
        raise click.UsageError("--excel is for CSV.")
    kind = exports.KINDS[what]
    wanted = exports.Filter(topic, since, until)
    with ExitStack() as stack:
        _, database = stack.enter_context(opened_database())
        session = stack.enter_context(database.reading())
        if topic is not None:
            topics.get(session, topic)  # a misspelled one would leave out stops, and say nothing
        advance = stack.enter_context(progress(f"Exporting {what}", None))
        file = stack.enter_context(opened_output(output))
        writer = exports.writer(file, kind, file_format, mark=excel)
        for row in exports.rows(session, kind, wanted):
            writer.write(row)
            advance(1)


def _say_what_is_not_read(columns: set[str]) -> None:
    """Refuse a file that would be misread, and name the columns that mean nothing here."""
    if "event" in columns:
        raise FileRefusedError(
            "this is an export of the ledger: import preferences and suppressions instead"
        )
    known = {*exports.PREFERENCES, *exports.SUPPRESSIONS}
    unread = sorted(columns - known)
    for name in unread:
        if (meant := re.sub("[^a-z_]", "", name)) in known:
            raise FileRefusedError(f"a column is named {name!r}: name it {meant}, or leave it out")
    if unread:
        click.echo(f"Not read: {', '.join(unread)}.", err=True)
    if not {"status", "kind"} & columns:
        click.echo("No column status: everybody in this file counts as subscribed.", err=True)


def _rows(file: BinaryIO, file_format: str) -> tuple[Iterable[Row | RefusedRow], set[str], bytes]:
    """Return a file's rows, the names of its columns, and its header as it came."""
    if file_format == "csv":
        table = read_csv(file)
        table.refuse_repeated({*exports.PREFERENCES, *exports.SUPPRESSIONS})
        return table, set(table.columns), table.header
    lines, first = read_json_lines(file), []
    rows = iter(lines)
    for row in rows:
        first.append(row)
        if isinstance(row, Row):
            return chain(first, rows), set(row.cells), lines.header
    return first, {"email"}, lines.header  # no row can be read: each is refused by itself


@contextmanager
def _reported(report: Path | None, refusals: Refusals) -> Iterator[Callable[[RefusedRow], None]]:
    """Yield what takes a refused row: standard error, and the report where one is wanted."""
    if report is None:
        yield refusals.add
        return
    with text_file(report) as file:
        writer = CsvWriter(file, ("line", "why"), escape=True)

        def add(row: RefusedRow) -> None:
            refusals.add(row)
            writer.write({"line": row.line, "why": row.why})

        yield add


@contextmanager
def _kept(
    target: Path | None, source: BinaryIO, header: bytes, on_refused: Callable[[RefusedRow], None]
) -> Iterator[Callable[[RefusedRow], None]]:
    """Yield what passes a refused row on, and writes it to `target` where one is given."""
    if target is None:
        yield on_refused
        return
    if _is_same_file(source, target):
        raise click.UsageError("--refused must name another file than the one that is imported.")
    with whole_file(target, even_if_cut_short=True) as file:
        file.write(header)

        def keep(row: RefusedRow) -> None:
            file.write(row.raw)
            on_refused(row)

        yield keep


def _is_same_file(source: BinaryIO, target: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(source.fileno()), target.stat())
    except OSError:  # there is no target yet, or a test's source is not a real file
        return False
