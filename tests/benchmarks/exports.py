"""`export preferences`, `export ledger` and `verify-ledger`.

An export is measured beside the same rows copied to a file: by `COPY` in psql or, for SQLite, by
`csv.writer`. The verification is measured beside two HMACs a row. Each subscriber has one
subscription and one ledger row; every third has unsubscribed. Starting a command takes as long as
many thousand rows, so compare large sizes.
"""

import csv
import hashlib
import hmac
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from preference_center.store import seals
from tests.benchmarks import databases, people
from tests.benchmarks.measure import command, medians, seconds_of
from tests.benchmarks.options import POSTGRESQL, Options
from tests.benchmarks.result import Result
from tests.support import make

MAX_RATIO = 2
MIN_SHARE_OF_HMACS = 0.3
SEALED = bytes(400)  # about as long as the text of a row
WORDING = "Yes, email me the weekly news."
SINCE = datetime(2026, 1, 5, 12, tzinfo=UTC)
BATCH_SIZE = 10_000

_COLUMNS = {
    "subscribers": "subscriber_id, email, locale, created_at, seq, head",
    "subscriptions": (
        "subscriber_id, topic, status, frequency, changed_at, source, basis, acquired_from,"
        " consent_at, consent_source, consent_wording, updated_at"
    ),
    "ledger": (
        "subscriber_id, seq, event, scope, topic, source, campaign, occurred_at, recorded_at,"
        " wording, digest, hash"
    ),
    "ledger_details": "subscriber_id, seq, salt, before, after",
}
_SELECTS = {
    "preferences": """
SELECT s.email, p.subscriber_id, p.topic,
    CASE WHEN a.source = 'bounce' THEN 'bounced' WHEN e.source = 'complaint' THEN 'complained'
        WHEN a.kind IS NOT NULL OR e.kind IS NOT NULL THEN 'unsubscribed' ELSE p.status END,
    p.frequency, p.paused_until, s.locale, p.consent_at, p.consent_source, w.text, p.basis,
    p.acquired_from, coalesce(a.since, e.since, p.changed_at),
    coalesce(a.source, e.source, p.source), CASE WHEN s.explicit_from IS NOT NULL THEN 'no' END
FROM subscriptions AS p
JOIN subscribers AS s ON s.subscriber_id = p.subscriber_id
LEFT JOIN wordings AS w ON w.digest = p.consent_wording
LEFT JOIN suppressions AS e ON e.subscriber_id = s.subscriber_id AND e.kind = 'all'
LEFT JOIN suppressions AS a ON a.subscriber_id = s.subscriber_id AND a.kind = 'address'
WHERE s.erased_at IS NULL
ORDER BY p.subscriber_id, p.topic
""",
    "ledger": """
SELECT l.subscriber_id, l.seq, l.event, l.scope, l.topic, l.source, l.campaign, l.occurred_at,
    l.recorded_at, w.text, d.after, l.hash
FROM ledger AS l
LEFT JOIN ledger_details AS d ON d.subscriber_id = l.subscriber_id AND d.seq = l.seq
LEFT JOIN wordings AS w ON w.digest = l.wording
ORDER BY l.subscriber_id, l.seq
""",
}


def run(options: Options) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="preference-center-") as name:
        for engine in options.engines:
            with databases.opened(engine) as url:
                _fill(url, options.size)
                for what in _SELECTS:
                    yield _export(engine, url, Path(name), what, options)
                yield _verification(engine, url, options)


def _export(engine: str, url: str, folder: Path, what: str, options: Options) -> Result:
    target, peer_target = folder / f"{what}.csv", folder / "peer.csv"
    copy = _copy_in_psql if engine == POSTGRESQL else _copy_in_python
    arguments = ("export", what, "-o", str(target))
    took, limit = medians(
        options.rounds,
        lambda: seconds_of(lambda: command(databases.settings(url), *arguments)),
        lambda: seconds_of(lambda: copy(url, _SELECTS[what], peer_target)),
    )
    with target.open(encoding="utf-8", newline="") as file:
        if (count := sum(1 for _ in file) - 1) != options.size:
            raise RuntimeError(f"{count} of {options.size} rows were exported")
    work = f"export {what} of {options.size:,} rows, {engine}"
    beside = "COPY TO STDOUT" if engine == POSTGRESQL else "csv.writer"
    return Result(work, took, beside, limit, MAX_RATIO, at_least=False, unit="s")


def _verification(engine: str, url: str, options: Options) -> Result:
    took, limit = medians(
        options.rounds,
        lambda: seconds_of(lambda: command(databases.settings(url), "verify-ledger")),
        lambda: seconds_of(lambda: _hmacs(2 * options.size)),
    )
    work = f"verify-ledger of {options.size:,} rows, {engine}"
    rate, of_hmacs = options.size / took, options.size / limit
    return Result(work, rate, "two HMACs a row", of_hmacs, MIN_SHARE_OF_HMACS)


def _hmacs(count: int) -> None:
    key = make.SERVER_KEY.encode()
    for _ in range(count):
        hmac.digest(key, SEALED, "sha256")


def _copy_in_psql(url: str, select: str, target: Path) -> None:
    psql = ["psql", "-q", "-X", "-c", f"COPY ({select}) TO STDOUT", databases.libpq_url(url)]
    with target.open("wb") as file:
        subprocess.run(psql, stdout=file, check=True)


def _copy_in_python(url: str, select: str, target: Path) -> None:
    connection = databases.connect(url)
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(connection.execute(select))
    connection.close()


def _fill(url: str, count: int) -> None:
    """Add subscribers, each with a subscription and a sealed ledger row."""
    wording = (hashlib.sha256(WORDING.encode()).digest(), WORDING)
    rows = map(partial(_person, wording[0]), range(count))
    connection = databases.connect(url)
    if not databases.is_postgresql(url):
        connection.execute("BEGIN")
    _insert(connection, "wordings", "digest, text", [wording])
    while batch := list(islice(rows, BATCH_SIZE)):
        for (table, columns), values in zip(
            _COLUMNS.items(), zip(*batch, strict=True), strict=True
        ):
            _insert(connection, table, columns, values)
    if not databases.is_postgresql(url):
        connection.execute("COMMIT")
    connection.close()
    databases.settle(url)


def _insert(connection: Any, table: str, columns: str, rows: Any) -> None:
    if hasattr(connection, "pgconn"):
        with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(columns.split(",")))
    values = (tuple(map(_for_sqlite, row)) for row in rows)
    connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value


def _person(wording: bytes, number: int) -> tuple[tuple[Any, ...], ...]:
    """Return a subscriber's row of each table, in the order of `_COLUMNS`."""
    key, topic = people.subscriber_id(number), databases.TOPIC
    at = SINCE + timedelta(seconds=number, microseconds=number % 7)
    left = number % 3 == 0
    status, source = ("unsubscribed", "one-click") if left else ("subscribed", "import")
    campaign, agreed = (people.CAMPAIGN, None) if left else (None, wording)
    state = {
        "status": status,
        "frequency": "every",
        "paused_until": None,
        "changed_at": at.isoformat(),
        "source": source,
        "basis": "consent",
        "acquired_from": "the form in the shop",
        "consent_at": at.isoformat(),
        "consent_source": "web form",
        "consent_wording": wording.hex(),
    }
    salt = number.to_bytes(16)
    before = seals.canonical_json({f"topic:{topic}": None})
    after = seals.canonical_json({f"topic:{topic}": state})
    digest = seals.digest(salt, topic, campaign, agreed, before, after)
    server_key = make.SERVER_KEY.encode()
    row = (key, 1, status, "topic", source, at, at, digest)
    head = seals.seal(server_key, seals.FIRST_HEAD, *row)
    consent = ("consent", "the form in the shop", at, "web form", wording)
    return (
        (key, people.address(number), "en", at, 1, head),
        (key, topic, status, "every", at, source, *consent, at),
        (key, 1, status, "topic", topic, source, campaign, at, at, agreed, digest, head),
        (key, 1, salt, before, after),
    )
