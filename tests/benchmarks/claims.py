"""Measure how fast `audience --claim` is, compared with `audience`.

    python -m tests.benchmarks.claims [--postgres] [--people N]

Both run for the same people. Half of them have a weekly cap and a claim from last week. The second
campaign is checked while the claims of the first are on record.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from datetime import timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import audience, consent, subscribers, subscriptions, topics
from preference_center.core.change import ChangeContext
from preference_center.core.vocab import Frequency, Source, Status
from preference_center.data.campaign_csv import BATCH_SIZE, CampaignFile
from preference_center.data.tabular import Row
from preference_center.store import Database
from preference_center.store.upgrade import upgrade
from tests.support import make, postgres

TOPIC = "weekly-news"
LAST_WEEK = make.NOW - timedelta(days=7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="use PostgreSQL, not SQLite")
    parser.add_argument("--people", type=int, default=20_000)
    options = parser.parse_args()
    emails = [f"reader{number}@example.org" for number in range(options.people)]
    with ExitStack() as stack:
        if options.postgres:
            url = stack.enter_context(postgres.server(durable=True))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{Path(folder) / 'bench.db'}"
        database = make.database(url, long_statements=True)
        stack.callback(database.close)
        upgrade(database)
        fill(database, emails)
        for name, campaign, claim in (
            ("check", "second", False),
            ("claim", "second", True),
            ("repeated claim", "second", True),
            ("claim, capped", "third", True),
        ):
            report(name, database, emails, campaign, claim=claim)


def fill(database: Database, emails: Collection[str]) -> None:
    """Add the topic, the people and the claims of the first campaign."""
    remaining = iter(emails)
    with database.transaction() as session:
        make.topic(session, TOPIC)
        while batch := list(islice(remaining, BATCH_SIZE)):
            fill_batch(session, {make.id_of(email): email for email in batch})
            session.flush()
            session.expunge_all()


def fill_batch(session: Session, people: dict[UUID, str]) -> None:
    topic = topics.get(session, TOPIC)
    subscribers.upsert_addresses(session, people, LAST_WEEK)
    context = ChangeContext(Source.IMPORT, LAST_WEEK, LAST_WEEK)
    locked = subscribers.lock_all(session, people, LAST_WEEK).values()
    for number, subscriber in enumerate(locked):
        subscription = consent.new_subscription(subscriber, TOPIC, Status.SUBSCRIBED, context)
        consent.record_subscription(session, subscriber, subscription, context)
        if number % 2:
            frequency, page = Frequency.WEEKLY, make.context()
            subscriptions.set_frequency(session, subscriber, topic, frequency, page)
    session.flush()
    audience.claim(session, topic, "first", people, LAST_WEEK)


def report(
    name: str, database: Database, emails: Collection[str], campaign: str, *, claim: bool
) -> None:
    """Print the rate of one audience check, and its verdicts."""
    file = CampaignFile(make.minter(), TOPIC, campaign, make.NOW.date())
    rows = (Row(number, {"email": email}) for number, email in enumerate(emails))
    start = time.perf_counter()
    verdicts = file.verdicts(rows, database, lambda: make.NOW, claim=claim)
    counts = Counter(each["verdict"] for each in verdicts if isinstance(each, dict))
    rate = len(emails) / (time.perf_counter() - start)
    sys.stdout.write(f"{name:14} {rate:8.0f} people/s   {dict(counts)}\n")


if __name__ == "__main__":
    main()
