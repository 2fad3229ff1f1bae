"""`replay`: re-apply the unsubscribes and erasures that a restored backup has lost."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import BinaryIO

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import Refusals, progress, reading_progress
from preference_center.core.vocab import KeyKind
from preference_center.data.replay import Replay
from preference_center.data.replay_records import COLUMNS
from preference_center.data.tabular import (
    FileRefusedError,
    RefusedRow,
    Row,
    read_csv,
    read_json_lines,
)
from preference_center.util.clock import utc_now


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "jsonl"]),
    help="The format of FILE. The default is CSV if its name ends in .csv, else JSON Lines.",
)
@click.option("--dry-run", is_flag=True, help="Print what would happen, and change nothing.")
def replay(file: BinaryIO, file_format: str | None, dry_run: bool) -> None:
    """Re-apply unsubscribes that a restored backup has lost.

    FILE contains one or more exports of the ledger, in any order; - is standard input.
    Erasures are re-applied as well. Run it after a database was restored, before anything
    else runs. Running it again changes nothing.

    Times and sources are taken from the rows. No consent is started or restored. If the
    subscriber has made a newer choice, in the file or in the database, the choice is kept
    and the row is counted as `newer`.

    Exit status: 0 success; 1 some rows were refused; 2 the file or a setting cannot be
    used; 3 the database became unavailable, and a part of the file is applied.
    """
    name = getattr(file, "name", "")
    rows = _rows(file, file_format or ("csv" if name.endswith(".csv") else "jsonl"))
    refusals, new_topics = Refusals(), set[str]()
    with ExitStack() as stack:
        _, database = stack.enter_context(opened_database(KeyKind.SERVER))
        on_read = stack.enter_context(reading_progress("Reading", file))

        def on_applying(count: int) -> Callable[[int], None]:
            return stack.enter_context(progress("Replaying", count))

        counts = Replay(database, utc_now, dry_run=dry_run).run(
            rows,
            refusals.add,
            on_read=on_read,
            on_applying=on_applying,
            on_new_topic=new_topics.add,
        )
    click.echo(
        f"{'Would have u' if dry_run else 'U'}nsubscribed {counts['unsubscribed']:,}, "
        f"erased {counts['erased']:,}, unchanged {counts['unchanged']:,}, "
        f"newer {counts['newer']:,}."
    )
    if new_topics:
        click.echo(f"New topics, hidden: {', '.join(sorted(new_topics))}.")
    refusals.exit()


def _rows(file: BinaryIO, file_format: str) -> Iterable[Row | RefusedRow]:
    if file_format == "jsonl":
        return read_json_lines(file)
    table = read_csv(file)
    if missing := sorted({*COLUMNS} - {*table.columns}):
        raise FileRefusedError(
            f"this is not an export of the ledger: it has no column {', '.join(missing)}"
        )
    return table
