"""Make the demo's database unusable for ten seconds, and unsubscribe meanwhile.

SQLite has no server that could be stopped. Instead, one connection holds the write lock, so that no
other connection can write to the database.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread

from preference_center.demo import json_files
from preference_center.inbound.spool_service import SpoolService

LENGTH = timedelta(seconds=10)
_LOCK_SECONDS = 5  # How long to wait for other writers before the lock is held.
_one_at_a_time = Lock()


@dataclass(frozen=True)
class Outage:
    """One outage: the answer to the one-click request, and how many unsubscribes waited after it.

    `email` is the name of the email whose address was posted to.
    """

    began_at: datetime
    topic: str
    status: int
    seconds: float
    waited: int

    @property
    def ends_at(self) -> datetime:
        return self.began_at + LENGTH


def latest(folder: Path) -> Outage | None:
    """Return the newest outage, or None."""
    return json_files.read(_file(folder), Outage, "began_at")


def start(
    folder: Path,
    database_file: Path,
    spool: SpoolService,
    clock: Callable[[], datetime],
    topic: str,
    press: Callable[[], int],
) -> None:
    """Lock the database and call `press`, which posts a one-click request for `topic`.

    Return when the request is answered; the lock is held for longer. Do nothing if it is held now.
    """
    known = latest(folder)
    if not _one_at_a_time.acquire(blocking=False):
        return
    try:
        if known is not None and clock() < known.ends_at:
            return
        locked = Event()
        Thread(target=_hold, args=(database_file, locked), daemon=True).start()
        if not locked.wait(_LOCK_SECONDS + 1):
            return
        began_at, before = clock(), time.monotonic()
        status, seconds = press(), time.monotonic() - before
        outage = Outage(began_at, topic, status, round(seconds, 3), spool.state().rows)
        json_files.write(_file(folder), outage)
    finally:
        _one_at_a_time.release()


def _hold(database_file: Path, locked: Event) -> None:
    """Hold the write lock of the database."""
    connection = sqlite3.connect(database_file, timeout=_LOCK_SECONDS, isolation_level=None)
    with closing(connection):
        connection.execute("BEGIN EXCLUSIVE")
        locked.set()
        time.sleep(LENGTH.total_seconds())
        connection.execute("ROLLBACK")


def _file(folder: Path) -> Path:
    return folder / "outage.json"
