"""`audience` and `audience --claim`, beside the same join in psql or, for SQLite, in Python.

Half of the subscribers have a weekly cap and an old claim, so every subscriber is allowed. The peer
copies their ids into a temporary table, and the join of it with the preferences to a file.
"""

import csv
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
# The ids are practically random, so half of them are below the middle.
_CAP = """
UPDATE subscriptions SET frequency = 'weekly' WHERE subscriber_id < '{middle}';
INSERT INTO claims (subscriber_id, topic, campaign, claimed_at, received)
SELECT subscriber_id, topic, '2026-01', '{since}', 1 FROM subscriptions WHERE frequency = 'weekly';
"""
_MIDDLE = {True: "80000000-0000-0000-0000-000000000000", False: "8"}


def run(options: Options) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="preference-center-") as name:
        folder = Path(name)
        people.write_addresses(folder / "people.csv", options.size)
        people.write_ids(folder / "ids.txt", options.size)
        for engine in options.engines:
            with databases.opened(engine) as url:
                people.fill(url, options.size)
                _cap_half(url)
                yield from _beside(engine, url, folder, options)


def _cap_half(url: str) -> None:
    middle = _MIDDLE[databases.is_postgresql(url)]
    databases.execute(url, *_CAP.format(middle=middle, since=people.SINCE).split(";")[:-1])
    databases.settle(url)


def _beside(engine: str, url: str, folder: Path, options: Options) -> Iterator[Result]:
    join = _join_in_psql if engine == POSTGRESQL else _join_in_python
    check = partial(_audience, url, folder, options.size)
    measures = check, partial(check, "--claim"), lambda: seconds_of(lambda: join(url, folder))
    *took, limit = medians(options.rounds, *measures)
    beside = "the join in psql" if engine == POSTGRESQL else "the join in Python"
    for name, seconds in zip(("audience", "audience --claim"), took, strict=True):
        work = f"{name} of {options.size:,}, {engine}"
        yield Result(work, seconds, beside, limit, MAX_RATIO, at_least=False, unit="s")
        if engine == POSTGRESQL:
            yield Result(work, options.size / seconds, "–", MIN_RATE, 1.0)


def _audience(url: str, folder: Path, size: int, *claim: str) -> float:
    """Return how long one check takes; every subscriber must be allowed."""
    databases.execute(url, f"DELETE FROM claims WHERE campaign = '{CAMPAIGN}'")
    arguments = ("audience", "--topic", databases.TOPIC, "--campaign", CAMPAIGN, *claim)
    source, target = folder / "people.csv", folder / "verdicts.csv"
    settings = databases.settings(url)
    seconds = seconds_of(lambda: command(settings, *arguments, stdin=source, stdout=target))
    with target.open(encoding="utf-8", newline="") as file:
        allowed = sum(row["verdict"] == "allow" for row in csv.DictReader(file))
    if allowed != size:
        raise RuntimeError(f"{allowed} of {size} subscribers are allowed")
    return seconds


def _join_in_psql(url: str, folder: Path) -> None:
    join = _JOIN.format(topic=databases.TOPIC, campaign=CAMPAIGN)
    commands = (
        "CREATE TEMPORARY TABLE asked (id uuid PRIMARY KEY)",
        rf"\copy asked FROM '{folder / 'ids.txt'}'",
        "ANALYZE asked",
        f"COPY ({join}) TO STDOUT (FORMAT csv)",
    )
    psql = ["psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", databases.libpq_url(url)]
    with (folder / "joined.csv").open("wb") as target:
        words = [word for each in commands for word in ("-c", each)]
        subprocess.run([*psql, *words], stdout=target, check=True)


def _join_in_python(url: str, folder: Path) -> None:
    connection = databases.connect(url)
    connection.execute("CREATE TEMPORARY TABLE asked (id CHAR(32) PRIMARY KEY)")
    connection.execute("BEGIN")
    with (folder / "ids.txt").open(encoding="ascii") as ids:
        rows = ((line.strip().replace("-", ""),) for line in ids)
        connection.executemany("INSERT INTO asked VALUES (?)", rows)
    found = connection.execute(_JOIN.format(topic=databases.TOPIC, campaign=CAMPAIGN))
    with (folder / "joined.csv").open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows(found)
    connection.execute("COMMIT")
    connection.close()
