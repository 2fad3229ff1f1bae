"""Many at once: no stop is lost, no chain forks, one mail is pending, nobody waits for ever."""

import io
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from preference_center.core import ledger, subscribers
from preference_center.core.vocab import ImportStatus
from preference_center.import_records import Rules
from preference_center.imports import Import
from preference_center.rows import RefusedRow, read_csv
from preference_center.store import Database
from preference_center.store.tables import OutboxRow, Subscriber
from tests import make

PROCESSES, ROUNDS = 3, 6
ADA = "ada@example.org"


def _leave_and_return(url: str, number: int) -> None:
    """Stop and undo for a person whom all processes share, and for one of our own."""
    database = Database(url, (make.SERVER_KEY,))
    own = f"p{number}@example.org"
    for turn in range(ROUNDS):
        for email in (ADA, own) if turn % 2 else (own, ADA):
            with database.transaction() as session:
                slug = f"kept-{number}-{turn}"
                make.stop(session, email, slug, confirm_after=timedelta(minutes=2))
            with database.transaction() as session:
                make.stop(session, email, "everyone-leaves")
            with database.transaction() as session:
                stop = make.stop(session, email, f"undone-{number}-{turn}")
            with database.transaction() as session:
                make.undo(session, stop.seq, stop.seq, email)
    database.close()


def _stopped(person: Subscriber) -> set[str]:
    return {slug for slug, held in person.subscriptions.items() if held.status == "unsubscribed"}


def test_processes_that_stop_and_undo_lose_nothing(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.reader(session, ADA)
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pool.starmap(_leave_and_return, [(database_url, each) for each in range(PROCESSES)])
    with database.reading() as session:
        assert list(ledger.verify(session)) == [None] * (PROCESSES + 1)
        ada = subscribers.find(session, make.person(ADA))
        assert ada is not None
        kept = {f"kept-{number}-{turn}" for number in range(PROCESSES) for turn in range(ROUNDS)}
        assert _stopped(ada) == {"everyone-leaves", *kept}
        assert make.events(session).count(("unsubscribed", "everyone-leaves")) == 1
        assert session.query(OutboxRow).one().state == "pending"


def test_imports_in_opposite_orders_do_not_block_each_other(database: Database) -> None:
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
        assert list(ledger.verify(session)) == [None] * len(rows)
