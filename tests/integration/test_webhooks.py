"""Webhooks that `worker` posts: no event is lost though workers are killed, and order is kept."""

import os
import signal
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from preference_center.core.vocab import EventName
from preference_center.store.tables import WebhookDelivery
from tests.support import make, processes, receiver, smtp
from tests.support.deliveries import Hooks
from tests.support.processes import Running
from tests.support.receiver import Post, response

TOPICS = [f"topic-{number}" for number in range(3)]
PEOPLE = [f"person-{number}@example.org" for number in range(8)]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, str]:
    """Return the settings of a worker that trusts the receivers, and sends no email."""
    authority = tmp_path / "authority.pem"
    authority.write_bytes(smtp.certificate()[0])
    variables = make.environment(
        DATABASE_URL=database_url,
        SMTP_URL="smtp://127.0.0.1:9",
        MAIL_FROM="letters@example.org",
        WEBHOOK_PRIVATE_NETWORKS="127.0.0.0/8",
    )
    return {**variables, "SSL_CERT_FILE": str(authority)}


def expire_leases(hooks: Hooks) -> None:
    """Let it be as if a minute had passed."""
    with hooks.database.transaction() as session:
        leased = update(WebhookDelivery).where(WebhookDelivery.lease.is_not(None))
        session.execute(leased.values(due_at=datetime.now(UTC)))


def test_nothing_is_lost_though_workers_are_killed(settings: dict[str, str]) -> None:
    hooks = Hooks(make.database(settings["PREFERENCE_CENTER_DATABASE_URL"]), now=datetime.now(UTC))
    working: list[Running] = []

    def kill_at_some(post: Post) -> list[bytes]:
        if len(own.posts) in {3, 10, 17}:
            working[-1].kill()
        return [response(200)]

    def done() -> bool:
        found = hooks.get(webhook)
        return found.waiting == 0 and found.acknowledged > 0

    with receiver.running() as own:
        own.answer = kill_at_some
        webhook = hooks.add(own.url, EventName.TOPIC_STOPPED)
        for email in PEOPLE:
            hooks.leave(email, *TOPICS)
        hooks.number()
        for _ in range(4):
            with processes.working(settings) as worker:
                working.append(worker)
                processes.wait_for(
                    lambda: worker.process.poll() is not None or done(), "deliveries"
                )
            expire_leases(hooks)
    assert [each.process.returncode for each in working].count(-signal.SIGKILL) == 3
    arrived = defaultdict(list)
    for post in own.posts:
        data = post.event["data"]
        arrived[data["subscriber_id"]].append(data["topic"])
    assert set(arrived) == {str(make.id_of(each)) for each in PEOPLE}
    for topics in arrived.values():
        assert list(dict.fromkeys(topics)) == TOPICS
        assert topics == sorted(topics)  # One that was posted twice came before the next.
    assert len(own.posts) <= len(PEOPLE) * len(TOPICS) + 3 * 4
    hooks.database.close()


def test_a_worker_stops_when_it_is_told_to(settings: dict[str, str]) -> None:
    with processes.working(settings) as worker:
        processes.wait_for(lambda: "Sending" in worker.output, "start")
        with suppress(ProcessLookupError):
            os.kill(worker.process.pid, signal.SIGTERM)
        assert worker.process.wait(10) == 0
