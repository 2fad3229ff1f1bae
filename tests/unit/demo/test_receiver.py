"""The demo's program that receives webhooks: what it accepts, and what it learns."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from preference_center.core.webhooks import new_secret
from preference_center.demo import receiver
from preference_center.demo.receiver import ACCEPTED, NOT_SIGNED, STOPPED, TOPIC, Program
from preference_center.outbound import webhook_signing
from tests.support import make

BEN = "ben@example.org"
SECRET = new_secret()
SECOND = timedelta(seconds=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = Program("webhook", SECRET, BEN, str(make.id_of(BEN)), make.NOW)
    receiver.save(tmp_path, program)
    return tmp_path


def body(seq: int, kind: str = "topic.stopped", email: str = BEN, topic: str = TOPIC) -> bytes:
    about = str(make.id_of(email))
    data = {"subscriber_id": about, "topic": topic, "seq": seq}
    return json.dumps({"id": f"{about}-{seq}", "type": kind, "data": data}).encode()


def post(
    folder: Path, sent: bytes, *, secret: str = SECRET, age: timedelta = 0 * SECOND, **changed: str
) -> int:
    """Post a signed event; `changed` are headers that were not signed like this."""
    event = json.loads(sent)
    headers = webhook_signing.headers([secret], event["id"], make.NOW - age, sent)
    named = {name.replace("_", "-"): value for name, value in changed.items()}
    return receiver.receive(folder, {**headers, **named}, sent, make.NOW)


def known(folder: Path) -> Program:
    program = receiver.load(folder)
    assert program is not None
    return program


def test_a_signed_event_is_accepted_and_kept_with_its_headers(folder: Path) -> None:
    assert post(folder, body(4)) == ACCEPTED
    newest = known(folder).newest
    assert newest is not None
    assert newest.body == body(4).decode()
    assert set(newest.headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}


@pytest.mark.parametrize(
    "fault",
    [
        {"secret": new_secret()},
        {"age": timedelta(minutes=6)},
        {"age": timedelta(minutes=-6)},
        {"webhook_id": "another"},
        {"webhook_signature": "v1,"},
        {"webhook_signature": ""},
        {"webhook_timestamp": "9" * 400},
        {"webhook_timestamp": "٣"},
        {"webhook_timestamp": ""},
    ],
    ids=lambda fault: "-".join(fault),
)
def test_what_is_not_signed_is_refused_and_not_kept(folder: Path, fault: dict[str, Any]) -> None:
    assert post(folder, body(4), **fault) == NOT_SIGNED
    assert known(folder).posted == ()


def test_an_event_with_two_signatures_needs_one_that_is_valid(folder: Path) -> None:
    sent = body(4)
    other, own = (
        webhook_signing.headers([each], json.loads(sent)["id"], make.NOW, sent)["webhook-signature"]
        for each in (new_secret(), SECRET)
    )
    assert post(folder, sent, webhook_signature=f"{other} {own}") == ACCEPTED


def test_without_a_webhook_nothing_is_accepted(tmp_path: Path) -> None:
    assert post(tmp_path, body(4)) == NOT_SIGNED
    receiver.switch(tmp_path, make.NOW, is_running=False)
    assert receiver.load(tmp_path) is None


def test_a_stopped_program_learns_of_an_event_when_it_comes_again(folder: Path) -> None:
    receiver.switch(folder, make.NOW + SECOND, is_running=False)
    assert post(folder, body(4)) == STOPPED
    assert (known(folder).gets, known(folder).delivered_again) == (True, False)
    receiver.switch(folder, make.NOW + 2 * SECOND, is_running=True)
    receiver.switch(folder, make.NOW + 3 * SECOND, is_running=True)
    assert known(folder).since == make.NOW + 2 * SECOND
    assert post(folder, body(4)) == ACCEPTED
    assert (known(folder).gets, known(folder).delivered_again) == (False, True)
    assert [each.status for each in known(folder).posted] == [STOPPED, ACCEPTED]


def test_an_event_that_comes_twice_is_not_delivered_again(folder: Path) -> None:
    assert [post(folder, body(4)) for _ in range(2)] == [ACCEPTED] * 2
    assert not known(folder).delivered_again


def test_only_a_newer_event_about_its_reader_and_topic_is_applied(folder: Path) -> None:
    post(folder, body(4))
    post(folder, body(3, "topic.started"))
    post(folder, body(5, "topic.started", email="eve@example.org"))
    post(folder, body(6, "topic.started", topic="offers"))
    post(folder, body(7, "topic.changed"))
    assert (known(folder).gets, known(folder).seq) == (False, 4)
    post(folder, body(8, "topic.started"))
    assert (known(folder).gets, known(folder).seq) == (True, 8)


def test_a_test_event_is_accepted(folder: Path) -> None:
    sent = json.dumps({"id": "test-1", "type": "webhook.test", "data": {}}).encode()
    assert post(folder, sent) == ACCEPTED
    assert known(folder).posted[0].subscriber_id is None


def test_the_newest_requests_are_kept(folder: Path) -> None:
    for seq in range(1, 31):
        post(folder, body(seq))
    seqs = [each.event["data"]["seq"] for each in known(folder).posted]
    assert seqs == list(range(19, 31))


def test_only_its_owner_can_read_the_secret(folder: Path) -> None:
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0
