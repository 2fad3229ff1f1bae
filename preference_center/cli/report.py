"""`report`: show the results of mailings, as a table or as rows for programs."""

import shutil
from datetime import datetime

import click

from preference_center.cli import after_leaving, report_table
from preference_center.cli.database import opened_database
from preference_center.cli.files import opened_output, write_rows
from preference_center.cli.parameters import Time, values
from preference_center.core import report as reporting
from preference_center.core.api_vocab import ReportBy
from preference_center.core.report import ReportRequest
from preference_center.util.clock import utc_now

_NOTHING = "Nothing is on record for this selection."


@click.command()
@click.option("--topic", help="Only this topic.")
@click.option("--campaign", help="Only this campaign.")
@click.option("--since", type=Time(), help="Recorded at this time or later.")
@click.option("--until", type=Time(), help="Recorded before this time.")
@click.option(
    "--by",
    type=click.Choice(values(ReportBy)),
    default=ReportBy.MAILING.value,
    show_default=True,
    help="What a row is about. A mailing is one campaign of one topic.",
)
@click.option(
    "--compare",
    type=click.Choice(["previous"]),
    help="Add the mailing or month before or, with --by topic, the period before --since.",
)
@click.option("--sort", type=click.Choice(["rate"]), help="The highest rate first.")
@click.option(
    "--emailed-after-leaving",
    "after",
    is_flag=True,
    help="List the emails claimed after their subscriber had left, instead.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="A table to read, CSV for spreadsheets, JSON for programs.",
)
@click.option(
    "-o", "--output", default="-", show_default=True, help="A file; - is standard output."
)
def report(
    topic: str | None,
    campaign: str | None,
    since: datetime | None,
    until: datetime | None,
    by: str,
    compare: str | None,
    sort: str | None,
    after: bool,
    file_format: str,
    output: str,
) -> None:
    """Show who was emailed, joined and left, how, and why.

    Every unsubscribe counts, whatever its source. Other changes count if subscribers made
    them themselves. The rate is how many of 1,000 emailed left by a page, one-click, email,
    a provider or a complaint. Emails are counted by claims or, without claims, as
    `campaigns` says.

    Reasons are counted by week, everything else by day (UTC); those in which --since and
    --until fall are included. CSV is safe to open in a spreadsheet.

    With --emailed-after-leaving, the times select the claims. If there are any, the exit
    status is 1.
    """
    if after:
        after_leaving.show(topic, campaign, since, until, file_format, output)
        return
    request = ReportRequest(
        by=ReportBy(by),
        topic=topic,
        campaign=campaign,
        since=since,
        until=until or (utc_now() if compare else None),
        compare=compare is not None,
        by_rate=sort is not None,
    )
    with opened_database() as (_, database), database.reading() as session:
        rows = reporting.load(session, request)
    if not rows:
        click.echo(_NOTHING, err=True)
    with opened_output(output) as file:
        if file_format == "table":
            width = shutil.get_terminal_size().columns
            file.writelines(f"{text}\n" for text in report_table.lines(rows, request, width))
        else:
            cells = [row.cells(request.columns) for row in rows]
            write_rows(file, file_format, request.columns, cells)
