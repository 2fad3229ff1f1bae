"""Merge a CSV of subscribers from standard input into a CSV on standard output."""

import sys
from collections.abc import Callable, Iterable
from io import TextIOWrapper

from preference_center.cli.files import Refusals, reading_progress
from preference_center.data.links_csv import Merged, read_people
from preference_center.data.tabular import CsvFile, CsvWriter, RefusedRow


def people() -> CsvFile:
    """Return the CSV on standard input, with its identity columns renamed to `email` and `id`."""
    return read_people(sys.stdin.buffer)


def stream(
    label: str,
    columns: Callable[[list[str]], list[str]],
    merge: Callable[[CsvFile], Iterable[Merged]],
) -> None:
    """Write each merged row as soon as it is ready; exit 1 if any row was refused.

    `columns` returns the output's columns for the input's.
    """
    rows, refusals = people(), Refusals()
    out = TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    writer = CsvWriter(out, columns(rows.columns), escape=False)
    with reading_progress(label, sys.stdin.buffer) as advance:
        for merged in merge(rows):
            if isinstance(merged, RefusedRow):
                refusals.add(merged)
            else:
                writer.write(merged)
            advance()
    out.flush()
    out.detach()
    refusals.exit()
