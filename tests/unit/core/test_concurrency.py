"""Concurrency: no lost unsubscribe, no forked chain, one pending email, no deadlock."""

import io
import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from preference_center.core import domain_hold, erasure, subscribers, verification
from preference_center.core.state import Subscriber
from preference_center.core.vocab import ImportStatus, Source
from preference_center.data.import_records import Rules
from preference_center.data.imports import Import
from preference_center.data.replay import Replay
from preference_center.data.tabular import RefusedRow, read_csv, read_json_lines
from preference_center.store import Database
from preference_center.store.tables import BounceCount, OutboxRow
from tests.support import make

pytestmark = pytest.mark.integration

PROCESSES, ROUNDS = 3, 6
ADA = "ada@example.org"
ENGINES = ("sqlite", "postgresql", "distributed")


def _unsubscribe_and_undo(url: str, number: int) -> None:
    """Unsubscribe and undo for a subscriber shared by all processes, and for one of its own."""
    database = Database(url, (make.SERVER_KEY,))
    own = f"p{number}@example.org"
    for turn in range(ROUNDS):
        for email in (ADA, own) if turn % 2 else (own, ADA):
            with database.transaction() as session:
                slug = f"kept-{number}-{turn}"
                make.unsubscribe(session, email, slug, notice_delay=timedelta(minutes=2))
            with database.transaction() as session:
                make.unsubscribe(session, email, "everyone-leaves")
            with database.transaction() as session:
                unsubscribe = make.unsubscribe(session, email, f"undone-{number}-{turn}")
            with database.transaction() as session:
                make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq, email)
    database.close()


def _unsubscribed_topics(subscriber: Subscriber) -> set[str]:
    return {
        slug for slug, held in subscriber.subscriptions.items() if held.status == "unsubscribed"
    }


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_concurrent_unsubscribes_and_undos_are_all_kept(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA)
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pool.starmap(_unsubscribe_and_undo, [(database_url, each) for each in range(PROCESSES)])
    with database.reading() as session:
        assert list(verification.verify(session)) == [None] * (PROCESSES + 1)
        ada = subscribers.find(session, make.id_of(ADA))
        assert ada is not None
        kept = {f"kept-{number}-{turn}" for number in range(PROCESSES) for turn in range(ROUNDS)}
        assert _unsubscribed_topics(ada) == {"everyone-leaves", *kept}
        assert make.events(session).count(("unsubscribed", "everyone-leaves")) == 1
        assert session.query(OutboxRow).one().state == "pending"


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_imports_in_opposite_orders_do_not_deadlock(database: Database) -> None:
    slugs = [f"new-{number}" for number in range(40)]
    rows = [
        f"p{number}@example.org,{slugs[number % 40]},wording {number % 30}\n"
        for number in range(400)
    ]

    def run(lines: list[str]) -> int:
        refused: list[RefusedRow] = []
        file = io.BytesIO(("email,topic,consent_wording\n" + "".join(lines)).encode())
        rules = Rules(make.IDENTITY_KEY, status=ImportStatus.SUBSCRIBED)
        job = Import(database, rules, lambda: make.NOW, create_topics=True)
        return job.run(read_csv(file), refused.append)["added"]

    with ThreadPoolExecutor(4) as threads:
        added = list(threads.map(run, [rows, rows[::-1]] * 2))
    assert sum(added) == len(rows)
    with database.reading() as session:
        assert list(verification.verify(session)) == [None] * len(rows)


ADDRESSES_PER_JOB = 120


def _erase_directly(database: Database, emails: list[str]) -> int:
    with database.transaction() as session:
        return erasure.erase(session, map(make.id_of, emails), Source.CLI, make.NOW)


def _erase_by_import(database: Database, emails: list[str]) -> int:
    rows = [f"{email},all,{make.NOW.isoformat()}\n" for email in reversed(emails)]
    file = io.BytesIO(f"email,kind,erased_at\n{''.join(rows)}".encode())
    job = Import(database, Rules(make.IDENTITY_KEY), lambda: make.NOW)
    return job.run(read_csv(file), lambda row: None)["erased"]


def _erase_by_replay(database: Database, emails: list[str]) -> int:
    entry = {
        "seq": "9",
        "event": "erased",
        "scope": "all",
        "source": "cli",
        "occurred_at": make.NOW.isoformat(),
        "recorded_at": make.NOW.isoformat(),
    }
    people = [str(make.id_of(email)) for email in emails]
    lines = [
        json.dumps({**entry, "id": each, "hash": each.replace("-", "") * 2}) for each in people
    ]
    file = io.BytesIO("\n".join(lines).encode())
    return Replay(database, lambda: make.NOW).run(read_json_lines(file), lambda row: None)["erased"]


def _count_claims(database: Database, emails: list[str]) -> int:
    with database.transaction() as session:
        domain_hold.count_claims(session, emails, make.NOW)
    return len(emails)


def _run_job(url: str, job: Callable[[Database, list[str]], int], name: str) -> int:
    database = make.database(url, long_statements=True)
    done = job(database, _addresses(name))
    database.close()
    return done


def _addresses(name: str) -> list[str]:
    return [f"{name}@own-{number}.example" for number in range(ADDRESSES_PER_JOB)]


@pytest.mark.parametrize("database_url", ENGINES[1:], indirect=True)
def test_erasures_and_claims_for_the_same_domains_do_not_deadlock(
    database: Database, database_url: str
) -> None:
    """Each job locks the counts of all domains; no two jobs erase the same subscriber."""
    jobs = [_erase_directly, _erase_by_import, _erase_by_replay, _count_claims]
    with database.transaction() as session:
        for job in jobs[:3]:
            people = {make.id_of(each): each for each in _addresses(job.__name__)}
            subscribers.upsert_addresses(session, people, make.NOW)
        domain_hold.count_claims(session, _addresses("ada"), make.NOW)
        domains = map(domain_hold.domain_of, _addresses("ada"))
        domain_hold.add_failures(session, domains, make.NOW)
    with multiprocessing.get_context("spawn").Pool(len(jobs)) as pool:
        work = [(database_url, job, job.__name__) for job in jobs]
        done = pool.starmap(_run_job, work, chunksize=1)
    assert done == [ADDRESSES_PER_JOB] * len(jobs)
    with database.reading() as session:
        assert session.query(BounceCount).count() == 0
        assert list(verification.verify(session)) == [None] * 3 * ADDRESSES_PER_JOB
