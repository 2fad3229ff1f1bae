"""`spool`: show and replay spools, and remove processes whose spool is lost."""

import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import click

from preference_center.cli.common import settings_or_exit
from preference_center.cli.database import opened_database
from preference_center.core import processes
from preference_center.core.vocab import KeyKind
from preference_center.inbound import spool_folder
from preference_center.inbound.spool_file import SpoolError
from preference_center.inbound.spool_folder import SpoolFile
from preference_center.inbound.spool_replay import adopt, apply_batch
from preference_center.settings.settings import read_settings
from preference_center.store import queries
from preference_center.store.tables import ServingProcess
from preference_center.util.clock import utc_now


@click.group("spool")
def spool_group() -> None:
    """Show and replay unsubscribes that wait for the database.

    While the database cannot be used, `serve` writes one-click unsubscribes to SPOOL_DIR.
    """


@spool_group.command()
@click.option(
    "--max-age",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="How many seconds an unsubscribe may wait.",
)
def status(max_age: int) -> None:
    """Show the spools of this host, and all registered processes.

    Exit status: 0 success; 1 an unsubscribe waits longer than --max-age, a process has not
    reported an empty spool for that long, or a spool is damaged; 3 the database is
    unavailable, so that the processes are not shown.
    """
    folder = settings_or_exit(partial(read_settings, uses=())).spool_dir
    limit = timedelta(seconds=max_age)
    late = folder is not None and _show_files(folder, utc_now() - limit)
    with opened_database() as (_, database), database.reading() as session:
        now = queries.database_time(session)
        for each in processes.list_all(session):
            late |= (each.empty_at or each.started_at) < now - limit
            _show_process(each, now)
    sys.exit(int(late))


@spool_group.command()
def replay() -> None:
    """Apply the unsubscribes that ended processes have left.

    `serve` does the same, and also replays its own spool. Use this command after you have
    moved files into SPOOL_DIR, or when no process serves on this host any more.

    Exit status: 0 success; 1 a spool could not be read or applied completely.
    """
    with opened_database(KeyKind.SERVER) as (settings, database):
        if settings.spool_dir is None:
            click.echo("PREFERENCE_CENTER_SPOOL_DIR is missing.", err=True)
            sys.exit(2)
        try:
            done = adopt(database, settings.spool_dir, partial(apply_batch, database, utc_now))
        except SpoolError as error:
            click.echo(str(error), err=True)
            sys.exit(1)
    click.echo(f"Unsubscribes replayed: {done.rows:,}. Spools emptied: {done.spools}.")


@spool_group.command("strike-off")
@click.argument("process_id", metavar="ID", type=click.UUID)
def strike_off(process_id: UUID) -> None:
    """Remove the registered process ID from the database.

    `audience` then no longer waits for it. Do this only if the process has ended and its
    SPOOL_DIR is lost: unsubscribes in it are not applied. If SPOOL_DIR still exists, run
    `spool replay` on that host instead. A process that still runs registers again.
    """
    with opened_database() as (_, database), database.transaction() as session:
        processes.strike_off(session, process_id)
    click.echo(f"Struck off {process_id}.")


def _show_files(folder: Path, since: datetime) -> bool:
    """Show the files of a folder; return whether one is damaged, or older than `since`."""
    files, damaged = spool_folder.list_files(folder), spool_folder.list_damaged(folder)
    click.echo(f"Spools in {folder}: {len(files)}")
    for each in files:
        user = "in use" if each.is_locked else "not in use"
        click.echo(f"  {each.process_id}  {user}, {_contents(each)}")
    for path in damaged:
        click.echo(f"  {path.name}  damaged")
    unreadable = any(each.state is None for each in files)
    oldest = [each.state.oldest_at for each in files if each.state and each.state.oldest_at]
    return bool(damaged) or unreadable or any(at < since for at in oldest)


def _contents(file: SpoolFile) -> str:
    if file.state is None:
        return file.why
    if file.state.oldest_at is None:
        return "empty"
    return f"{file.state.rows:,} waiting since {file.state.oldest_at:%Y-%m-%d %H:%M:%S} UTC"


def _show_process(process: ServingProcess, now: datetime) -> None:
    seconds = (now - process.reported_at).total_seconds()
    waiting = f"{process.waiting_rows:,} waiting" if process.waiting_rows else "empty"
    click.echo(
        f"Process {process.process_id}  host {process.host}, pid {process.pid}: {waiting}, "
        f"reported {seconds:,.0f} seconds ago"
    )
