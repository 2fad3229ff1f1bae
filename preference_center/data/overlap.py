"""Work on batches in threads, so that Python and the database are busy at the same time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar
from uuid import UUID

from preference_center.store import Database

_Batch = TypeVar("_Batch")
_Result = TypeVar("_Result")

_MAX_AT_ONCE = 2  # More threads would wait for each other: only one can run Python at a time.


def overlapped(
    database: Database,
    work: Callable[[_Batch], _Result],
    batches: Iterable[_Batch],
    ids: Callable[[_Batch], Set[UUID]],
) -> Iterator[tuple[_Batch, _Result]]:
    """Yield each batch and what `work` returns for it, in their order.

    While a batch is worked on, the next one is read, and on PostgreSQL also worked on, unless the
    two have one of their `ids` in common: what is done for one subscriber is done in order. Raise
    what `work` raises; later batches may then be in work, and may be completed or not.
    """
    at_once = 1 if database.is_sqlite else _MAX_AT_ONCE
    running: deque[tuple[_Batch, Set[UUID], Future[_Result]]] = deque()
    for batch in batches:
        own = ids(batch)
        while len(running) == at_once or any(not own.isdisjoint(other) for _, other, _ in running):
            done, _, future = running.popleft()
            yield done, future.result()
        running.append((batch, own, _started(work, batch)))
    for batch, _, future in running:
        yield batch, future.result()


def _started(work: Callable[[_Batch], _Result], batch: _Batch) -> Future[_Result]:
    """Return the future of a call in a new thread, which does not keep the process alive."""
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(work(batch))
        except BaseException as error:  # noqa: BLE001 (the caller gets it)
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
