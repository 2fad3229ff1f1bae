"""Let many threads share a transaction, and with it the wait for the disk.

A thread takes everything that is waiting, runs it in one transaction, and releases the callers
after the commit. While it does, further calls collect for the next transaction.
"""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from preference_center.store.engine import Database, SilentError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class _Call(Generic[_Item, _Result]):
    """One item that is waiting for its result; `done` is locked until there is one."""

    __slots__ = ("done", "error", "item", "result")

    result: _Result

    def __init__(self, item: _Item) -> None:
        self.item = item
        self.error: Exception | None = None
        self.done = threading.Lock()
        self.done.acquire()


class GroupCommit(Generic[_Item, _Result]):
    """Runs items in shared transactions. `run` returns the result of each item, in their order.

    If a transaction fails, each of its items is run again in one of its own, so that only those
    that fail themselves raise an error.
    """

    def __init__(
        self, database: Database, run: Callable[[Session, Sequence[_Item]], Sequence[_Result]]
    ) -> None:
        self._database, self._run = database, run
        self._waiting: SimpleQueue[_Call[_Item, _Result]] = SimpleQueue()
        self._start = threading.Lock()
        self._is_running = False

    def submit(self, item: _Item) -> _Result:
        """Return the result of an item once its transaction is committed, or raise its error."""
        if not self._is_running:
            self._start_thread()
        call: _Call[_Item, _Result] = _Call(item)
        self._waiting.put(call)
        call.done.acquire()
        if call.error is not None:
            raise call.error
        return call.result

    def _start_thread(self) -> None:
        """Start the thread with the first call: a thread does not survive a fork."""
        with self._start:
            if not self._is_running:
                threading.Thread(target=self._work, name="group-commit", daemon=True).start()
                self._is_running = True

    def _work(self) -> None:
        while True:
            calls = [self._waiting.get()]
            calls += [self._waiting.get() for _ in range(self._waiting.qsize())]
            self._commit(calls)
            for call in calls:
                call.done.release()

    def _commit(self, calls: Sequence[_Call[_Item, _Result]]) -> None:
        try:
            with self._database.transaction() as session:
                results = self._run(session, [call.item for call in calls])
                answered = list(zip(calls, results, strict=True))
        except Exception as error:  # noqa: BLE001 (each caller gets the error)
            if len(calls) > 1 and not isinstance(error, SilentError):
                for call in calls:
                    self._commit([call])
                return
            for call in calls:
                call.error = error
            return
        for call, result in answered:
            call.result = result
