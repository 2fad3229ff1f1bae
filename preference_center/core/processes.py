"""Processes that may hold unsubscribes in a spool, and what the audience check waits for.

A process registers before it may spool, and then reports regularly. An audience check begins once
every registered process has reported an empty spool, so that it knows of every unsubscribe that was
acknowledged before it began.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from preference_center.core.errors import Refusal
from preference_center.store import Database, UnavailableError, queries
from preference_center.store.tables import ServingProcess

MAX_WAIT = 3.0  # seconds
_POLL_SECONDS = 0.1


class UnknownProcessError(Refusal):
    """There is no such process."""


class UnsubscribesWaitingError(UnavailableError):
    """Unsubscribes may wait in the spool of a process, so no email may be sent now."""


@dataclass(frozen=True)
class Process:
    """A process with a spool."""

    id: UUID
    host: str
    pid: int


@dataclass(frozen=True)
class Waiting:
    """How many unsubscribes wait in a spool, and when the oldest of them was acknowledged."""

    rows: int
    oldest_at: datetime | None = None


def report(session: Session, process: Process, read_spool: Callable[[], Waiting]) -> None:
    """Report what waits in the spool of a process, and register it if it is not on record.

    `read_spool` is called after the database's time was read. An unsubscribe that is acknowledged
    after the spool was read must not count as reported.
    """
    now = queries.database_time(session)
    waiting = read_spool()
    values: dict[str, Any] = {
        "reported_at": now,
        "waiting_rows": waiting.rows,
        "oldest_at": waiting.oldest_at,
    }
    if not waiting.rows:
        values["empty_at"] = now
    of_process = update(ServingProcess).where(ServingProcess.process_id == process.id)
    updated = of_process.values(values).returning(ServingProcess.process_id)
    if session.scalars(updated).first() is None:
        session.add(
            ServingProcess(
                process_id=process.id, host=process.host, pid=process.pid, started_at=now, **values
            )
        )


def remove(session: Session, process_id: UUID) -> bool:
    """Remove a process that has ended with an empty spool; return whether it was on record."""
    of_process = delete(ServingProcess).where(ServingProcess.process_id == process_id)
    return session.scalars(of_process.returning(ServingProcess.process_id)).first() is not None


def strike_off(session: Session, process_id: UUID) -> None:
    """Remove a process whose spool is lost. If it still runs, it registers again.

    Raises:
        UnknownProcessError: no such process is on record.
    """
    if not remove(session, process_id):
        raise UnknownProcessError(f"no process {process_id} is registered")


def list_all(session: Session) -> Sequence[ServingProcess]:
    """Return the registered processes, by host and start."""
    order = (ServingProcess.host, ServingProcess.started_at, ServingProcess.process_id)
    return session.scalars(select(ServingProcess).order_by(*order)).all()


def wait_until_empty(
    database: Database,
    *,
    timeout: float = MAX_WAIT,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return once each registered process has reported an empty spool since this was called.

    Raises:
        UnsubscribesWaitingError: that took longer than `timeout` seconds.
        UnavailableError: the database cannot be used.
    """
    give_up, since = clock() + timeout, None
    while True:
        with database.reading() as session:
            registered = list_all(session)
            since = since or _start(session, registered)
        behind = [each for each in registered if each.empty_at is None or each.empty_at <= since]
        if not behind:
            return
        if clock() >= give_up:
            raise UnsubscribesWaitingError(_explanation(behind))
        sleep(_POLL_SECONDS)


def _start(session: Session, registered: Iterable[ServingProcess]) -> datetime:
    """Return the time after which reports count.

    It is not before any report on record: after a failover, or a step of the database's clock, an
    old report could be in the future.
    """
    reported = [each.empty_at for each in registered if each.empty_at is not None]
    return max([queries.database_time(session), *reported])


def _explanation(behind: Sequence[ServingProcess]) -> str:
    named = ", ".join(
        f"{each.process_id} (host {each.host}, pid {each.pid}, {each.waiting_rows:,} waiting at "
        f"{each.reported_at:%Y-%m-%d %H:%M:%S} UTC)"
        for each in behind
    )
    return (
        f"unsubscribes may wait in the spool of {named}. If a process has ended and its spool is "
        "lost, run: preference-center spool strike-off ID"
    )
