"""How fast a mailing claims its mails, beside asking alone.

    python -m tests.benchmarks.claims [--postgres] [--people N]

`audience` and then `audience --claim` for the same people, half of them with a cap and with claims
of last week to look at; the second campaign asks while the first one's claims stand.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from preference_center.core import audience, consent, subscribers, subscriptions, topics
from preference_center.core.change import ChangeContext
from preference_center.core.vocab import Frequency, Source, Status
from preference_center.data.campaign_csv import BATCH_SIZE, CampaignFile
from preference_center.data.tabular import Row
from preference_center.store import Database
from preference_center.store.upgrade import upgrade
from tests.support import make, postgres


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="else SQLite")
    parser.add_argument("--people", type=int, default=20_000)
    chosen = parser.parse_args()
    emails = [f"reader{number}@example.org" for number in range(chosen.people)]
    with ExitStack() as stack:
        if chosen.postgres:
            url = stack.enter_context(postgres.server(durable=True))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{Path(folder) / 'bench.db'}"
        database = make.database(url, long_statements=True)
        stack.callback(database.close)
        upgrade(database)
        _fill(database, emails)
        for name, campaign, claim in (
            ("ask", "second", False),
            ("claim", "second", True),
            ("claim again", "second", True),
            ("claim, capped", "third", True),
        ):
            _report(name, database, emails, campaign, claim=claim)


def _fill(database: Database, emails: list[str]) -> None:
    last_week = make.NOW - timedelta(days=7)
    people = {make.person(email): email for email in emails}
    with database.transaction() as session:
        topic = make.topic(session)
        ids = list(people)
        for start in range(0, len(ids), BATCH_SIZE):
            some = ids[start : start + BATCH_SIZE]
            subscribers.upsert_addresses(session, {each: people[each] for each in some}, last_week)
            for number, person in enumerate(
                subscribers.lock_all(session, some, last_week).values()
            ):
                context = ChangeContext(Source.IMPORT, last_week, last_week)
                subscription = consent.new_subscription(
                    person, topic.slug, Status.SUBSCRIBED, context
                )
                consent.record_subscription(session, person, subscription, context)
                if number % 2:
                    subscriptions.set_frequency(
                        session, person, topic, Frequency.WEEKLY, make.context()
                    )
            session.flush()
            audience.claim(session, topics.get(session, topic.slug), "first", some, last_week)
            session.flush()
            session.expunge_all()


def _report(
    name: str, database: Database, emails: list[str], campaign: str, *, claim: bool
) -> None:
    mailing = CampaignFile(make.minter(), "weekly-news", campaign, make.NOW.date())
    rows = (Row(number, {"email": email}) for number, email in enumerate(emails))
    begin = time.perf_counter()
    answers = mailing.verdicts(rows, database, lambda: make.NOW, claim=claim)
    counts = Counter(answer["verdict"] for answer in answers if isinstance(answer, dict))
    rate = len(emails) / (time.perf_counter() - begin)
    sys.stdout.write(f"{name:14} {rate:8.0f} people/s   {dict(counts)}\n")


if __name__ == "__main__":
    main()
