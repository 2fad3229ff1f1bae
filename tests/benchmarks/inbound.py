"""Unsubscribes by email over LMTP, and lists of provider events; each of another subscriber."""

import smtplib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from urllib.request import Request, urlopen

from tests.benchmarks import databases, people
from tests.benchmarks.measure import medians, seconds_of, sized
from tests.benchmarks.options import Options
from tests.benchmarks.people import People
from tests.benchmarks.result import Result
from tests.benchmarks.serving import served
from tests.support import processes, webhooks

CONNECTIONS = 8
MIN_MESSAGES, MIN_EVENTS = 1000, 3000  # per second
SHORT_LIST, LONG_LIST = 1_000, 30_000
_FIRST_MESSAGES, _MAX_MESSAGES = 160, 8_000  # a run
_MAX_SECONDS = 900  # for one list


def run(options: Options) -> Iterator[Result]:
    for engine in options.engines:
        with databases.opened(engine) as url:
            messages = 2 * (options.rounds + 2) * _MAX_MESSAGES  # 2: to find out the rate
            count = messages + options.rounds * SHORT_LIST + LONG_LIST
            people.fill(url, count)
            numbers = People(count)
            yield from _lmtp(engine, url, numbers, options)
            yield from _events(engine, url, numbers, options)


def _lmtp(engine: str, url: str, numbers: People, options: Options) -> Iterator[Result]:
    port = processes.free_port()
    listen = ("lmtp", "--listen", f"127.0.0.1:{port}")
    with processes.running(databases.settings(url), *listen) as server:
        processes.wait_for(lambda: "Listening" in server.output, "lmtp does not start")

        def measure(connections: int) -> Callable[[], float]:
            deliver = partial(_deliver, url, port, numbers, connections)
            return sized(deliver, options.seconds, _FIRST_MESSAGES, most=_MAX_MESSAGES)

        eight, one = medians(options.rounds, measure(CONNECTIONS), measure(1))
    work = f"LMTP unsubscribes, {CONNECTIONS} connections, {engine}"
    yield Result(work, eight, "–", MIN_MESSAGES, 1.0)
    yield Result(work, eight, "one connection", one, 1.0)


def _deliver(url: str, port: int, numbers: People, connections: int, count: int) -> float:
    """Deliver unsubscribes over this many connections and return the rate per second."""
    before = _unsubscribed(url)
    recipients = list(map(people.mailto_address, numbers.take(count)))
    parts = [recipients[each::connections] for each in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        seconds = seconds_of(lambda: list(pool.map(partial(_send, port), parts)))
    _check(url, before + count)
    return count / seconds


def _send(port: int, recipients: Sequence[str]) -> None:
    with smtplib.LMTP("127.0.0.1", port) as client:
        for recipient in recipients:
            message = f"From: <reader@example.org>\nTo: <{recipient}>\n\n"
            client.sendmail("reader@example.org", [recipient], message)


def _events(engine: str, url: str, numbers: People, options: Options) -> Iterator[Result]:
    key = webhooks.SENDGRID_WEBHOOK_PUBLIC_KEY
    with served(url, options, SENDGRID_WEBHOOK_PUBLIC_KEY=key) as server:
        for size, rounds in ((SHORT_LIST, options.rounds), (min(LONG_LIST, options.size), 1)):
            (rate,) = medians(rounds, partial(_post, server.base_url, url, numbers, size))
            work = f"provider events, a list of {size:,}, {engine}"
            yield Result(work, rate, "–", MIN_EVENTS, 1.0)


def _post(base_url: str, url: str, numbers: People, size: int) -> float:
    """Post a list of unsubscribe events as SendGrid does, and return the rate per second."""
    now, before = datetime.now(UTC), _unsubscribed(url)
    events = [
        {
            "event": "unsubscribe",
            "email": people.address(number),
            "sg_event_id": str(number),
            "timestamp": int(now.timestamp()),
        }
        for number in numbers.take(size)
    ]
    signed = webhooks.sendgrid(*events, at=now)
    request = Request(f"{base_url}/hooks/sendgrid", signed.body, signed.headers)
    seconds = seconds_of(lambda: urlopen(request, timeout=_MAX_SECONDS).close())
    _check(url, before + size)
    return size / seconds


def _unsubscribed(url: str) -> int:
    """Return how many unsubscribes the ledger holds."""
    connection = databases.connect(url)
    (count,) = connection.execute(
        "SELECT count(*) FROM ledger WHERE event = 'unsubscribed'"
    ).fetchone()
    connection.close()
    return int(count)


def _check(url: str, expected: int) -> None:
    if (found := _unsubscribed(url)) != expected:
        raise RuntimeError(f"the ledger holds {found} unsubscribes, not {expected}")
