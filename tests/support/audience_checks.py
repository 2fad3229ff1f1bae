"""Audience checks that run all the time, and a tally of those that were wrong.

    with audience_checks.running(database_url, load.acknowledged) as checks:
        ...  # break something
    assert checks.wrong == set()

A check is wrong if it allows an email to a subscriber whose unsubscribe was acknowledged before it
began. The topic must be `opt_out`, so that it would allow one otherwise.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from preference_center.core import audience, processes
from preference_center.store import Database, UnavailableError
from preference_center.util.clock import utc_now
from tests.support import make

TOPIC = "weekly-news"
_SIZE = 300  # subscribers


class Checks:
    """The checks so far: how many were answered and refused, and who was allowed wrongly."""

    def __init__(self, database: Database, acknowledged: Sequence[UUID]) -> None:
        self.answered = self.refused = 0
        self.wrong: set[UUID] = set()
        self._database, self._acknowledged = database, acknowledged
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self.check()

    def check(self) -> None:
        """Ask about the subscribers who were the last to leave, and about some others."""
        before = list(self._acknowledged)
        asked = {*before[-_SIZE:], *random.sample(before, min(_SIZE, len(before)))}
        try:
            processes.wait_until_empty(self._database)
            verdicts = audience.ask(self._database, TOPIC, "c", dict.fromkeys(asked, ""), utc_now)
        except UnavailableError:
            self.refused += 1
            return
        self.answered += 1
        self.wrong |= {each for each in asked if verdicts[each].allows}

    def end(self) -> None:
        self._ended.set()


@contextmanager
def running(database_url: str, acknowledged: Sequence[UUID]) -> Iterator[Checks]:
    """Yield checks that run until the block ends."""
    database = make.database(database_url)
    checks = Checks(database, acknowledged)
    thread = threading.Thread(target=checks.run)
    thread.start()
    try:
        yield checks
    finally:
        checks.end()
        thread.join()
        database.close()
