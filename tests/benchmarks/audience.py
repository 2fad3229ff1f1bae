"""`audience` and `audience --claim`, beside the same join in psql.

Half of the subscribers have a weekly cap and a claim from last week, so that all are allowed. psql
copies their ids into a temporary table, and the join of it with the preferences to a file.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.benchmarks import databases, people
from tests.benchmarks.measure import command, medians, seconds_of
from tests.benchmarks.options import POSTGRESQL, Options
from tests.benchmarks.result import Result

MAX_RATIO = 4
MIN_RATE = 20_000  # subscribers per second, on PostgreSQL
CAMPAIGN = "2026-48"
_JOIN = """
SELECT a.id, s.email, s.erased_at, p.status, p.frequency, p.paused_until,
    CASE WHEN p.frequency <> 'every' THEN (
        SELECT max(c.claimed_at) FROM claims AS c
        WHERE c.subscriber_id = a.id AND c.topic = '{topic}' AND c.campaign <> '{campaign}'
            AND c.released_at IS NULL
    ) END AS last_claim,
    everything.kind AS all_stop, address.kind AS address_stop
FROM asked AS a
LEFT JOIN subscribers AS s ON s.subscriber_id = a.id
LEFT JOIN subscriptions AS p ON p.subscriber_id = a.id AND p.topic = '{topic}'
LEFT JOIN suppressions AS everything
    ON everything.subscriber_id = a.id AND everything.kind = 'all'
LEFT JOIN suppressions AS address ON address.subscriber_id = a.id AND address.kind = 'address'
"""
# A claim of a week ago leaves room for another one under a weekly cap.
_CAP = """
UPDATE subscriptions SET frequency = 'weekly' WHERE subscriber_id {below};
INSERT INTO claims (subscriber_id, topic, campaign, claimed_at)
SELECT subscriber_id, topic, '2026-47', '{since}' FROM subscriptions WHERE frequency = 'weekly';
"""
_HALF = {True: "< '80000000-0000-0000-0000-000000000000'", False: "< '8'"}


def run(options: Options) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="preference-center-") as name:
        folder = Path(name)
        people.write_addresses(folder / "people.csv", options.size)
        for engine in options.engines:
            with databases.opened(engine) as url:
                people.fill(url, options.size)
                _cap_half(url)
                yield from _beside(engine, url, folder, options)


def _cap_half(url: str) -> None:
    connection = databases.connect(url)
    below = _HALF[databases.is_postgresql(url)]
    for statement in _CAP.format(below=below, since=people.SINCE).split(";")[:-1]:
        connection.execute(statement)
    connection.close()
    databases.settle(url)


def _beside(engine: str, url: str, folder: Path, options: Options) -> Iterator[Result]:
    measures = {
        "audience": partial(_audience, url, folder, options.size),
        "audience --claim": partial(_audience, url, folder, options.size, "--claim"),
    }
    if engine != POSTGRESQL:
        ...
