"""Two processes that claim at once: for each person with a cap, exactly one is allowed.

    CLAIM_ROUNDS=10000 pytest -n0 tests/core/test_claims_at_once.py

does it ten thousand times over, in half an hour.
"""

import multiprocessing
import os
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from preference_center.core.vocab import Frequency
from preference_center.data import campaign_csv
from preference_center.data.tabular import Row
from preference_center.store import Database
from preference_center.store.tables import Claim
from tests.support import make

WEEKLY = timedelta(days=6, hours=12)
ROUNDS = int(os.environ.get("CLAIM_ROUNDS", "100"))
CAPPED, FREE, NEW = 30, 3, 17
_starting_line: Any = None


def _meet(barrier: Any) -> None:
    """Prepare a process: it waits for the other, and asks about 25 people at a time."""
    global _starting_line
    _starting_line, campaign_csv.BATCH_SIZE = barrier, 25


def _people(turn: int) -> list[str]:
    """Return whom both ask for: some with a cap, some without, and some that are new."""
    capped = [f"capped-{number}@example.org" for number in range(CAPPED)]
    free = [f"free-{number}@example.org" for number in range(FREE)]
    return [*capped, *free, *(f"new-{turn}-{number}@example.org" for number in range(NEW))]


def _mail_everybody(url: str, name: str) -> list[set[str]]:
    """Send one mailing a week, in an order of our own; return whom each was allowed to mail."""
    database, order = Database(url, (make.SERVER_KEY,)), random.Random(name)
    allowed = []
    for turn in range(ROUNDS):
        people, at = _people(turn), make.NOW + turn * WEEKLY
        order.shuffle(people)
        rows = [Row(line, {"email": email}) for line, email in enumerate(people)]
        letter = campaign_csv.CampaignFile(
            make.minter(), "weekly-news", f"{name}-{turn}", make.NOW.date()
        )
        _starting_line.wait(60)
        merged = list(letter.verdicts(rows, database, partial(_same, at), claim=True))
        cells = [row for row in merged if isinstance(row, Mapping)]
        allowed.append({row["email"] for row in cells if row["verdict"] == "allow"})
    database.close()
    return allowed


def _same(at: datetime) -> datetime:
    return at


def test_of_two_processes_that_claim_at_once_exactly_one_is_allowed(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        for email in _people(0)[:CAPPED]:
            make.reader(session, email).subscriptions["weekly-news"].frequency = Frequency.WEEKLY
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(2, _meet, (spawn.Barrier(2),)) as pool:
        both = pool.starmap(_mail_everybody, [(database_url, name) for name in ("one", "two")])
    for turn, (one, two) in enumerate(zip(*both, strict=True)):
        people = _people(turn)
        assert one | two == set(people), "somebody was left out"
        assert one & two == set(people[CAPPED:]), "somebody was mailed twice"
    with database.reading() as session:
        assert session.query(Claim).count() == ROUNDS * (CAPPED + 2 * FREE + 2 * NEW)
