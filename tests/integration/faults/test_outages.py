"""`serve` with a spool, under load, while PostgreSQL refuses connections or does not answer.

`--log-cli-level=INFO` shows how long the answers took.
"""

import logging
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.integration.faults.conftest import REGISTERED, wait_for_replay, wait_until_registered
from tests.support import audience_checks, make, one_clicks, postgres, processes

log = logging.getLogger(__name__)

OUTAGES = [
    pytest.param(postgres.refusing, 3, id="refused"),
    pytest.param(postgres.stopped, 8, id="silent"),
    pytest.param(postgres.refusing, 60, id="refused for a minute", marks=pytest.mark.faults),
    pytest.param(postgres.stopped, 60, id="silent for a minute", marks=pytest.mark.faults),
]


@pytest.mark.parametrize(("outage", "seconds"), OUTAGES)
def test_each_unsubscribe_is_answered_and_recorded_once(
    url: str, spool: Path, outage: Any, seconds: float
) -> None:
    settings = make.environment(DATABASE_URL=url, SPOOL_DIR=str(spool))
    with processes.serving_process(settings, None, "--processes", "2") as (base_url, server):
        wait_until_registered(url, 2)
        with (
            one_clicks.posted_to(base_url) as load,
            audience_checks.running(url, load.acknowledged) as checks,
        ):
            load.wait_for(200, 50)
            processes.wait_for(lambda: checks.answered, "an audience check")
            assert_degraded_during(outage(url), base_url, seconds)
            load.wait_for(200, 50)
        log.info("%s", load.times(base_url))
        wait_for_replay(url)
        assert load.statuses() == {200: len(load.acknowledged)}
        load.assert_recorded(url)
        with audience_checks.running(url, load.acknowledged) as last:
            processes.wait_for(lambda: last.answered, "a last audience check")
        assert checks.wrong | last.wrong == set()
        assert server.stop() == 0
    assert postgres.query(url, REGISTERED) == []
    assert [path.name for path in spool.iterdir()] == ["folder.lock"]


def assert_degraded_during(
    outage: AbstractContextManager[None], base_url: str, seconds: float
) -> None:
    """Fail unless a load balancer would keep the server after the first moments."""
    with outage:
        end = time.monotonic() + seconds
        time.sleep(2.5)
        while time.monotonic() < end:
            with urlopen(f"{base_url}/readyz", timeout=5) as answer:
                assert answer.read() == b"degraded\n"
            time.sleep(0.5)
