"""`export`: write preferences, suppressions, the ledger or reasons to a file."""

from contextlib import ExitStack
from datetime import datetime

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import opened_output, progress
from preference_center.cli.parameters import Time
from preference_center.core import topics
from preference_center.data import exports
from preference_center.util.clock import utc_now


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
@click.option("--excel", is_flag=True, help="Begin CSV with the byte order mark that Excel needs.")
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

    CSV is safe to open in a spreadsheet: a cell that would run as a formula begins with an
    apostrophe, which `import` removes. JSON Lines is not changed. The file appears under
    its name only when it is complete; a file that it replaces keeps its owner and mode.

    Suppressions end email on all topics; with --topic, unsubscribes from that topic are
    exported as well. Reasons do not name subscribers, and --since and --until select whole
    weeks of them.
    """
    if excel and file_format != "csv":
        raise click.UsageError("--excel is for CSV.")
    kind = exports.KINDS[what]
    wanted = exports.Filter(topic, since, until)
    began_at = utc_now()
    with opened_database() as (_, database):
        with ExitStack() as stack:
            session = stack.enter_context(database.reading())
            if topic is not None:
                topics.get(session, topic)  # A misspelled one would silently omit unsubscribes.
            advance = stack.enter_context(progress(f"Exporting {what}", None))
            file = stack.enter_context(opened_output(output))
            exports.write(session, kind, wanted, file, file_format, mark=excel, advance=advance)
        if kind.fetch is not None:
            with database.transaction() as session:
                exports.record_fetch(session, kind.fetch, wanted, began_at)
