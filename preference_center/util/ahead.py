"""Compute the next item of an iterator while the current one is used."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class _End:
    """The end of the items: an error, or None if there are no more."""

    error: BaseException | None = None


def ahead(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield items that another thread computes, one item ahead.

    It pays if one side waits for the database meanwhile. The thread ends with the items, with the
    generator, or with the process.
    """
    ready: Queue[_Item | _End] = Queue(maxsize=1)
    closed = Event()

    def work() -> None:
        try:
            for item in items:
                ready.put(item)
                if closed.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 (raised where the items are used)
            ready.put(_End(error))
        else:
            ready.put(_End())

    Thread(target=work, daemon=True).start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        closed.set()
        with suppress(Empty):
            ready.get_nowait()  # The thread may wait for room.
