"""Spread batches over processes: one process runs Python on one core only."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar
from uuid import UUID

from preference_center.store import Database, UnavailableError

_Batch = TypeVar("_Batch")
_Result = TypeVar("_Result")

_KILLED = "a process of this command was killed"
MAX_PROCESSES = 4  # The process that reads and writes the files cannot keep more of them busy.


def process_count(database: Database) -> int:
    """Return how many processes to use. SQLite allows one process to write."""
    return 1 if database.is_sqlite else min(os.cpu_count() or 1, MAX_PROCESSES)


def spread(
    database: Database,
    work: Callable[[_Batch], _Result],
    batches: Iterable[_Batch],
    ids: Callable[[_Batch], Set[UUID]],
    processes: int,
) -> Iterator[tuple[_Batch, _Result]]:
    """Yield each batch and what `work` returns for it, in their order.

    Two batches with one of their `ids` in common are never worked on at once, so that what is done
    for one subscriber is done in order. This process works on the first batch, because most files
    have no other, and with `processes` 1 on all. Otherwise forks of it work on the rest, in which
    `work` may use `database`. Their batches and results are pickled.

    Raise what `work` raises, or UnavailableError if a process was killed. Later batches may then
    be done as well, or not at all.
    """
    coming = iter(batches)
    for batch in coming if processes == 1 else islice(coming, 1):
        yield batch, work(batch)
    with ExitStack() as stack:
        idle, busy = list[Connection](), deque[tuple[_Batch, Set[UUID], Connection]]()
        for batch in coming:
            if not (idle or busy):
                idle = [stack.enter_context(_worker(database, work)) for _ in range(processes)]
            own = ids(batch)
            while not idle or any(not own.isdisjoint(other) for _, other, _ in busy):
                done, _, worker = busy.popleft()
                yield done, _result(worker)
                idle.append(worker)
            busy.append((batch, own, idle.pop()))
            _send(busy[-1][-1], batch)
        for batch, _, worker in busy:
            yield batch, _result(worker)


@dataclass(frozen=True)
class _Failed:
    """What a worker sends instead of a result."""

    error: Exception


@contextmanager
def _worker(database: Database, work: Callable[[Any], Any]) -> Iterator[Connection]:
    """Yield the connection to a process that works on each batch it is sent, until the end."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(ours, theirs, database, work), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    except BaseException:
        process.kill()  # It may wait for a silent database. PostgreSQL rolls back.
        raise
    finally:
        ours.close()
        process.join()


def _work(
    ours: Connection, connection: Connection, database: Database, work: Callable[[Any], Any]
) -> None:
    """Work until the other process closes its end of the connection, `ours`, or has ended."""
    ours.close()  # Here it is a copy, which would keep the connection open.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all processes of a terminal.
    database.forget_connections()
    try:
        while True:
            connection.send(_answer(work, connection.recv()))
    except (EOFError, OSError):
        database.close()
    finally:
        os._exit(0)  # Without writing what this process's files held when it was forked.


def _answer(work: Callable[[Any], Any], batch: Any) -> Any:
    try:
        return work(batch)
    except Exception as error:  # noqa: BLE001 (the other process raises it)
        return _Failed(error)


def _send(worker: Connection, batch: Any) -> None:
    try:
        worker.send(batch)
    except OSError:
        raise UnavailableError(_KILLED) from None


def _result(worker: Connection) -> Any:
    try:
        result = worker.recv()
    except (EOFError, OSError):
        raise UnavailableError(_KILLED) from None
    if isinstance(result, _Failed):
        raise result.error
    return result
