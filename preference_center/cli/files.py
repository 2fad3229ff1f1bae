"""Input and output of commands: files, progress bars, refused rows and warnings."""

import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import click

from preference_center.data.output_files import text_file, whole_file
from preference_center.data.tabular import CsvWriter, RefusedRow, Row

MAX_SHOWN_ROWS = 20


class Refusals:
    """Counts refused rows, and prints the first of them with the reason on standard error."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, row: RefusedRow) -> None:
        """Count a row."""
        self.count += 1
        if self.count <= MAX_SHOWN_ROWS:
            click.echo(f"{row.where}: {row.why}", err=True)

    def exit(self) -> None:
        """Print the count and exit 1 if any row was refused."""
        if self.count > MAX_SHOWN_ROWS:
            click.echo(f"… and {self.count - MAX_SHOWN_ROWS:,} more", err=True)
        if self.count:
            click.echo(f"Rows refused: {self.count:,}", err=True)
            sys.exit(1)


class Warnings:
    """Counts warnings about rows that were applied, and prints the first on standard error."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, row: Row, why: str) -> None:
        """Count a warning."""
        self.count += 1
        if self.count <= MAX_SHOWN_ROWS:
            click.echo(f"{row.where}: warning: {why}", err=True)

    def close(self) -> None:
        """Print the count if there were any warnings."""
        if self.count > MAX_SHOWN_ROWS:
            click.echo(f"… and {self.count - MAX_SHOWN_ROWS:,} more warnings", err=True)
        if self.count:
            click.echo(f"Warnings about unsubscribes that were applied: {self.count:,}", err=True)


@contextmanager
def opened_binary_output(target: str) -> Iterator[BinaryIO]:
    """Yield a file that appears under its name when it is complete; `-` is standard output."""
    if target != "-":
        with whole_file(Path(target)) as file:
            yield file
        return
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def opened_output(target: str) -> Iterator[TextIO]:
    """Yield the same as `opened_binary_output`, for text."""
    if target != "-":
        with text_file(Path(target)) as file:
            yield file
        return
    text = TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="", write_through=False)
    yield text
    text.flush()
    text.detach()


def write_rows(
    file: TextIO, file_format: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Write rows as `csv`, safe to open in a spreadsheet, or as a list of objects in `json`."""
    if file_format == "json":
        file.write(json.dumps(list(rows), indent=2, ensure_ascii=False) + "\n")
        return
    writer = CsvWriter(file, columns, escape=True)
    for row in rows:
        writer.write({name: "" if value is None else value for name, value in row.items()})


@contextmanager
def progress(label: str, length: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, nothing elsewhere; yield a function that advances it."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(
        iter(()) if length is None else None,
        length=length,
        label=label,
        file=sys.stderr,
        hidden=hidden,
    ) as bar:
        yield bar.update


@contextmanager
def reading_progress(label: str, file: BinaryIO) -> Iterator[Callable[[], None]]:
    """Show how much of a file has been read, or the number of steps if it is a pipe.

    Yields a function to call after each step.
    """
    with steady_progress(label, _size_of(file), file.tell) as update:
        yield update


@contextmanager
def steady_progress(
    label: str, length: int | None, tell: Callable[[], int]
) -> Iterator[Callable[[], None]]:
    """Show what `tell` returns of `length`, or the number of steps if that is None.

    Yields a function to call after each step.
    """
    done = 0
    with progress(label, length) as advance:

        def update() -> None:
            nonlocal done
            at = tell() if length is not None else done + 1
            advance(at - done)
            done = at

        yield update


def _size_of(file: BinaryIO) -> int | None:
    try:
        found = os.fstat(file.fileno())
    except OSError:  # An in-memory file of a test has no descriptor.
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
