"""An erasure with a real server, workers and consumers: the address is there until all know."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import func, select, update

from preference_center.core import api_keys, consumers, erasure, subscribers
from preference_center.core.api_vocab import ApiKeyKind, ApiScope, EventName
from preference_center.core.consumers import Progress
from preference_center.core.unacknowledged import HELD_FOR
from preference_center.core.vocab import Source
from preference_center.store import Database
from preference_center.store.tables import UnacknowledgedErasure, WebhookDelivery, WebhookRow
from tests.support import make, processes, receiver, supervised
from tests.support.deliveries import Hooks, worker_settings
from tests.support.receiver import Post, response

ADA = "ada@example.org"
MAX_SECONDS = 60.0  # on a busy machine


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, str]:
    return worker_settings(database_url, tmp_path)


def create_key(database: Database, *scopes: ApiScope) -> str:
    with database.transaction() as session:
        now = datetime.now(UTC)
        return api_keys.create(session, "crm", ApiKeyKind.LIVE, scopes, now)[1]


def retry_at_once(database: Database) -> None:
    """Let it be as if the waits for the next attempt had passed."""
    with database.transaction() as session:
        session.execute(update(WebhookDelivery).values(due_at=datetime.now(UTC)))
        session.execute(update(WebhookRow).values(held_until=None))


def test_the_address_is_there_until_the_last_consumer_knows(
    settings: dict[str, str], database: Database
) -> None:
    """A receiver is down and comes up; a program reads the feed."""
    hooks, found = Hooks(database, now=datetime.now(UTC)), list[Any]()
    key = create_key(database, ApiScope.EVENTS, ApiScope.SUBSCRIBERS_READ)
    writer = create_key(database, ApiScope.SUBSCRIBERS_WRITE)
    with (
        receiver.running() as own,
        processes.serving(settings) as base_url,
        processes.working(settings) as worker,
    ):

        def call(path: str, method: str = "GET", key: str = key) -> Any:
            headers = {"Authorization": f"Bearer {key}"}
            with urlopen(Request(f"{base_url}/api/v1{path}", None, headers, method=method)) as got:
                return json.load(got)

        def erasing() -> Any:
            return call(f"/subscribers/{make.id_of(ADA)}")["erasing"]

        def find(_post: Post) -> list[bytes]:
            found.append(erasing()["email"])
            return [response(204)]

        hooks.leave(ADA)
        hooks.add(own.url, EventName.SUBSCRIBER_ERASING)
        cursor = call("/events?after=latest")["cursor"]
        own.answer = lambda _: [response(503)]
        answer = call(f"/subscribers/{make.id_of(ADA)}/erase", "POST", writer)
        assert answer["waits_until"] == erasing()["waits_until"]
        processes.wait_for(lambda: own.posts, "the first attempt", MAX_SECONDS)

        events = call(f"/events?after={cursor}&wait=15")
        assert events["events"][-1]["type"] == "subscriber.erasing"
        assert erasing()["email"] == ADA
        call(f"/events?after={events['cursor']}")
        listed = processes.run(settings, "erasures").stdout.decode()
        assert " for webhook " in listed
        assert "crm" not in listed

        own.answer = find
        retry_at_once(database)
        processes.wait_for(lambda: found, "the next attempt", MAX_SECONDS)
        processes.wait_for(lambda: erasing() is None, "the end of the wait", MAX_SECONDS)
        assert found == [ADA]
        assert processes.run(settings, "erasures").stdout == b"All erasures are acknowledged.\n"
        assert ADA not in worker.output
    assert len({post.headers["webhook-id"] for post in own.posts}) == 1


def waiting(database: Database) -> int:
    with database.reading() as session:
        held = UnacknowledgedErasure.email.is_not(None)
        return session.scalars(select(func.count()).where(held)).one()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_every_address_is_deleted_after_a_week_though_workers_are_killed(
    settings: dict[str, str], database: Database
) -> None:
    people = [f"person-{number}@example.org" for number in range(2500)]
    late = datetime.now(UTC) - HELD_FOR + timedelta(seconds=2)
    with database.transaction() as session:
        scopes = [ApiScope.EVENTS]
        key, _ = api_keys.create(session, "crm", ApiKeyKind.LIVE, scopes, make.NOW)
        consumers.note_progress(session, key.id, Progress(0, 0), make.NOW)
        addresses = {make.id_of(email): email for email in people}
        subscribers.upsert_addresses(session, addresses, make.NOW)
    with (
        supervised.started(settings, "worker") as one,
        supervised.started(settings, "worker") as two,
    ):
        with database.transaction() as session:
            erasure.erase(session, addresses, Source.CLI, late)
        processes.wait_for(lambda: waiting(database) < len(people), "a worker", MAX_SECONDS)
        random.choice([one, two]).kill()
        processes.wait_for(lambda: waiting(database) == 0, "all addresses", MAX_SECONDS)
    listed = processes.run(settings, "erasures").stdout.decode().splitlines()
    assert {line.split()[0] for line in listed} == set(map(str, addresses))
    assert all(line.endswith(f"missed by API key {key.prefix} (crm)") for line in listed)
    assert len(listed) == len(people)
