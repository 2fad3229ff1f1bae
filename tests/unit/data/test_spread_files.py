"""Large files: several processes do what one process would do."""

import io
from collections.abc import Iterator
from datetime import datetime

import pytest

from preference_center.data import campaign_csv, imports
from preference_center.data.campaign_csv import CampaignFile
from preference_center.data.import_records import Rules
from preference_center.data.imports import Import
from preference_center.data.links_csv import Merged
from preference_center.data.tabular import CsvFile, RefusedRow, read_csv
from preference_center.store import Database
from preference_center.store.tables import LedgerRow, SubscriptionRow
from tests.support import make, postgres

MAILING = CampaignFile(make.minter(), "weekly-news", "2026-47", make.NOW.date(), "Weekly news")
PROCESSES = 3
ROWS = 400
BATCH = 50


@pytest.fixture
def filled(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(imports, "ROWS_PER_BATCH", BATCH)
    monkeypatch.setattr(campaign_csv, "BATCH_SIZE", BATCH)
    postgres.forget_subscribers(postgres_url, "topics")
    database = make.database(postgres_url)
    with database.transaction() as session:
        make.topic(session)
    yield database
    database.close()


def now() -> datetime:
    return make.NOW


def content() -> str:
    """Return rows of which some repeat a person, leave again, cannot be read, or have no topic."""
    lines = ["email,topic,status,frequency"]
    for number in range(ROWS):
        email = f"reader{number % 230}@example.org" if number % 41 else "not an address"
        topic = "weekly-news" if number % 29 else "offers"
        status = "subscribed" if number % 7 else "unsubscribed"
        lines.append(f"{email},{topic},{status},{'weekly' if number % 2 else 'monthly'}")
    return "\n".join(lines)


def rows() -> CsvFile:
    return read_csv(io.BytesIO(content().encode()))


def imported(database: Database, processes: int) -> tuple[object, ...]:
    """Import the rows, and return the counts, the refused lines, and what is on record."""
    refused: list[RefusedRow] = []
    rules = Rules(make.IDENTITY_KEY)
    job = Import(database, rules, now, processes=processes)
    counts = job.run(rows(), refused.append)
    with database.reading() as session:
        subscriptions = {
            (each.subscriber_id, each.topic, each.status, each.frequency)
            for each in session.query(SubscriptionRow)
        }
        ledger = {(each.subscriber_id, each.seq, each.event) for each in session.query(LedgerRow)}
    lines = [(each.line, each.why) for each in refused]
    return counts, sorted(lines), job.findings, subscriptions, ledger


def test_an_import_by_several_processes_is_the_same(filled: Database, postgres_url: str) -> None:
    several = imported(filled, PROCESSES)
    postgres.forget_subscribers(postgres_url, "topics")
    with filled.transaction() as session:
        make.topic(session)
    assert several == imported(filled, 1)


@pytest.mark.parametrize("claim", [False, True])
def test_verdicts_by_several_processes_are_the_same(filled: Database, claim: bool) -> None:
    imported(filled, 1)

    def verdicts(processes: int) -> list[Merged]:
        return list(MAILING.verdicts(rows(), filled, now, claim=claim, processes=processes))

    several = verdicts(PROCESSES)
    assert several == verdicts(1)
    assert len(several) == ROWS
