"""`import`: read subscribers and unsubscribes from a file."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import Refusals, Warnings, reading_progress, steady_progress
from preference_center.cli.parameters import TOPIC, Pairs, values
from preference_center.core.vocab import ImportStatus, KeyKind
from preference_center.data.formats.registry import NAMES, PLAIN
from preference_center.data.import_columns import PREFERENCES, SUPPRESSIONS
from preference_center.data.import_file import Choice, ImportFile, open_import
from preference_center.data.import_preview import Preview
from preference_center.data.import_rules import mapped_rules
from preference_center.data.imports import Findings, Import, shown_word
from preference_center.data.refused_rows import copying, reporting
from preference_center.data.spreading import process_count
from preference_center.data.unpacking import MAX_UNPACKED, MEGABYTE
from preference_center.util.clock import utc_now


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--from",
    "source_format",
    type=click.Choice(NAMES),
    default=PLAIN,
    show_default=True,
    help="The system that wrote FILE; csv has the columns below.",
)
@click.option("--topic", type=TOPIC, help="The topic of rows that do not name one.")
@click.option(
    "--status",
    type=click.Choice(values(ImportStatus)),
    help="The status of rows that do not name one.",
)
@click.option(
    "--ignore-column",
    "ignored",
    multiple=True,
    metavar="NAME",
    help="Do not read this column: it is not about opting out. May be repeated.",
)
@click.option(
    "--ignore-part",
    "ignored_parts",
    multiple=True,
    metavar="NAME",
    help="Do not read this sheet or entry of an archive: it is not about opting out, or its "
    "unsubscribes have been imported. May be repeated.",
)
@click.option(
    "--map",
    "columns",
    type=Pairs("column=field", sorted({*PREFERENCES, *SUPPRESSIONS})),
    multiple=True,
    metavar="COLUMN=FIELD",
    help="Read this column of FILE as the one named FIELD. May be repeated.",
)
@click.option(
    "--map-status",
    "words",
    type=Pairs("word=status", values(ImportStatus)),
    multiple=True,
    metavar="WORD=STATUS",
    help="Read this word in the column status as STATUS. May be repeated.",
)
@click.option(
    "--map-topic",
    "topics",
    type=Pairs("theirs=ours", TOPIC),
    multiple=True,
    metavar="THEIRS=OURS",
    help="Read this topic, group, tag or type in FILE as our topic OURS. May be repeated.",
)
@click.option("--create-topics", is_flag=True, help="Create missing topics, as hidden ones.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "jsonl"]),
    help="The format of FILE. The default is JSON Lines if its name ends in .jsonl or .ndjson, or "
    "if its first line begins with {, else CSV.",
)
@click.option(
    "--max-unpacked",
    type=click.IntRange(min=1),
    default=MAX_UNPACKED // MEGABYTE,
    show_default=True,
    metavar="MB",
    help="Refuse an archive or a workbook that is larger than this when unpacked.",
)
@click.option("--dry-run", is_flag=True, help="Print what would happen, and change nothing.")
@click.option("--report", type=click.Path(path_type=Path), help="List refused rows in this CSV.")
@click.option(
    "--refused",
    type=click.Path(path_type=Path),
    help="Copy refused rows to this file, so that you can correct and import them.",
)
def import_command(
    file: BinaryIO,
    source_format: str,
    topic: str | None,
    status: str | None,
    ignored: tuple[str, ...],
    ignored_parts: tuple[str, ...],
    columns: tuple[tuple[str, str], ...],
    words: tuple[tuple[str, str], ...],
    topics: tuple[tuple[str, str], ...],
    create_topics: bool,
    file_format: str | None,
    max_unpacked: int,
    dry_run: bool,
    report: Path | None,
    refused: Path | None,
) -> None:
    """Import subscribers and unsubscribes from a file.

    FILE is CSV, JSON Lines, a list in JSON, an Excel workbook (XLSX), or a ZIP archive of
    CSV and JSON; - is standard input. With --from, it is a file as another system writes
    it; auto recognises the system by the columns. All unsubscribes of such a file are
    applied before anything else. --dry-run shows what the file says and what would change.

    Columns: email or id, topic, status, frequency, paused_until, locale, consent_at,
    consent_source, consent_wording, basis, acquired_from, changed_at, changed_by,
    silence. A file with a column `kind` contains suppressions. Other columns are ignored,
    but a file with an unknown column that may say who opted out is refused.

    A status is subscribed, unconfirmed, unsubscribed, bounced or complained; a row without
    one is refused. A row that ends consent is applied if its address can be read, with
    warnings about its other faults. A row that starts a topic is refused for any fault.

    An import never undoes an unsubscribe; such rows are counted as `kept`. It is safe to
    run again.

    Exit status: 0 success; 1 some rows were refused; 2 the file or a setting cannot be
    used; 3 the database became unavailable, and a part of the file is imported.
    """
    rules = replace(
        mapped_rules(ignored, columns, words, topics),
        topic=topic,
        status=None if status is None else ImportStatus(status),
    )
    if refused is not None and report is not None and refused.resolve() == report.resolve():
        raise click.UsageError("--refused and --report must name two files.")
    if refused is not None and _is_same_file(file, refused):
        raise click.UsageError("--refused must name another file than the one that is imported.")
    if file_format is not None and source_format != PLAIN:
        raise click.UsageError("--format is only for --from csv.")
    parts = frozenset(each.strip().lower() for each in ignored_parts)
    choice = Choice(source_format, file_format, max_unpacked * MEGABYTE, parts)
    refusals, warnings = Refusals(), Warnings()
    with ExitStack() as stack:
        settings, database = stack.enter_context(opened_database(KeyKind.IDENTITY, KeyKind.SERVER))
        rules = replace(rules, identity_key=settings.identity_key)
        source = open_import(file, choice, rules, stack)
        for note in source.notes:
            click.echo(note, err=True)
        on_refused = stack.enter_context(reporting(report, refusals.add))
        on_refused = stack.enter_context(copying(refused, source, on_refused))
        advance = stack.enter_context(_progress(file, source))
        job = Import(
            database,
            rules,
            utc_now,
            create_topics=create_topics,
            dry_run=dry_run,
            processes=process_count(database),
            preview=Preview() if dry_run else None,
        )
        counts = job.run(source.rows, on_refused, warnings.add, advance)
    warnings.close()
    _show(counts, job.findings, dry_run=dry_run)
    _show_contents(job.preview, source)
    refusals.exit()


def _is_same_file(source: BinaryIO, target: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(source.fileno()), target.stat())
    except OSError:  # The target does not exist yet, or a test's source is not a real file.
        return False


def _progress(file: BinaryIO, source: ImportFile) -> AbstractContextManager[Callable[[], None]]:
    if source.passes is None:
        return reading_progress("Importing", file)
    return steady_progress("Importing", source.passes.size, source.passes.tell)


def _show_contents(preview: Preview | None, source: ImportFile) -> None:
    """Print what the file says, and what files of this format do not say."""
    lines = list(preview.lines()) if preview is not None else []
    if lines:
        click.echo("\nWhat the file says:")
    for line in lines:
        click.echo(f"  {line}")
    if source.form is not None:
        click.echo(f"\nWhat a file of {source.form.title} cannot say:")
    for sentence in source.blind_spots:
        click.echo(f"  {sentence}")


def _show(counts: Counter[str], findings: Findings, *, dry_run: bool) -> None:
    click.echo(
        f"{'Would have a' if dry_run else 'A'}dded {counts['added']:,}, "
        f"unsubscribed {counts['unsubscribed']:,}, kept {counts['kept']:,}, "
        f"unchanged {counts['unchanged']:,}, erased {counts['erased']:,}, "
        f"refused {counts['refused']:,}."
    )
    for sentence in _sentences(findings, counts["known"]):
        click.echo(sentence)


def _sentences(findings: Findings, known: int) -> Iterator[str]:
    """Yield what the counts do not show."""
    if known:
        yield f"New addresses, known without a topic: {known:,}."
    if findings.cleaned:
        yield f"Rows whose address was cleaned: {findings.cleaned:,}."
    if findings.not_on_record:
        yield (
            f"Unsubscribed, but not on record before: {findings.not_on_record:,}. "
            "If you expected them to be, check the spelling of their addresses."
        )
    if findings.foreign_ids:
        yield f"Rows whose id is not a subscriber id and was ignored: {findings.foreign_ids:,}."
    if findings.new_topics:  # A misspelled topic would go unnoticed.
        yield f"New topics, hidden: {', '.join(sorted(findings.new_topics))}."
    if findings.missing_topics:
        yield (
            f"Topics that do not exist: {', '.join(sorted(findings.missing_topics))}. "
            "Add them with `topics add`, or use --create-topics."
        )
    if findings.unmapped_topics:
        names = ", ".join(sorted(map(shown_word, findings.unmapped_topics)))
        yield (
            f"Topics of the file that are not mapped: {names}. Unsubscribes from them end every "
            "topic. Use --map-topic THEIRS=OURS."
        )
    for column in sorted({column for column, _ in findings.unknown_words}):
        words = sorted(shown_word(word) for name, word in findings.unknown_words if name == column)
        yield f"Unknown words in {column}: {', '.join(words)}."
