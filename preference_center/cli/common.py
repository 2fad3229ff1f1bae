"""What the commands share: settings, the database, files, progress and what was refused."""

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO, TextIO, TypeVar

import click

from preference_center.core.vocab import KeyKind
from preference_center.data.output_files import text_file
from preference_center.data.tabular import RefusedRow, Row
from preference_center.settings.env import SettingsError
from preference_center.settings.settings import Settings, read_settings
from preference_center.store import Database
from preference_center.store.upgrade import check_schema
from preference_center.util.clock import parse_time

SHOWN_REFUSALS = 20
_EARLIEST, _LATEST = 1970, 9000  # years: a day may be added or taken away

_Read = TypeVar("_Read")


def settings_or_exit(read: Callable[[Any], _Read]) -> _Read:
    """Return settings from the environment, or say all that is wrong with them and exit 2."""
    try:
        return read(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(2)


def database_of(settings: Settings, *uses: KeyKind, patient: bool = True) -> Database:
    """Return the database of a command, with the keys of these kinds."""
    return Database(
        settings.database_url,
        settings.server_keys if KeyKind.SERVER in uses else (),
        identity_key=settings.identity_key if KeyKind.IDENTITY in uses else None,
        link_keys=settings.link_keys if KeyKind.LINK in uses else (),
        patient=patient,
    )


@contextmanager
def opened_database(*uses: KeyKind, patient: bool = True) -> Iterator[tuple[Settings, Database]]:
    """Yield the settings and their database, which has this version's tables.

    `uses` are the kinds of keys that the command works with: the others need not be the
    database's own, and cannot sign. `patient` lets a statement take an hour: not for what answers
    others, or runs all the time.
    """
    settings = settings_or_exit(read_settings)
    database = database_of(settings, *uses, patient=patient)
    try:
        check_schema(database)
        yield settings, database
    finally:
        database.close()


def asked_to_stop() -> Event:
    """Return what is set once somebody asks this process to end (SIGTERM, Ctrl+C)."""
    stop = Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    return stop


class Time(click.ParamType[datetime]):
    """A time or a day in ISO 8601; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            at = parse_time(value)
        except ValueError:
            at = None
        if at is None or not _EARLIEST <= at.year <= _LATEST:
            self.fail(f"{value!r} is not a time, like 2026-11-22 or 2026-11-22T14:05:00Z.")
        return at


class Warnings:
    """Says on standard error what was wrong in rows that were applied all the same."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, row: Row, why: str) -> None:
        self.count += 1
        if self.count <= SHOWN_REFUSALS:
            click.echo(f"line {row.line}: warning: {why}", err=True)

    def close(self) -> None:
        """Say how many there were, if any."""
        if self.count > SHOWN_REFUSALS:
            click.echo(f"… and {self.count - SHOWN_REFUSALS:,} more warnings", err=True)
        if self.count:
            click.echo(f"Warnings about unsubscribes that were applied: {self.count:,}", err=True)


class Refusals:
    """Says on standard error which rows were refused and why, the first of them one by one."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, row: RefusedRow) -> None:
        self.count += 1
        if self.count <= SHOWN_REFUSALS:
            click.echo(f"line {row.line}: {row.why}", err=True)

    def exit(self) -> None:
        """Exit 1 if any row was refused."""
        if self.count > SHOWN_REFUSALS:
            click.echo(f"… and {self.count - SHOWN_REFUSALS:,} more", err=True)
        if self.count:
            click.echo(f"Rows refused: {self.count:,}", err=True)
            sys.exit(1)


@contextmanager
def opened_output(target: str) -> Iterator[TextIO]:
    """Yield a text file that takes its name when it is whole; `-` is standard output."""
    if target != "-":
        with text_file(Path(target)) as file:
            yield file
        return
    text = TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="", write_through=False)
    yield text
    text.flush()
    text.detach()


@contextmanager
def progress(label: str, length: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, nothing elsewhere; yield what moves it on."""
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
    """Show how far a file was read, or of a pipe that it goes on; yield what updates it."""
    length, done = _size_of(file), 0
    with progress(label, length) as advance:

        def update() -> None:
            nonlocal done
            at = file.tell() if length is not None else done + 1
            advance(at - done)
            done = at

        yield update


def _size_of(file: BinaryIO) -> int | None:
    try:
        found = os.fstat(file.fileno())
    except OSError:  # a test's file, which is no real one
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def values(vocabulary: type[StrEnum]) -> list[str]:
    """Return the values of an enum, for `click.Choice`, which would offer the names of members."""
    return [member.value for member in vocabulary]
