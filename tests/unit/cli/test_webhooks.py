"""`webhooks`: add, list, replay and remove webhooks."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from preference_center.core import webhooks
from preference_center.core.api_vocab import WebhookState
from preference_center.store import Database
from tests.support import receiver
from tests.support.command import run, run_ok
from tests.support.deliveries import Hooks
from tests.support.receiver import Receiver

PRIVATE = {"WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8"}


@pytest.fixture
def own() -> Iterator[Receiver]:
    with receiver.running() as running:
        yield running


def test_a_webhook_is_added_listed_and_removed(
    database: Database, database_url: str, own: Receiver
) -> None:
    options = ("--event", "topic.stopped", "--event", "all.stopped")
    result = run(database_url, "webhooks", "add", own.url, *options, **PRIVATE)
    assert result.exit_code == 0
    assert result.stdout.startswith("whsec_")
    with database.reading() as session:
        (webhook,) = webhooks.list_all(session)
    assert (webhook.url, set(webhook.event_names)) == (own.url, {"topic.stopped", "all.stopped"})
    assert run_ok(database_url, "webhooks", "list") == (
        f"{webhook.id}  active    0 waiting, 0 failed  (never tried)  {own.url}\n"
    )
    assert run_ok(database_url, "webhooks", "remove", str(webhook.id)) == (
        f"Removed {webhook.id}.\n"
    )
    assert "webhooks add URL" in run_ok(database_url, "webhooks", "list")


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://a b/", "http://8.8.8.8/"])
def test_a_url_that_is_not_public_is_refused(database_url: str, url: str) -> None:
    result = run(database_url, "webhooks", "add", url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "URL cannot be used" in result.stderr


def test_a_replay_activates_a_webhook_and_posts_again(
    database: Database, database_url: str, own: Receiver
) -> None:
    hooks = Hooks(database, now=datetime.now(UTC))
    webhook = hooks.add(own.url)
    hooks.leave("ada@example.org")
    hooks.deliver()
    count = len(own.posts)
    with database.transaction() as session:
        webhooks.lock(session, webhook.id).state = WebhookState.DISABLED
    today = f"{hooks.now:%Y-%m-%d}"
    output = run_ok(database_url, "webhooks", "replay", str(webhook.id), "--since", today)
    assert "  active  " in output
    hooks.deliver()
    assert len(own.posts) > count


@pytest.mark.parametrize("command", ["replay", "remove"])
def test_an_unknown_webhook_is_refused(database_url: str, command: str) -> None:
    unknown = "e9cc0601-ba19-618f-f86e-48e75e295546"
    result = run(database_url, "webhooks", command, unknown)
    assert result.exit_code == 2
    assert "there is no such webhook" in result.stderr
