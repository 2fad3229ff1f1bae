"""`replay`: put back what a restored backup has lost of unsubscribes and erasures."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import BinaryIO

import click

from preference_center.cli.common import Refusals, opened_database, progress, reading_progress
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
    help="What FILE is; without it, CSV if its name ends in .csv, else JSON Lines.",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen, and keep nothing.")
def replay(file: BinaryIO, file_format: str | None, dry_run: bool) -> None:
    """Re-apply unsubscribes that a restored backup has lost.

    FILE is one or more exports of the ledger, in any order; - is standard input. Erasures are
    re-applied as well. Use it after a database was restored, before anything else runs.

    It ends consent and erases, and keeps the times and sources of the rows. It never starts or
    restores consent. What a person has started again later, in the file or in this database,
    stays. Running it again changes nothing.
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
        f"{'Would have s' if dry_run else 'S'}topped {counts['stopped']:,}, "
        f"erased {counts['erased']:,}, unchanged {counts['unchanged']:,}, "
        f"left to a newer choice {counts['newer']:,}."
    )
    if new_topics:
        click.echo(f"New topics, private: {', '.join(sorted(new_topics))}.")
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
