"""Workers that are killed while eight writers commit slowly: no event is skipped or repeated."""

import random
import time

import pytest

from tests.support import feed_load, make, supervised


def run_with_kills(url: str, seconds: float) -> None:
    """Let two workers number the feed, and kill one of them again and again."""
    environ = make.environment(
        DATABASE_URL=url, SMTP_URL="smtp://127.0.0.1:9", MAIL_FROM="letters@example.org"
    )
    end = time.monotonic() + seconds
    with (
        supervised.started(environ, "worker") as one,
        supervised.started(environ, "worker") as two,
        feed_load.running(url, max_pause=0.5) as load,
    ):
        while True:
            load.wait_for(20)
            random.choice([one, two]).kill()
            if time.monotonic() > end:
                break
    assert one.kills + two.kills
    load.assert_complete()


def test_a_reader_sees_each_event_once_though_a_worker_is_killed(url: str) -> None:
    run_with_kills(url, 0)


@pytest.mark.faults
def test_a_reader_sees_each_event_once_though_workers_are_killed(url: str, seconds: float) -> None:
    run_with_kills(url, seconds)
