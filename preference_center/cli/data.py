"""`import` and `export`."""

import codecs
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import click

from preference_center.cli.audience import Matching
from preference_center.cli.common import (
    Refusals,
    Time,
    Warnings,
    opened_database,
    opened_output,
    progress,
    reading_progress,
)
from preference_center.core import topics
from preference_center.core.vocab import ImportStatus, KeyKind
from preference_center.data import exports
from preference_center.data.campaign_csv import require_identity
from preference_center.data.import_columns import Columns, check, listed, match
from preference_center.data.import_records import Rules
from preference_center.data.imports import Findings, Import
from preference_center.data.output_files import text_file, whole_file
from preference_center.data.tabular import (
    CsvFile,
    CsvWriter,
    FileRefusedError,
    JsonLinesFile,
    RefusedRow,
    Row,
    read_csv,
    read_json_lines,
    read_rows,
)
from preference_center.links.minter import SLUG
from preference_center.util.clock import utc_now

MAX_SHOWN = 40  # characters of a word that a report shows


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--topic",
    type=Matching("topic", SLUG, "1 to 32 of a-z, 0-9 and -"),
    help="The topic of rows that name none.",
)
@click.option(
    "--status",
    type=click.Choice([status.value for status in ImportStatus]),
    help="The status of rows that name none.",
)
@click.option(
    "--ignore-column",
    "ignored",
    multiple=True,
    metavar="NAME",
    help="Do not read this column: it is not about opting out. May be given several times.",
)
@click.option("--create-topics", is_flag=True, help="Create topics that do not exist, as private.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "jsonl"]),
    help="What FILE is; without it, JSON Lines if its name ends in .jsonl or .ndjson, or if its "
    "first line begins with {, else CSV.",
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
    status: str | None,
    ignored: tuple[str, ...],
    create_topics: bool,
    file_format: str | None,
    dry_run: bool,
    report: Path | None,
    refused: Path | None,
) -> None:
    """Import people and unsubscribes from a file.

    FILE is CSV or JSON Lines; - is standard input.

    Columns: email or id, topic, status, frequency, paused_until, locale, consent_at,
    consent_source, consent_wording, basis, acquired_from, changed_at, changed_by. A file with a
    column `kind` holds suppressions. Other columns are not read; if one of them may say who opted
    out, the file is refused.

    A status is subscribed, unconfirmed, unsubscribed, bounced or complained; a row without one is
    refused. A row that ends consent is applied whenever its address can be read, and other faults
    in it are reported. A row that starts something is refused for any fault.

    An import never undoes an unsubscribe, and it is safe to run again. It exits with 1 if
    rows were refused.
    """
    default = None if status is None else ImportStatus(status)
    ignore = frozenset(each.strip().lower() for each in ignored)
    if refused is not None and report is not None and refused.resolve() == report.resolve():
        raise click.UsageError("--refused and --report must name two files.")
    rows, names, header = _rows(file, file_format, ignore)
    refusals, warnings = Refusals(), Warnings()
    with ExitStack() as stack:
        settings, database = stack.enter_context(opened_database(KeyKind.IDENTITY, KeyKind.SERVER))
        columns = _checked(names, ignore, default)
        if unread := listed(columns.unread):
            click.echo(f"Not read: {unread}.", err=True)
        on_refused = stack.enter_context(_reported(report, refusals))
        on_refused = stack.enter_context(_kept(refused, file, header, on_refused))
        advance = stack.enter_context(reading_progress("Importing", file))
        rules = Rules(settings.identity_key, topic, default, ignore)
        job = Import(database, rules, utc_now, create_topics=create_topics, dry_run=dry_run)
        counts = job.run(rows, on_refused, warnings.add, advance)
    warnings.close()
    click.echo(
        f"{'Would be a' if dry_run else 'A'}dded {counts['added']:,}, "
        f"stopped {counts['stopped']:,}, unchanged {counts['unchanged']:,}, "
        f"kept as stopped {counts['kept']:,}, erased {counts['erased']:,}, "
        f"refused {counts['refused']:,}."
    )
    for sentence in _sentences(job.findings):
        click.echo(sentence)
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


def _checked(
    names: tuple[str, ...], ignored: frozenset[str], status: ImportStatus | None
) -> Columns:
    """Return how a file's columns are read, or refuse a file that would be misread."""
    columns = match(names, ignored)
    require_identity({*names, *columns.read})
    if {"event", "seq", "hash"} <= set(names):
        raise FileRefusedError(
            "this is an export of the ledger: use preference-center replay, or import preferences "
            "and suppressions"
        )
    check(columns, status)
    return columns


def _sentences(findings: Findings) -> Iterator[str]:
    """Yield what an import has found that its counts do not say."""
    if findings.cleaned:
        yield f"Rows with an address that had to be cleaned: {findings.cleaned:,}."
    if findings.not_on_record:
        yield (
            f"Of those stopped, {findings.not_on_record:,} were not on record: "
            "if you expected them to be, check how their addresses are spelled."
        )
    if findings.foreign_ids:
        yield "Not read: id, where it is not a subscriber id."
    if findings.new_topics:
        # A misspelled one would go unnoticed.
        yield f"New topics, private: {', '.join(sorted(findings.new_topics))}."
    if findings.missing_topics:
        yield (
            f"Topics that do not exist: {', '.join(sorted(findings.missing_topics))}. "
            "Add them with `topic add`, or use --create-topics."
        )
    for column in sorted({column for column, _ in findings.unknown_words}):
        words = sorted(_shown(word) for name, word in findings.unknown_words if name == column)
        yield f"Unknown words in {column}: {', '.join(words)}."


def _shown(word: str) -> str:
    """Return a word of a file as a terminal may show it; an address is not shown."""
    return "(an address)" if "@" in word else repr(word[:MAX_SHOWN])


def _opened(file: BinaryIO, file_format: str | None) -> CsvFile | JsonLinesFile:
    if file_format == "csv":
        return read_csv(file)
    named_so = str(getattr(file, "name", "")).lower().endswith((".jsonl", ".ndjson"))
    return read_json_lines(file) if file_format or named_so else read_rows(file)


def _rows(
    file: BinaryIO, file_format: str | None, ignored: frozenset[str]
) -> tuple[Iterable[Row | RefusedRow], tuple[str, ...], bytes]:
    """Return a file's rows, the names of its columns, and its header as it came."""
    source = _opened(file, file_format)
    if isinstance(source, CsvFile):
        names = tuple(source.columns)
        if unknown := sorted(ignored.difference(names)):
            raise click.UsageError(
                f"--ignore-column: there is no column {unknown[0]!r}. "
                f"The columns are {listed(names)}."
            )
        source.refuse_repeated(match(names, ignored).read.values())
        return source, names, source.header
    first: list[Row | RefusedRow] = []
    rows = iter(source)
    for row in rows:
        first.append(row)
        if isinstance(row, Row):
            return chain(first, rows), tuple(row.cells), source.header
    # No row can be read: each is refused by itself.
    return first, ("email", "status"), source.header


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
            last = b""
            for last in row.pieces():
                file.write(last)
            if not last.endswith(_line_ends(header)):  # the last row of the file may have none
                file.write(_line_ends(header)[0])
            on_refused(row)

        yield keep


def _line_ends(header: bytes) -> tuple[bytes, bytes]:
    """Return LF and CR in the encoding of a file that begins with `header`."""
    if header.startswith(codecs.BOM_UTF16_LE):
        return b"\n\0", b"\r\0"
    if header.startswith(codecs.BOM_UTF16_BE):
        return b"\0\n", b"\0\r"
    return b"\n", b"\r"


def _is_same_file(source: BinaryIO, target: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(source.fileno()), target.stat())
    except OSError:  # there is no target yet, or a test's source is not a real file
        return False
