"""`erasures` lists what waits, for whom, and what was missed, by whom."""

from datetime import timedelta

import pytest

from preference_center.core import erasure, unacknowledged, webhooks
from preference_center.core.vocab import Source
from preference_center.outbound.erasures import Erasures
from preference_center.store import Database
from preference_center.util.clock import utc_now
from tests.support import make
from tests.support.command import run_ok

DAY = timedelta(days=1)


def test_nothing_waits(database_url: str) -> None:
    assert run_ok(database_url, "erasures") == "All erasures are acknowledged.\n"


def test_erasures_are_listed_until_they_are_acknowledged(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unacknowledged, "BATCH_SIZE", 1)
    now = utc_now()
    people = {"ada@example.org": now - 8 * DAY, "bob@example.org": now - 2 * DAY}
    with database.transaction() as session:
        webhook, _ = webhooks.add(session, "https://hooks.example.org/?token=7", [], make.NOW)
        for email, at in people.items():
            make.subscriber(session, email)
            erasure.erase(session, [make.id_of(email)], Source.CLI, at)
    Erasures(database, utc_now).settle()
    name, (ada, bob) = f"webhook {webhook.id} (hooks.example.org)", map(make.id_of, people)
    time = "%Y-%m-%d %H:%M UTC"
    assert run_ok(database_url, "erasures") == (
        f"{bob}  erased {now - 2 * DAY:{time}}  waits until {now + 5 * DAY:{time}} for {name}\n"
        f"{ada}  erased {now - 8 * DAY:{time}}  missed by {name}\n"
    )
    with database.transaction() as session:
        webhooks.remove(session, webhook.id)
    assert f"waits until {now + 5 * DAY:{time}} for the worker\n" in run_ok(
        database_url, "erasures"
    )
