"""A load of one-click unsubscribes, and a tally of them outside the application.

with one_clicks.posted_to(base_url, other_base_url) as running:
    running.wait_for(200, count=100)
    ...  # break something
running.assert_recorded(database_url)
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from tests.support import make, postgres, processes
from tests.support.site import link
from tests.support.wire import FORM, RFC, Wire, assert_unsubscribed, head, length, wire

CLIENTS = 4  # for each server
_TIMEOUT = 20.0  # seconds
_RECORDED = "SELECT subscriber_id, count(*) FROM ledger WHERE event = 'unsubscribed' GROUP BY 1"
_LEFT = "SELECT subscriber_id FROM subscriptions WHERE status = 'unsubscribed'"


class Load:
    """Clients that post for a new person each time, and note how each request was answered.

    `answers` has the status of each answer and the seconds it took, by the server's base URL. A
    request without an answer has the status 0.
    """

    def __init__(self) -> None:
        self.acknowledged: list[UUID] = []
        self.answers: dict[str, list[tuple[int, float]]] = {}
        self._ended = threading.Event()
        self._posted = 0
        self._lock = threading.Lock()

    def post_until_ended(self, base_url: str) -> None:
        connection: Wire | None = None
        while not self._ended.is_set():
            with self._lock:
                self._posted += 1
                email = f"reader-{self._posted}@load.example.org"
            start, status = time.monotonic(), 0
            try:
                connection = connection or Wire(base_url, _TIMEOUT)
                status = connection.request(head(link(email=email), FORM, length(RFC)), RFC).status
            except (OSError, AssertionError):  # no connection, or one that was closed
                if connection is not None:
                    connection.close()
                connection = None
            self.answers[base_url].append((status, time.monotonic() - start))
            if status == 200:
                self.acknowledged.append(make.id_of(email))
            else:
                self._ended.wait(0.05)
        if connection is not None:
            connection.close()

    def statuses(self, base_url: str | None = None) -> Counter[int]:
        """Return how often each status was answered, by one server or by all."""
        urls = [base_url] if base_url is not None else list(self.answers)
        return Counter(status for url in urls for status, _ in list(self.answers[url]))

    def slowest(self, base_url: str) -> float:
        """Return the longest time that a server took for an answer, in seconds."""
        return max(seconds for _, seconds in self.answers[base_url])

    def times(self, base_url: str) -> str:
        """Describe how long a server took for its answers."""
        found = sorted(seconds * 1000 for _, seconds in self.answers[base_url])
        median, late = found[len(found) // 2], found[len(found) * 99 // 100]
        return (
            f"{len(found)} answers, p50 {median:.0f} ms, p99 {late:.0f} ms, max {found[-1]:.0f} ms"
        )

    def wait_for(self, status: int, count: int, base_url: str | None = None) -> None:
        """Return once `count` more requests have been answered with `status`."""
        wanted = self.statuses(base_url)[status] + count
        processes.wait_for(
            lambda: self.statuses(base_url)[status] >= wanted, f"{count} answers {status}"
        )

    def end(self) -> None:
        self._ended.set()

    def assert_recorded(self, database_url: str) -> None:
        """Fail unless each acknowledged unsubscribe is in the database, and each only once."""
        recorded = {_id(each): count for each, count in postgres.query(database_url, _RECORDED)}
        assert [each for each in self.acknowledged if each not in recorded] == []
        assert set(recorded.values()) == {1}
        left = {_id(row[0]) for row in postgres.query(database_url, _LEFT)}
        assert set(self.acknowledged) - left == set()


def _id(value: UUID | str) -> UUID:
    """Return an id as PostgreSQL and SQLite return it."""
    return value if isinstance(value, UUID) else UUID(value)


def post_for(base_url: str, email: str) -> None:
    """Unsubscribe one person; fail unless that is acknowledged."""
    with wire(base_url) as connection:
        assert_unsubscribed(connection.request(head(link(email=email), FORM, length(RFC)), RFC))


@contextmanager
def posted_to(*base_urls: str) -> Iterator[Load]:
    """Yield a load on each of the servers. It ends with the block."""
    load = Load()
    load.answers = {url: [] for url in base_urls}
    threads = [
        threading.Thread(target=load.post_until_ended, args=(url,))
        for url in base_urls
        for _ in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.end()
        for thread in threads:
            thread.join()
