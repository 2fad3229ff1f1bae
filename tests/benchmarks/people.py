"""Fill a database with subscribers, and mint their links, without the product's commands.

The rows are those of an import, except that the ledger is empty: `seq` is 0 and `head` is 32 zero
bytes.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import UUID

from preference_center.links.addresses import fingerprint
from preference_center.links.mail_tokens import write_mailto
from preference_center.links.minter import Link, write_link
from tests.benchmarks.databases import INBOUND_DOMAIN, TOPIC, connect, is_postgresql, settle
from tests.support import make

SINCE = "2026-01-05 12:00:00.000000"  # UTC, as SQLite's tables store it
CAMPAIGN = "2026-47"
_COLUMNS = "subscriber_id, email, created_at, seq, head"
_SUBSCRIBE = f"""
INSERT INTO subscriptions (subscriber_id, topic, status, frequency, changed_at, source, basis,
    acquired_from, consent_source, updated_at)
SELECT subscriber_id, '{TOPIC}', 'subscribed', 'every', created_at, 'import', '', '', '', created_at
FROM subscribers
"""


def address(number: int) -> str:
    """Return the address of a subscriber by number."""
    return f"reader{number}@example.org"


def subscriber_id(number: int) -> UUID:
    """Return the id of a subscriber by number."""
    return fingerprint(address(number), make.IDENTITY_KEY)


def fill(url: str, count: int) -> None:
    """Add `count` subscribers with addresses, subscribed to the topic, to an empty database."""
    connection = connect(url)
    if is_postgresql(url):
        with connection.cursor().copy(f"COPY subscribers ({_COLUMNS}) FROM STDIN") as copy:
            for number in range(count):
                copy.write_row(_subscriber(number, subscriber_id(number)))
        connection.execute(_SUBSCRIBE)
    else:
        connection.execute("BEGIN")
        rows = (_subscriber(each, subscriber_id(each).hex) for each in range(count))
        connection.executemany(f"INSERT INTO subscribers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute(_SUBSCRIBE)
        connection.execute("COMMIT")
    connection.close()
    settle(url)


def _subscriber(number: int, key: Any) -> tuple[Any, ...]:
    return key, address(number), SINCE, 0, bytes(32)


def write_addresses(path: Path, count: int) -> None:
    """Write a CSV file with the column `email`."""
    with path.open("w", encoding="ascii") as file:
        file.writelines(chain(["email\n"], (f"{address(each)}\n" for each in range(count))))


def write_ids(path: Path, count: int) -> None:
    """Write the subscriber ids to a file, one a line."""
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{subscriber_id(each)}\n" for each in range(count))


def one_click_path(number: int) -> str:
    """Return the path of a subscriber's unsubscribe link."""
    link = Link(datetime.now(UTC).date(), subscriber_id(number), TOPIC, CAMPAIGN)
    return f"/u/{write_link('unsubscribe', link, [make.LINK_KEY])}"


def mailto_address(number: int) -> str:
    """Return the address that a subscriber's mailto unsubscribe is sent to."""
    local_part = write_mailto(subscriber_id(number), TOPIC, [make.LINK_KEY])
    return f"{local_part}@{INBOUND_DOMAIN}"


class People:
    """The numbers of the subscribers on record, each handed out once."""

    def __init__(self, count: int, spare: int = 0) -> None:
        """`spare` subscribers at the end are not handed out."""
        self._numbers = iter(range(count - spare))

    def take(self, count: int) -> list[int]:
        """Return the next numbers. Raise RuntimeError if there are not enough."""
        taken = list(islice(self._numbers, count))
        if len(taken) < count:
            raise RuntimeError("every subscriber has unsubscribed: give more --people")
        return taken


def paths(numbers: Iterable[int]) -> list[str]:
    """Return the paths of the unsubscribe links of subscribers."""
    return [one_click_path(number) for number in numbers]
