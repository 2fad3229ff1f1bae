"""Two machines and one PostgreSQL; one is cut off again and again, and spools.

No audience check on the other may allow an email to a subscriber whose unsubscribe was acknowledged
before the check began.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from uuid import UUID

import pytest

from preference_center.core import audience, processes
from preference_center.inbound.spool_service import SpoolService
from preference_center.store import Database
from preference_center.util.clock import utc_now
from tests.support import make, postgres, proxy
from tests.support.processes import wait_for

SUBSCRIBERS = [f"{number}@example.org" for number in range(200)]
BURSTS = 8
MAX_WAIT = 1  # second, so that some checks are refused and some succeed


@pytest.fixture
def url(own_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an empty database, with short deadlines for machines that are cut off."""
    monkeypatch.setattr("preference_center.store.engine._STATEMENT_SECONDS", 0.3)
    monkeypatch.setattr("preference_center.store.engine._GRACE_SECONDS", 0.1)
    monkeypatch.setattr("preference_center.store.postgres.CONNECT_SECONDS", 2)
    postgres.forget_subscribers(own_postgres_url, "serving_processes")
    return own_postgres_url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Yield the connection of the machine that is never cut off."""
    database = make.database(url, long_statements=True)
    with database.transaction() as session:
        for email in SUBSCRIBERS:
            make.subscriber(session, email)
    yield database
    database.close()


class Checks:
    """Audience checks, and what was acknowledged before each of them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.acknowledged: set[UUID] = set()
        self.refused = self.answered = 0
        self.wrong: set[UUID] = set()
        self.last_denied = 0

    def check(self) -> None:
        before = set(self.acknowledged)
        people = {make.id_of(email): email for email in SUBSCRIBERS}
        try:
            processes.wait_until_empty(self.database, timeout=MAX_WAIT)
        except processes.UnsubscribesWaitingError:
            self.refused += 1
            return
        verdicts = audience.ask(self.database, "weekly-news", "c", people, utc_now)
        self.answered += 1
        self.wrong |= {each for each in before if verdicts[each].allows}
        self.last_denied = sum(not each.allows for each in verdicts.values())


def spool_all(service: SpoolService, checks: Checks, between: proxy.Proxy) -> None:
    """Spool every unsubscribe in bursts, and cut the machine off during every other one."""
    chance = random.Random()
    for burst in range(BURSTS):
        is_cut_off = burst % 2 == 0
        with between.silent() if is_cut_off else nullcontext():
            for email in SUBSCRIBERS[burst::BURSTS]:
                entry = make.spooled(email, acknowledged_at=utc_now())
                service.write([entry])
                checks.acknowledged.add(entry.subscriber_id)
            time.sleep(chance.uniform(0, 2.5) if is_cut_off else chance.uniform(1, 4))


def test_no_check_misses_an_unsubscribe_that_waits_on_another_machine(
    url: str, database: Database, tmp_path: Path
) -> None:
    checks = Checks(database)
    with proxy.in_front_of(url) as (proxied_url, between):
        cut_off = make.database(proxied_url)
        service = SpoolService(cut_off, tmp_path, utc_now)
        service.start()
        wait_for(lambda: service.state().accepts, "a registration")
        spooling = threading.Thread(target=spool_all, args=(service, checks, between))
        spooling.start()
        while spooling.is_alive():
            checks.check()
        wait_for(lambda: service.state().rows == 0, "a replay")
        checks.check()
        service.stop()
        cut_off.close()
    assert checks.wrong == set()
    assert checks.answered > 1
    assert checks.refused > 0
    assert checks.last_denied == len(SUBSCRIBERS)
    with database.reading() as session:
        assert processes.list_all(session) == []
