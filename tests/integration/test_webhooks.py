"""Webhooks that `worker` posts: no event is lost though workers are killed, and order is kept."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from preference_center.core import webhooks
from preference_center.core.api_vocab import EventName
from preference_center.store import Database
from preference_center.store.tables import WebhookDelivery
from tests.support import make, processes, receiver
from tests.support.deliveries import Hooks, worker_settings
from tests.support.processes import Running
from tests.support.receiver import Post, response

TOPICS = [f"topic-{number}" for number in range(3)]
PEOPLE = [f"person-{number}@example.org" for number in range(8)]
MAX_SECONDS = 90.0  # for all deliveries, on a busy machine


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, str]:
    """Return the settings of a worker that trusts the receivers, and sends no email."""
    return worker_settings(database_url, tmp_path)


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
                    lambda: worker.process.poll() is not None or done(), "deliveries", MAX_SECONDS
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


def test_a_worker_without_a_mail_server_posts_webhooks_and_says_that_emails_wait(
    settings: dict[str, str],
) -> None:
    for name in ("SMTP_URL", "MAIL_FROM"):
        del settings[f"PREFERENCE_CENTER_{name}"]
    hooks = Hooks(make.database(settings["PREFERENCE_CENTER_DATABASE_URL"]), now=datetime.now(UTC))
    with receiver.running() as own:
        hooks.add(own.url, EventName.TOPIC_STOPPED)
        with hooks.database.transaction() as session:
            make.subscriber(session, PEOPLE[0])
            earlier = hooks.now - timedelta(minutes=2)
            make.unsubscribe(session, PEOPLE[0], notice_delay=timedelta(0), at=earlier)
        with processes.working(settings) as worker:
            processes.wait_for(lambda: own.posts, "the event", MAX_SECONDS)
            processes.wait_for(lambda: "emails wait" in worker.output, "the warning")
            assert worker.output.startswith("PREFERENCE_CENTER_SMTP_URL is missing: no emails")
            assert worker.stop() == 0
    hooks.database.close()


def test_a_worker_stops_when_it_is_told_to(settings: dict[str, str]) -> None:
    with processes.working(settings) as worker:
        processes.wait_for(lambda: "Sending" in worker.output, "start")
        with suppress(ProcessLookupError):
            os.kill(worker.process.pid, signal.SIGTERM)
        assert worker.process.wait(10) == 0


@contextmanager
def documented_receiver(folder: Path, secret: str) -> Iterator[tuple[str, Path]]:
    """Run the receiver of the documentation; yield its URL and the file of its output."""
    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text("utf-8")
    (code,) = re.findall(r"(?ms)^```python\n(.+?)^```", page)
    (folder / "receiver.py").write_text(code, "utf-8")
    port, output = processes.free_port(), folder / "output"
    command = [sys.executable, str(folder / "receiver.py"), str(port)]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, env={**os.environ, "WEBHOOK_SECRET": secret}, stdout=file, stderr=file
        )
    try:
        processes.wait_for(lambda: _listens(port), "the receiver")
        yield f"http://127.0.0.1:{port}/preferences", output
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_the_documented_receiver_takes_what_is_signed_and_nothing_else(
    database: Database, tmp_path: Path
) -> None:
    hooks = Hooks(database, now=datetime.now(UTC))
    secret = webhooks.new_secret()
    with documented_receiver(tmp_path, secret) as (url, output):
        webhook = hooks.add(url, EventName.TOPIC_STOPPED)
        hooks.leave("ada@example.org")
        hooks.deliver()
        assert hooks.get(webhook).last_result == "status 401"  # It has another secret.
        with hooks.database.transaction() as session:
            webhooks._store(session, webhooks.lock(session, webhook.id), [(secret, None)])
        hooks.now += timedelta(seconds=6)
        hooks.deliver()
        assert hooks.get(webhook).last_result == "status 204"
        assert hooks.get(webhook).waiting == 0
        hooks.leave("bob@example.org")
        hooks.now += timedelta(minutes=6)  # Its clock and ours differ too much.
        hooks.deliver()
        assert hooks.get(webhook).last_result == "status 401"
    assert output.read_text().count("topic.stopped") == 1
