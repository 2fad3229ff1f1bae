"""Let many callers share a transaction, and with it the wait for the disk.

A thread takes everything that is waiting, runs it in one transaction, and answers the callers after
the commit. While it does, further calls collect for the next transaction.
"""

import asyncio
import logging
import threading
import time
from asyncio import AbstractEventLoop
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from preference_center.store.engine import Database, SilentError, UnavailableError
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

_GIVEN_UP = (asyncio.InvalidStateError, futures.InvalidStateError)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class CommitTimeoutError(UnavailableError):
    """A transaction was not committed in time. It may be committed later."""

    def __init__(self) -> None:
        super().__init__("the database does not answer in time")


class _Call(Generic[_Item, _Result]):
    """One item that is waiting for its result, which goes to a future of a thread or of a loop."""

    __slots__ = ("error", "future", "item", "loop", "result")

    def __init__(
        self,
        item: _Item,
        future: "Future[_Result] | asyncio.Future[_Result]",
        loop: AbstractEventLoop | None = None,
    ) -> None:
        self.item, self.future, self.loop = item, future, loop
        self.result: Any = None
        self.error: Exception | None = None

    def answer(self) -> None:
        """Pass the result or the error on, unless the caller has given up."""
        with suppress(*_GIVEN_UP):
            if self.error is not None:
                self.future.set_exception(self.error)
            else:
                self.future.set_result(self.result)


class GroupCommit(Generic[_Item, _Result]):
    """Runs items in shared transactions. `run` returns the result of each item, in their order.

    If a transaction fails, each of its items is run again in one of its own, so that only those
    that fail themselves raise an error. `observe` is called with the size of each batch and how
    many seconds it took.
    """

    def __init__(
        self,
        database: Database,
        run: Callable[[Session, Sequence[_Item]], Sequence[_Result]],
        observe: Callable[[int, float], object] | None = None,
    ) -> None:
        self._database, self._run, self._observe = database, run, observe
        self._waiting: SimpleQueue[_Call[_Item, _Result]] = SimpleQueue()
        self._start = threading.Lock()
        self._is_started = False
        self._began_at: float | None = None  # When the running transaction began.

    def submit(self, item: _Item, timeout: float | None = None) -> _Result:
        """Return the result of an item once its transaction is committed, or raise its error.

        Raise CommitTimeoutError after `timeout` seconds, or at once if the running transaction has
        taken longer than that: the database may be silent.
        """
        future: Future[_Result] = Future()
        self._put(_Call(item, future), timeout)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise CommitTimeoutError from None

    async def submit_async(self, item: _Item, timeout: float | None = None) -> _Result:
        """Do the same as `submit` in an event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()
        self._put(_Call(item, future, loop), timeout)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise CommitTimeoutError from None

    def _put(self, call: _Call[_Item, _Result], timeout: float | None) -> None:
        if not self._is_started:
            self._start_thread()
        began_at = self._began_at
        running = time.monotonic() - began_at if began_at is not None else 0
        if timeout is not None and running > timeout:
            raise CommitTimeoutError
        self._waiting.put(call)

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
            began_at = self._began_at = time.monotonic()
            batch = [call for call in calls if not call.future.done()]
            self._commit(batch)
            self._began_at = None
            _answer(calls)
            self._report(len(batch), time.monotonic() - began_at)

    def _report(self, count: int, seconds: float) -> None:
        try:
            if self._observe is not None:
                self._observe(count, seconds)
        except Exception as error:  # noqa: BLE001 (the thread must go on)
            log_unexpected(log, "observer of commits", error)

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
                    if not call.future.done():
                        self._commit([call])
                return
            for call in calls:
                call.error = error
            return
        for call, result in answered:
            call.result = result


def _answer(calls: Iterable[_Call[Any, Any]]) -> None:
    """Answer the callers; those of an event loop in that loop, and all of them at once."""
    by_loop: dict[AbstractEventLoop | None, list[_Call[Any, Any]]] = defaultdict(list)
    for call in calls:
        by_loop[call.loop].append(call)
    for loop, some in by_loop.items():
        if loop is None:
            _answer_each(some)
            continue
        with suppress(RuntimeError):  # The loop has ended.
            loop.call_soon_threadsafe(_answer_each, some)


def _answer_each(calls: Iterable[_Call[Any, Any]]) -> None:
    for call in calls:
        call.answer()
