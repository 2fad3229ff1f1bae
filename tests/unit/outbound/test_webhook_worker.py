"""What reaches a receiver of webhooks, in which order, and what happens if it fails."""

import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook as Verifier

from preference_center.core import (
    monitoring,
    retention,
    webhook_deliveries,
    webhook_results,
    webhooks,
)
from preference_center.core.api_vocab import EventName, WebhookState
from preference_center.core.errors import CursorExpiredError, WebhookRefusal
from preference_center.core.vocab import KeyKind
from preference_center.core.webhook_deliveries import LEASE_DURATION
from preference_center.core.webhook_results import MAX_HOLD, RETRY_AFTER
from preference_center.outbound.webhook_client import WebhookClient
from preference_center.outbound.webhook_worker import wait
from preference_center.store import Database
from preference_center.store.encryption import UndecipherableError
from preference_center.store.tables import WebhookDelivery
from tests.support import make, receiver
from tests.support.deliveries import Hooks
from tests.support.receiver import Post, Receiver, response

STOPPED = EventName.TOPIC_STOPPED
ADA, BOB = "ada@example.org", "bob@example.org"
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
def own() -> Iterator[Receiver]:
    with receiver.running() as running:
        yield running


@pytest.fixture
def hooks(database: Database) -> Hooks:
    return Hooks(database)


def told(own: Receiver) -> list[tuple[str, str]]:
    """Return who left which topic, as the receiver was told."""
    names = {str(make.id_of(each)): each.split("@")[0] for each in (ADA, BOB)}
    data = [post.event["data"] for post in own.posts]
    return [(names[each["subscriber_id"]], each["topic"]) for each in data]


def rows(hooks: Hooks) -> list[WebhookDelivery]:
    with hooks.database.reading() as session:
        return list(session.scalars(select(WebhookDelivery)))


def test_an_event_arrives_once_signed_and_without_an_address(own: Receiver, hooks: Hooks) -> None:
    hooks.now = datetime.now(UTC)  # The verifier has its own clock.
    with hooks.database.transaction() as session:
        webhook, secret = webhooks.add(session, own.url, [STOPPED], hooks.now)
    subscriber_id = hooks.leave(ADA)
    hooks.deliver()
    hooks.deliver(DAY)
    (post,) = own.posts
    event = Verifier(secret).verify(post.body, dict(post.headers))
    assert event["type"] == "topic.stopped"
    assert event["data"]["subscriber_id"] == str(subscriber_id)
    assert post.headers["webhook-id"] == event["id"]
    assert b"ada" not in post.body
    assert (hooks.get(webhook).waiting, rows(hooks)) == (0, [])


def test_a_webhook_gets_only_the_events_that_it_wants(own: Receiver, hooks: Hooks) -> None:
    hooks.add(own.url, EventName.TOPIC_STARTED)
    hooks.leave(ADA)
    hooks.deliver()
    assert [post.event["type"] for post in own.posts] == ["topic.started"]


def test_a_webhook_gets_no_events_from_before_it_was_added(own: Receiver, hooks: Hooks) -> None:
    hooks.leave(ADA)
    hooks.add(own.url)
    hooks.deliver()
    assert own.posts == []


def test_an_event_waits_for_the_earlier_one_of_its_subscriber_only(
    own: Receiver, hooks: Hooks
) -> None:
    """Ada's first event fails, so her second one waits, and Bob's does not."""

    def refuse_first(post: Post) -> list[bytes]:
        return [response(500 if post.event["data"]["topic"] == "first" else 200)]

    own.answer = refuse_first
    hooks.add(own.url, STOPPED)
    hooks.leave(ADA, "first", "second")
    hooks.leave(BOB, "third", "fourth")
    hooks.deliver()
    assert told(own) == [("ada", "first"), ("bob", "third"), ("bob", "fourth")]
    own.answer = lambda _: [response(200)]
    hooks.deliver(4 * SECOND)
    assert len(own.posts) == 3
    hooks.deliver(2 * SECOND)
    assert told(own)[3:] == [("ada", "first"), ("ada", "second")]


def test_the_waits_between_attempts_can_be_other_ones(own: Receiver, hooks: Hooks) -> None:
    own.answer = lambda _: [response(500)]
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    for seconds in (0, 1, 2, 3, 4):
        hooks.now += seconds * SECOND
        worker = replace(hooks.worker(), retry_after=(SECOND, 2 * SECOND))
        for each in worker.prepare():
            worker.deliver_one(each)
    assert (len(own.posts), hooks.get(webhook).failed) == (3, 1)


def test_one_webhook_does_not_wait_for_another(own: Receiver, hooks: Hooks) -> None:
    own.answer = lambda _: [response(500)]
    with receiver.running() as other:
        hooks.add(own.url, STOPPED)
        hooks.add(other.url, STOPPED)
        hooks.leave(ADA, "first", "second")
        hooks.deliver()
        assert (len(own.posts), len(other.posts)) == (1, 2)


def test_an_event_is_tried_ten_times_within_the_times_of_the_specification(
    own: Receiver, hooks: Hooks
) -> None:
    own.answer = lambda _: [response(400)]
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    tried = [hooks.now]
    hooks.deliver()
    for number, after in enumerate(RETRY_AFTER, start=1):
        with hooks.database.transaction() as session:  # Other events are accepted meanwhile.
            webhooks.lock(session, webhook.id).failing_since = None
        hooks.deliver(after - SECOND)
        assert len(own.posts) == number
        hooks.deliver(after / 10 + 2 * SECOND)
        assert len(own.posts) == number + 1
        tried.append(hooks.now)
    assert timedelta(hours=75) < tried[-1] - tried[0] < timedelta(hours=84)
    hooks.deliver(30 * DAY)
    assert len(own.posts) == 10
    found = hooks.get(webhook)
    assert (found.waiting, found.failed, found.state) == (0, 1, WebhookState.ACTIVE)


def test_the_next_event_follows_one_that_has_failed_for_good(own: Receiver, hooks: Hooks) -> None:
    own.answer = lambda post: [response(200 if post.event["data"]["topic"] == "second" else 400)]
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA, "first", "second")
    for _ in range(10):
        with hooks.database.transaction() as session:
            webhooks.lock(session, webhook.id).failing_since = None
        hooks.deliver(2 * DAY)
    assert told(own) == [("ada", "first")] * 10 + [("ada", "second")]
    own.answer = lambda _: [response(200)]
    hooks.replay(webhook)
    hooks.deliver()
    assert told(own)[11:] == [("ada", "first")]


def test_a_receiver_that_fails_for_three_days_is_paused(own: Receiver, hooks: Hooks) -> None:
    own.answer = lambda _: [response(500)]
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA, "first", "second")
    while hooks.now < make.NOW + 2.9 * DAY:
        hooks.deliver(timedelta(hours=6))
    assert hooks.get(webhook).state is WebhookState.ACTIVE
    assert hooks.get(webhook).failing_since is not None
    hooks.deliver(DAY)
    count = len(own.posts)
    assert hooks.get(webhook).state is WebhookState.PAUSED
    hooks.leave(BOB, "third")
    hooks.deliver(DAY)
    assert len(own.posts) == count
    own.answer = lambda _: [response(200)]
    hooks.replay(webhook)
    hooks.deliver()
    assert told(own)[count:] == [("ada", "first"), ("ada", "second"), ("bob", "third")]
    assert hooks.get(webhook).failing_since is None


def test_a_success_ends_the_three_days(own: Receiver, hooks: Hooks) -> None:
    own.answer = lambda _: [response(500)]
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    hooks.deliver()
    assert hooks.get(webhook).failing_since == make.NOW
    own.answer = lambda _: [response(200)]
    hooks.deliver(10 * SECOND)
    found = hooks.get(webhook)
    assert (found.failing_since, found.last_result) == (None, "status 200")


def test_410_disables_a_webhook(own: Receiver, hooks: Hooks) -> None:
    own.answer = lambda _: [response(410)]
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    hooks.leave(BOB)
    hooks.deliver()
    hooks.deliver(4 * DAY)
    found = hooks.get(webhook)
    assert (found.state, found.last_result) == (WebhookState.DISABLED, "status 410")
    assert len(own.posts) == 1
    own.answer = lambda _: [response(200)]
    hooks.replay(webhook)
    hooks.deliver()
    assert len(own.posts) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_asks_to_wait_gets_nothing_until_then(
    own: Receiver, hooks: Hooks, status: int
) -> None:
    own.answer = lambda _: [response(status, "Retry-After: 120")]
    hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    hooks.leave(BOB)
    hooks.deliver()
    hooks.deliver(119 * SECOND)
    assert len(own.posts) == 1
    own.answer = lambda _: [response(200)]
    hooks.deliver(2 * SECOND)
    assert sorted(told(own)) == [("ada", "weekly-news")] * 2 + [("bob", "weekly-news")]


def test_a_receiver_may_not_ask_for_more_than_an_hour(own: Receiver, hooks: Hooks) -> None:
    own.answer = lambda _: [response(429, "Retry-After: 99999999")]
    hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    hooks.deliver()
    hooks.deliver(MAX_HOLD - SECOND)
    assert len(own.posts) == 1
    hooks.deliver(SECOND)
    assert len(own.posts) == 2


def test_a_redirect_is_a_failure_and_reaches_nothing(own: Receiver, hooks: Hooks) -> None:
    with receiver.running(tls=False) as inner:
        own.answer = lambda _: [response(307, f"Location: {inner.url}")]
        webhook = hooks.add(own.url, STOPPED)
        hooks.leave(ADA)
        hooks.deliver()
        assert (inner.connections, hooks.get(webhook).last_result) == (0, "status 307")
    own.answer = lambda _: [response(200)]
    hooks.deliver(10 * SECOND)
    assert len(own.posts) == 2


def drops(_: Post) -> list[bytes]:
    return []


def drops_in_the_head(_: Post) -> list[bytes]:
    return [b"HTTP/1.1 200 OK\r\nContent-"]


def drips(_: Post) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        time.sleep(0.1)
        yield b"X: y\r\n"


def says_nothing(_: Post) -> Iterator[bytes]:
    time.sleep(2)
    yield b""


@pytest.mark.parametrize("answer", [drops, drops_in_the_head, drips, says_nothing])
def test_an_event_without_an_answer_is_posted_again(
    own: Receiver, hooks: Hooks, answer: Any
) -> None:
    own.answer, hooks.client = answer, receiver.client(seconds=0.5)
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA, "first", "second")
    hooks.deliver()
    assert told(own) == [("ada", "first")]
    assert hooks.get(webhook).waiting == 2
    own.answer = lambda _: [response(200)]
    hooks.deliver(10 * SECOND)
    assert told(own)[1:] == [("ada", "first"), ("ada", "second")]
    assert own.posts[0].headers["webhook-id"] == own.posts[1].headers["webhook-id"]


def test_an_address_that_has_become_inner_is_not_posted_to(own: Receiver, hooks: Hooks) -> None:
    hooks.client = WebhookClient()
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    hooks.deliver()
    assert own.connections == 0
    assert hooks.get(webhook).waiting == 1
    assert "127.0.0.1" not in (hooks.get(webhook).last_result or "")


def test_a_receiver_that_does_not_answer_gets_few_attempts(own: Receiver, hooks: Hooks) -> None:
    own.answer = drops
    hooks.add(own.url, STOPPED)
    for number in range(10):
        hooks.leave(f"person-{number}@example.org")
    hooks.deliver()
    assert len(own.posts) == 1


def test_a_worker_that_dies_after_posting_loses_nothing(own: Receiver, hooks: Hooks) -> None:
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA, "first", "second")
    worker = hooks.worker()
    worker.prepare()
    with hooks.database.transaction() as session:
        leased = webhook_deliveries.lease(session, webhook.id, hooks.now)
    assert leased is not None
    worker._post(leased)  # And it dies.
    hooks.deliver(LEASE_DURATION - SECOND)
    assert told(own) == [("ada", "first")]
    hooks.deliver(SECOND)
    assert told(own)[1:] == [("ada", "first"), ("ada", "second")]


def test_a_worker_that_settles_too_late_changes_nothing(own: Receiver, hooks: Hooks) -> None:
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    hooks.worker().prepare()
    leased = []
    for _ in range(2):
        with hooks.database.transaction() as session:
            leased.append(webhook_deliveries.lease(session, webhook.id, hooks.now))
        hooks.now += LEASE_DURATION
    late, current = leased
    assert late is not None
    assert current is not None
    with hooks.database.transaction() as session:
        result = webhook_results.Result(200, "status 200")
        webhook_results.settle(session, late, result, hooks.now)
    assert [row.lease for row in rows(hooks)] == [current.lease]


def test_a_test_event_is_tried_once_and_pauses_nothing(own: Receiver, hooks: Hooks) -> None:
    own.answer = lambda _: [response(500)]
    webhook = hooks.add(own.url, STOPPED)
    with hooks.database.transaction() as session:
        webhooks.send_test(session, webhook.id, hooks.now)
    hooks.deliver()
    hooks.deliver(4 * DAY)
    (post,) = own.posts
    assert post.event["type"] == "webhook.test"
    found = hooks.get(webhook)
    assert (found.last_result, found.failing_since, found.waiting) == ("status 500", None, 0)


def test_a_test_event_does_not_move_the_acknowledged_position(own: Receiver, hooks: Hooks) -> None:
    webhook = hooks.add(own.url)
    hooks.leave(ADA)
    hooks.deliver()
    with hooks.database.transaction() as session:
        webhooks.send_test(session, webhook.id, hooks.now)
    assert hooks.get(webhook).acknowledged == 2


def test_the_acknowledged_position_is_before_the_first_open_delivery(
    own: Receiver, hooks: Hooks
) -> None:
    own.answer = lambda post: [response(500 if post.event["data"]["topic"] == "second" else 200)]
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA, "first", "second")
    hooks.leave(BOB, "third")
    assert hooks.get(webhook).acknowledged == 0
    hooks.deliver()
    assert hooks.get(webhook).acknowledged == 2
    own.answer = lambda _: [response(200)]
    hooks.deliver(10 * SECOND)
    assert hooks.get(webhook).acknowledged == 5


def test_events_are_replayed_from_a_position(own: Receiver, hooks: Hooks) -> None:
    webhook = hooks.add(own.url)
    hooks.leave(ADA, "first", "second")
    hooks.deliver()
    assert len(own.posts) == 3
    hooks.replay(webhook, after=1)
    hooks.deliver()
    assert told(own)[3:] == [("ada", "first"), ("ada", "second")]
    assert own.posts[1].headers["webhook-id"] == own.posts[3].headers["webhook-id"]


def test_events_are_replayed_from_a_time(own: Receiver, hooks: Hooks) -> None:
    webhook = hooks.add(own.url, STOPPED)
    for topic in ("first", "second", "third"):
        hooks.leave(ADA, topic)
        hooks.now += DAY
    hooks.deliver()
    hooks.replay(webhook, since=make.NOW + DAY)
    hooks.deliver()
    assert told(own)[3:] == [("ada", "second"), ("ada", "third")]
    hooks.replay(webhook, since=hooks.now)
    hooks.deliver()
    assert len(own.posts) == 5


def test_events_that_are_no_longer_kept_cannot_be_replayed(own: Receiver, hooks: Hooks) -> None:
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    hooks.deliver()
    hooks.now += 40 * DAY
    for options in ({"after": 0}, {"since": make.NOW}):
        with pytest.raises(CursorExpiredError):
            hooks.replay(webhook, **options)


def test_an_event_that_is_no_longer_kept_is_skipped(own: Receiver, hooks: Hooks) -> None:
    hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    hooks.now += 40 * DAY
    hooks.leave(BOB)
    hooks.deliver()
    assert told(own) == [("bob", "weekly-news")]


def test_deliveries_of_events_that_are_no_longer_kept_are_deleted(hooks: Hooks) -> None:
    webhook = hooks.add("https://127.0.0.1:9/", STOPPED)
    hooks.leave(ADA)
    hooks.worker().prepare()
    with hooks.database.transaction() as session:
        webhooks.send_test(session, webhook.id, hooks.now)
    for days, left in ((29, 2), (32, 1)):  # The test stays.
        with hooks.database.transaction() as session:
            for step in retention.STEPS:
                step.run(session, make.RETENTION, make.NOW + days * DAY)
        assert len(rows(hooks)) == left


def test_the_metrics_have_the_age_of_what_was_not_accepted(own: Receiver, hooks: Hooks) -> None:
    own.answer = lambda _: [response(500)]
    webhook = hooks.add(own.url)
    name = f"webhook-{webhook.id.hex[:8]}"

    def age() -> timedelta:
        with hooks.database.reading() as session:
            return monitoring.read(session, hooks.now).unfetched_by[name]

    assert age() == timedelta(0)
    hooks.leave(ADA)
    hooks.now += 3 * SECOND
    assert age() == 3 * SECOND
    hooks.deliver()
    assert age() == 3 * SECOND
    own.answer = lambda _: [response(200)]
    hooks.deliver(30 * SECOND)
    assert age() == timedelta(0)


def test_a_removed_webhook_gets_nothing(own: Receiver, hooks: Hooks) -> None:
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    hooks.worker().prepare()
    with hooks.database.transaction() as session:
        leased = webhook_deliveries.lease(session, webhook.id, hooks.now)
        assert leased is not None
    with hooks.database.transaction() as session:
        webhooks.remove(session, webhook.id)
    hooks.deliver()
    for status in (200, 500):
        result = webhook_results.Result(status, "")
        with hooks.database.transaction() as session:
            webhook_results.settle(session, leased, result, hooks.now)
    assert (own.posts, rows(hooks)) == ([], [])


def test_a_new_secret_signs_beside_the_old_one_for_a_day(own: Receiver, hooks: Hooks) -> None:
    hooks.now = datetime.now(UTC) - DAY - SECOND
    with hooks.database.transaction() as session:
        webhook, old = webhooks.add(session, own.url, [STOPPED], hooks.now)
    with hooks.database.transaction() as session:
        new = webhooks.rotate_secret(session, webhook.id, hooks.now)
    hooks.leave(ADA)
    hooks.deliver()
    hooks.leave(BOB)
    hooks.deliver(DAY)
    signatures = [len(post.headers["webhook-signature"].split()) for post in own.posts]
    assert (signatures, old != new) == ([2, 1], True)
    Verifier(new).verify(own.posts[1].body, dict(own.posts[1].headers))


def test_a_secret_outlives_the_server_key_that_is_not_the_newest(
    own: Receiver, hooks: Hooks
) -> None:
    with hooks.database.transaction() as session:
        webhook, secret = webhooks.add(session, own.url, [STOPPED], hooks.now)
    for keys, found in (((make.SERVER_KEY, "new"), [secret]), (("new",), None)):
        with hooks.database.transaction() as session:
            session.info["keys"] = {KeyKind.SERVER: keys}
            row = webhooks.lock(session, webhook.id)
            with nullcontext() if found else pytest.raises(UndecipherableError):
                assert webhooks.secrets_of(session, row, hooks.now) == found


def test_without_a_secret_nothing_is_posted(own: Receiver, hooks: Hooks) -> None:
    webhook = hooks.add(own.url, STOPPED)
    hooks.leave(ADA)
    with hooks.database.transaction() as session:
        webhooks.lock(session, webhook.id).secrets = "encrypted with another key"
    hooks.deliver()
    assert own.posts == []
    assert "rotate" in (hooks.get(webhook).last_result or "")
    with hooks.database.transaction() as session:
        webhooks.rotate_secret(session, webhook.id, hooks.now)
    hooks.deliver(10 * SECOND)
    assert len(own.posts) == 1


def test_secrets_are_not_stored_in_plain(own: Receiver, hooks: Hooks) -> None:
    with hooks.database.transaction() as session:
        webhook, secret = webhooks.add(session, own.url, [], hooks.now)
        stored = webhooks.lock(session, webhook.id).secrets
    assert secret[6:] not in stored


def test_a_url_has_one_webhook_and_there_are_twenty_at_most(hooks: Hooks) -> None:
    hooks.add("https://example.org/0")
    with pytest.raises(WebhookRefusal):
        hooks.add("https://example.org/0")
    for number in range(1, webhooks.MAX_WEBHOOKS):
        hooks.add(f"https://example.org/{number}")
    with pytest.raises(WebhookRefusal):
        hooks.add("https://example.org/another")


@pytest.mark.parametrize("database_url", ["postgresql", "distributed"], indirect=True)
def test_two_workers_keep_the_order_and_deliver_once(own: Receiver, hooks: Hooks) -> None:
    hooks.add(own.url, STOPPED)
    topics = [f"topic-{number}" for number in range(5)]
    people = [f"person-{number}@example.org" for number in range(20)]
    for email in people:
        hooks.leave(email, *topics)
    stop = threading.Event()
    workers = [threading.Thread(target=hooks.worker().run, args=(stop,)) for _ in range(2)]
    for each in workers:
        each.start()
    give_up = time.monotonic() + 30
    while len(own.posts) < 100 and time.monotonic() < give_up:
        time.sleep(0.05)
    stop.set()
    for each in workers:
        each.join()
    assert len(own.posts) == 100
    for email in people:
        about = str(make.id_of(email))
        data = [post.event["data"] for post in own.posts]
        assert [each["topic"] for each in data if each["subscriber_id"] == about] == topics
    assert rows(hooks) == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("0", 0),
        ("120", 120),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 30, None),
        ("soon", None),
        ("Sun, 22 Nov 2026 14:06:00 GMT", 60),
        ("Sun, 22 Nov 2026 14:06:00 -0000", 60),
        ("Sun, 22 Nov 2020 14:06:00 GMT", 0),
        ("Sun, 22 Nov 99999999 14:06:00 GMT", None),
    ],
)
def test_how_long_a_receiver_asks_to_wait(header: str, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert wait(header, make.NOW) == expected


@given(st.text(st.characters(max_codepoint=255)))
def test_any_header_is_read(header: str) -> None:
    found = wait(header, make.NOW)
    assert found is None or found >= timedelta(0)
