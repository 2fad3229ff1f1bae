"""SIGKILL of web processes, of the whole server and of PostgreSQL, under load, with a spool."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.faults.conftest import wait_for_replay, wait_until_registered
from tests.support import audience_checks, make, one_clicks, postgres, processes, supervised
from tests.support.audience_checks import Checks
from tests.support.one_clicks import Load
from tests.support.supervised import Supervised

VICTIMS = ["process", "server", "database"]


class Site:
    """A server that is started again when it is killed, its database, and a load."""

    def __init__(self, instance: postgres.Instance, base_url: str, server: Supervised) -> None:
        self.instance, self.base_url, self.server = instance, base_url, server
        self.load, self.checks = Load(), list[Checks]()

    def kill(self, victim: str) -> None:
        kills: dict[str, Callable[[], None]] = {
            "process": self.server.kill_child,
            "server": self.server.kill,
            "database": self._kill_database,
        }
        kills[victim]()

    def _kill_database(self) -> None:
        self.instance.kill()
        time.sleep(random.uniform(0, 2))
        self.instance.start()

    def run(self, during: Callable[[], None]) -> None:
        """Load the server while `during` runs, and then until it has answered for a while."""
        url = self.instance.url
        with (
            one_clicks.posted_to(self.base_url) as self.load,
            audience_checks.running(url, self.load.acknowledged) as checks,
        ):
            self.load.wait_for(200, 50)
            during()
            self.load.wait_for(200, 50)
        self.checks.append(checks)

    def assert_nothing_lost(self) -> None:
        """Fail unless each acknowledged unsubscribe is recorded once, and no check missed one."""
        url = self.instance.url
        wait_for_replay(url)
        self.load.assert_recorded(url)
        with audience_checks.running(url, self.load.acknowledged) as last:
            processes.wait_for(lambda: last.answered, "a last audience check")
        assert {each for checks in (*self.checks, last) for each in checks.wrong} == set()


@pytest.fixture
def site(instance: postgres.Instance, spool: Path) -> Iterator[Site]:
    port = processes.free_port()
    base_url = f"http://127.0.0.1:{port}"
    settings = make.environment(DATABASE_URL=instance.url, SPOOL_DIR=str(spool))
    command = ("serve", "--port", str(port), "--processes", "2")
    with ExitStack() as stack:
        server = stack.enter_context(supervised.started(settings, *command))
        processes.wait_until_answering(server.running, f"{base_url}/healthz")
        site = Site(instance, base_url, server)
        wait_until_registered(instance.url, 2)
        yield site


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_kill_loses_nothing(site: Site, victim: str) -> None:
    site.run(lambda: site.kill(victim))
    site.assert_nothing_lost()


@pytest.mark.faults
def test_kills_at_random_moments_lose_nothing(site: Site, seconds: float) -> None:
    def kill_at_random() -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(random.uniform(0, 4))
            site.kill(random.choice(VICTIMS))

    site.run(kill_at_random)
    site.assert_nothing_lost()
