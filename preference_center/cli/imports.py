"""`import`: read subscribers and unsubscribes from a file."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import Refusals, Warnings, reading_progress
from preference_center.cli.parameters import TOPIC, values
from preference_center.cli.refused_rows import copying, reporting
from preference_center.core.vocab import ImportStatus, KeyKind
from preference_center.data.import_columns import listed
from preference_center.data.import_records import Rules
from preference_center.data.import_source import open_source
from preference_center.data.imports import Findings, Import, shown_word
from preference_center.data.spreading import process_count
from preference_center.util.clock import utc_now


@click.command("import")
@click.argument("file", type=click.File("rb"))
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
@click.option("--create-topics", is_flag=True, help="Create missing topics, as hidden ones.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "jsonl"]),
    help="The format of FILE. The default is JSON Lines if its name ends in .jsonl or .ndjson, or "
    "if its first line begins with {, else CSV.",
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
    topic: str | None,
    status: str | None,
    ignored: tuple[str, ...],
    create_topics: bool,
    file_format: str | None,
    dry_run: bool,
    report: Path | None,
    refused: Path | None,
) -> None:
    """Import subscribers and unsubscribes from a file.

    FILE is CSV or JSON Lines; - is standard input.

    Columns: email or id, topic, status, frequency, paused_until, locale, consent_at,
    consent_source, consent_wording, basis, acquired_from, changed_at, changed_by. A file
    with a column `kind` contains suppressions. Other columns are ignored, but a file with
    an unknown column that may say who opted out is refused.

    A status is subscribed, unconfirmed, unsubscribed, bounced or complained; a row without
    one is refused. A row that ends consent is applied if its address can be read, with
    warnings about its other faults. A row that starts a topic is refused for any fault.

    An import never undoes an unsubscribe; such rows are counted as `kept`. It is safe to
    run again.

    Exit status: 0 success; 1 some rows were refused; 2 the file or a setting cannot be
    used; 3 the database became unavailable, and a part of the file is imported.
    """
    default = None if status is None else ImportStatus(status)
    ignore = frozenset(each.strip().lower() for each in ignored)
    if refused is not None and report is not None and refused.resolve() == report.resolve():
        raise click.UsageError("--refused and --report must name two files.")
    source = open_source(file, file_format, ignore)
    refusals, warnings = Refusals(), Warnings()
    with ExitStack() as stack:
        settings, database = stack.enter_context(opened_database(KeyKind.IDENTITY, KeyKind.SERVER))
        if unread := listed(source.check(ignore, default).unread):
            click.echo(f"Ignored columns: {unread}.", err=True)
        on_refused = stack.enter_context(reporting(report, refusals.add))
        on_refused = stack.enter_context(copying(refused, file, source.header, on_refused))
        advance = stack.enter_context(reading_progress("Importing", file))
        rules = Rules(settings.identity_key, topic, default, ignore)
        job = Import(
            database,
            rules,
            utc_now,
            create_topics=create_topics,
            dry_run=dry_run,
            processes=process_count(database),
        )
        counts = job.run(source.rows, on_refused, warnings.add, advance)
    warnings.close()
    _show(counts, job.findings, dry_run=dry_run)
    refusals.exit()


def _show(counts: Counter[str], findings: Findings, *, dry_run: bool) -> None:
    click.echo(
        f"{'Would have a' if dry_run else 'A'}dded {counts['added']:,}, "
        f"unsubscribed {counts['unsubscribed']:,}, kept {counts['kept']:,}, "
        f"unchanged {counts['unchanged']:,}, erased {counts['erased']:,}, "
        f"refused {counts['refused']:,}."
    )
    for sentence in _sentences(findings):
        click.echo(sentence)


def _sentences(findings: Findings) -> Iterator[str]:
    """Yield what the counts do not show."""
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
    for column in sorted({column for column, _ in findings.unknown_words}):
        words = sorted(shown_word(word) for name, word in findings.unknown_words if name == column)
        yield f"Unknown words in {column}: {', '.join(words)}."
