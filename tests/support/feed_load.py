"""Eight writers with slow commits, and a reader that follows the feed by its cursor.

with feed_load.running(url, max_pause=0.1) as load:
    load.wait_for(100)
load.assert_complete()
"""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from uuid import UUID

from preference_center.core import feed
from preference_center.core.feed import FeedEvent
from tests.support import make, processes

WRITERS = 8
MAX_REST = 30.0  # seconds after the last commit


class Load:
    """What was committed, and what the reader has seen."""

    def __init__(self, url: str, max_pause: float) -> None:
        self.database = make.database(url, connections=WRITERS + 1)
        self.max_pause = max_pause
        self.committed: set[tuple[UUID, int]] = set()
        self.seen: list[FeedEvent] = []

    def write(self, stop: Event) -> None:
        """Record changes of subscribers of whom the writers share some. Commit each late."""
        while not stop.is_set():
            name = random.choice((f"shared-{random.randrange(5)}", str(random.random())))
            email, topic = f"{name}@example.org", f"topic-{random.randrange(20)}"
            with self.database.transaction() as session:
                made = make.unsubscribe(session, email, topic, at=datetime.now(UTC))
                time.sleep(random.uniform(0, self.max_pause))
            if made.changed:
                self.committed.add((make.id_of(email), made.first_seq))

    def read(self, stopped: Event) -> None:
        """Follow the feed until everything is seen that was committed by the end."""
        end = None
        while end is None or (len(self.seen) < len(self.committed) and time.monotonic() < end):
            after = self.seen[-1].position if self.seen else 0
            with self.database.reading() as session:
                found = feed.read(session, after, 100, make.NOW)
            self.seen += found
            if not found:
                time.sleep(0.02)
            if end is None and stopped.is_set():
                end = time.monotonic() + MAX_REST

    def wait_for(self, count: int) -> None:
        """Return once the reader has seen so many more events."""
        wanted = len(self.seen) + count
        processes.wait_for(lambda: len(self.seen) >= wanted, f"{wanted} events in the feed")

    def assert_complete(self) -> None:
        """Fail unless each change was seen once, and those of a subscriber in their order."""
        assert [each.position for each in self.seen] == [*range(1, len(self.seen) + 1)]
        keys = [(each.subscriber_id, each.seq) for each in self.seen]
        assert len(keys) == len(set(keys))
        assert set(keys) == self.committed
        of_each: dict[UUID, list[int]] = {}
        for subscriber_id, seq in keys:
            of_each.setdefault(subscriber_id, []).append(seq)
        assert all(numbers == sorted(numbers) for numbers in of_each.values())


@contextmanager
def running(url: str, max_pause: float) -> Iterator[Load]:
    """Yield the load while it writes; then let the reader read the rest."""
    load, stop, stopped = Load(url, max_pause), Event(), Event()
    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reader = pool.submit(load.read, stopped)
        writers = [pool.submit(load.write, stop) for _ in range(WRITERS)]
        try:
            yield load
        finally:
            stop.set()
            for each in writers:
                each.result()
            stopped.set()
            reader.result()
    load.database.close()
