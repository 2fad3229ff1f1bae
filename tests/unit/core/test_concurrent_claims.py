"""Two processes claim at once: for each subscriber with a cap, exactly one is allowed.

Ten thousand rounds take half an hour:

    CLAIM_ROUNDS=10000 pytest -n0 tests/unit/core/test_concurrent_claims.py
"""

import multiprocessing
import os
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from preference_center.core.vocab import Frequency
from preference_center.data import campaign_csv
from preference_center.data.tabular import Row
from preference_center.store import Database
from preference_center.store.tables import Claim
from tests.support import make

pytestmark = pytest.mark.integration

WEEKLY = timedelta(days=6, hours=12)
ROUNDS = int(os.environ.get("CLAIM_ROUNDS", "40"))
CAPPED, UNCAPPED, NEW = 30, 3, 17
ENGINES = ("sqlite", "postgresql", "distributed")
_barrier: Any = None


def _set_up_process(barrier: Any) -> None:
    """Give a process the shared barrier, and make it claim in batches of 25."""
    global _barrier
    _barrier, campaign_csv.BATCH_SIZE = barrier, 25


def _emails(turn: int) -> list[str]:
    """Return the addresses that both processes claim: capped, uncapped and new ones."""
    capped = [f"capped-{number}@example.org" for number in range(CAPPED)]
    uncapped = [f"free-{number}@example.org" for number in range(UNCAPPED)]
    return [*capped, *uncapped, *(f"new-{turn}-{number}@example.org" for number in range(NEW))]


def _claim_all(url: str, name: str) -> list[set[str]]:
    """Claim one mailing a week in random order; return the allowed addresses of each."""
    database, order = Database(url, (make.SERVER_KEY,)), random.Random(name)
    allowed = []
    for turn in range(ROUNDS):
        emails, at = _emails(turn), make.NOW + turn * WEEKLY
        order.shuffle(emails)
        rows = [Row(line, {"email": email}) for line, email in enumerate(emails)]
        campaign = campaign_csv.CampaignFile(
            make.minter(), "weekly-news", f"{name}-{turn}", make.NOW.date()
        )
        _barrier.wait(60)
        merged = list(campaign.verdicts(rows, database, partial(_identity, at), claim=True))
        cells = [row for row in merged if isinstance(row, Mapping)]
        allowed.append({row["email"] for row in cells if row["verdict"] == "allow"})
    database.close()
    return allowed


def _identity(at: datetime) -> datetime:
    return at


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_exactly_one_of_two_concurrent_claims_is_allowed(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        for email in _emails(0)[:CAPPED]:
            make.subscriber(session, email, frequency=Frequency.WEEKLY)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(2, _set_up_process, (spawn.Barrier(2),)) as pool:
        both = pool.starmap(_claim_all, [(database_url, name) for name in ("one", "two")])
    for turn, (one, two) in enumerate(zip(*both, strict=True)):
        emails = _emails(turn)
        assert one | two == set(emails), "an address was left out"
        assert one & two == set(emails[CAPPED:]), "a capped address was allowed twice"
    with database.reading() as session:
        assert session.query(Claim).count() == ROUNDS * (CAPPED + 2 * UNCAPPED + 2 * NEW)
