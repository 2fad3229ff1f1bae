"""`report`: show the results of mailings, as a table or as rows for programs."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from textwrap import wrap

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import opened_output
from preference_center.cli.parameters import Time
from preference_center.core import topics
from preference_center.data import report as reporting
from preference_center.data.report import ReportRow, total
from preference_center.data.tabular import CsvWriter

_NOTHING = "Nothing is on record for this selection."
_NOTE = (
    "opened: page views of links, including those by mail gateways that scan links. left after "
    "less: subscribers who asked for less here and left the topic or everything within 30 days."
)
_HEADS = {name: name.replace("_", " ") for name in reporting.EVENT_COLUMNS} | {
    "came_back": "came\nback",
    "left_after_less": "left after\nless",
}
_WHY = {column: code.replace("_", " ") for column, code in reporting.REASONS.items()} | {
    "reason_prefer_not_say": "prefer not to say"
}
_Rows = Sequence[tuple[str, Mapping[str, int]]]  # The label on the left, and the counts.


@click.command()
@click.option("--topic", help="Only this topic.")
@click.option("--campaign", help="Only this campaign.")
@click.option("--since", type=Time(), help="Recorded at this time or later.")
@click.option("--until", type=Time(), help="Recorded before this time.")
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
    file_format: str,
    output: str,
) -> None:
    """Show who left, asked for less or came back, and why.

    The numbers are given by topic and campaign, with the page views.

    Only subscribers' own choices are counted: on the pages, with the Unsubscribe button of
    their mail program, and by email. Changes are counted by day (UTC), page views by hour
    and reasons by week; those in which --since and --until fall are included. CSV is safe
    to open in a spreadsheet.
    """
    with opened_database() as (_, database), database.reading() as session:
        if topic is not None:
            topics.get(session, topic)
        lines = reporting.rows(session, topic=topic, campaign=campaign, since=since, until=until)
    if not lines:
        click.echo(_NOTHING, err=True)
    with opened_output(output) as file:
        if file_format == "csv":
            writer = CsvWriter(file, reporting.COLUMNS, escape=True)
            for line in lines:
                writer.write(line.cells())
        elif file_format == "json":
            cells = [line.cells() for line in lines]
            file.write(json.dumps(cells, indent=2, ensure_ascii=False) + "\n")
        else:
            width = shutil.get_terminal_size().columns
            file.writelines(f"{text}\n" for text in _table(lines, width))


def _table(lines: Sequence[ReportRow], width: int) -> Iterator[str]:
    """Yield the lines of a table, or of a list if the terminal is too narrow."""
    sizes = _sizes(lines)
    as_list = 2 + sum(sizes.values()) + 2 * len(reporting.EVENT_COLUMNS) > width
    for topic, of_topic in groupby(lines, key=lambda line: line.topic):
        own = list(of_topic)
        rows = [(_name(line), line.counts) for line in own]
        if len(own) > 1:
            rows.append(("total", total(own)))
        yield topic or "(everything)"
        yield from _as_list(rows, width) if as_list else _as_columns(rows, sizes, width)
        yield ""
    if lines:
        yield from wrap(_NOTE, width)


def _sizes(lines: Sequence[ReportRow]) -> dict[str, int]:
    """Return the width of each column, which is the same for all topics."""
    whole = total(lines)
    sizes = {"campaign": max(map(len, ["campaign", *map(_name, lines)]))}
    for column, head in _HEADS.items():
        sizes[column] = max(*map(len, head.split("\n")), len(_number(whole, column)))
    return sizes


def _name(line: ReportRow) -> str:
    return line.campaign or "(no campaign)"


def _as_columns(rows: _Rows, sizes: Mapping[str, int], width: int) -> Iterator[str]:
    heads = {"campaign": "campaign"} | _HEADS
    for at in (0, 1):
        cells = {name: ("\n" + head).split("\n")[-2:][at] for name, head in heads.items()}
        yield _aligned(cells, sizes)
    for name, counts in rows:
        numbers = {column: _number(counts, column) for column in _HEADS}
        yield _aligned({"campaign": name} | numbers, sizes)
    yield from _whys(rows, sizes["campaign"], width)


def _aligned(cells: Mapping[str, str], sizes: Mapping[str, int]) -> str:
    numbers = "".join(f"  {cells[column]:>{sizes[column]}}" for column in _HEADS)
    return f"  {cells['campaign']:{sizes['campaign']}}{numbers}"


def _whys(rows: _Rows, size: int, width: int) -> Iterator[str]:
    """Yield the reasons of each campaign that has any, most frequent first."""
    whys = [(name, _said(counts, _WHY)) for name, counts in rows]
    if any(why for _, why in whys):
        yield "  why people left"
    for name, why in whys:
        begin = f"  {name:{size}}  "
        yield from wrap(why, width, initial_indent=begin, subsequent_indent=" " * len(begin))


def _as_list(rows: _Rows, width: int) -> Iterator[str]:
    labels = {column: head.replace("\n", " ") for column, head in _HEADS.items()}
    for name, counts in rows:
        yield f"  {name}"
        for text in (_said(counts, labels, by_number=False), _said(counts, _WHY)):
            yield from wrap(text, width, initial_indent=" " * 4, subsequent_indent=" " * 4)


def _said(counts: Mapping[str, int], labels: Mapping[str, str], *, by_number: bool = True) -> str:
    """Return the counts that are not zero in words: `too many 8, other 1`."""
    found = [(counts.get(column, 0), label) for column, label in labels.items()]
    if by_number:
        found.sort(key=lambda each: -each[0])
    return ", ".join(f"{label} {count:,}" for count, label in found if count)


def _number(counts: Mapping[str, int], column: str) -> str:
    count = counts.get(column, 0)
    return f"{count:,}" if count else "-"
