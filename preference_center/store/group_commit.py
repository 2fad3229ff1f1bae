"""Let many threads share a transaction, and with it the wait for the disk.

A thread takes everything that is waiting, runs it in one transaction, and releases the callers
after the commit. While it does, further calls collect for the next transaction.
"""

import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from preference_center.store.engine import Database, SilentError, UnavailableError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class CommitTimeoutError(UnavailableError):
    """A transaction was not committed in time. It may be committed later."""


class _Call(Generic[_Item, _Result]):
    """One item that is waiting for its result; `done` is locked until there is one."""

    __slots__ = ("done", "error", "is_given_up", "item", "result")

    result: _Result

    def __init__(self, item: _Item) -> None:
        self.item = item
        self.error: Exception | None = None
        self.is_given_up = False
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
        self._is_started = False
        self._began_at: float | None = None  # When the running transaction began.

    def submit(self, item: _Item, timeout: float | None = None) -> _Result:
        """Return the result of an item once its transaction is committed, or raise its error.

        Raise CommitTimeoutError after `timeout` seconds, or at once if the running transaction has
        taken longer than that: the database may be silent.
        """
        if not self._is_started:
            self._start_thread()
        if timeout is not None and self._is_slow(timeout):
            raise CommitTimeoutError("the database does not answer in time")
        call: _Call[_Item, _Result] = _Call(item)
        self._waiting.put(call)
        if not call.done.acquire(timeout=-1 if timeout is None else timeout):
            call.is_given_up = True
            raise CommitTimeoutError("the database does not answer in time")
        if call.error is not None:
            raise call.error
        return call.result

    def _is_slow(self, timeout: float) -> bool:
        began_at = self._began_at
        return began_at is not None and time.monotonic() - began_at > timeout

    def _start_thread(self) -> None:
        """Start the thread with the first call: a thread does not survive a fork."""
        with self._start:
            if not self._is_started:
                threading.Thread(target=self._work, name="group-commit", daemon=True).start()
                self._is_started = True

    def _work(self) -> None:
        while True:
            calls = [self._waiting.get()]
            calls += [self._waiting.get() for _ in range(self._waiting.qsize())]
            self._began_at = time.monotonic()
            self._commit([call for call in calls if not call.is_given_up])
            self._began_at = None
            for call in calls:
                call.done.release()

    def _commit(self, calls: Sequence[_Call[_Item, _Result]]) -> None:
        if not calls:
            return
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
