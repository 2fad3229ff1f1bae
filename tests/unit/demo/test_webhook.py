"""The demo's page of a webhook: what waits for the program, and what the program has received."""

import json
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from preference_center.core import feed, webhook_deliveries, webhook_results, webhooks
from preference_center.core.webhook_deliveries import LeasedDelivery
from preference_center.core.webhook_results import Result
from preference_center.demo import company, receiver
from preference_center.demo.app import create_demo_app
from preference_center.demo.inbox import FolderTransport
from preference_center.demo.receiver import TOPIC, Program
from preference_center.outbound import webhook_signing
from preference_center.store import Database
from tests.support import make

pytestmark = pytest.mark.integration

PAGE = "/demo/webhook"
LEFT, READER = company.people()[1:3]


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """Yield a database in which one of two readers has left. No event has its position."""
    path = tmp_path / "demo.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = make.database(f"sqlite:///{path}")
    with database.transaction() as session:
        company.add_topics(session, make.NOW)
        for email in (LEFT, READER):
            make.subscriber(session, email, TOPIC)
        make.unsubscribe(session, LEFT, TOPIC)
    yield database
    database.close()


@pytest.fixture
def demo(database: Database, tmp_path: Path) -> Iterator[FlaskClient]:
    settings = make.settings(database_url=str(database.engine.url))
    app = create_demo_app(settings, tmp_path, clock=lambda: make.NOW)
    yield app.test_client(use_cookies=False)
    app.extensions["preference_center"].database.close()


@pytest.fixture
def program(demo: FlaskClient, tmp_path: Path) -> Program:
    """Return the program, once its webhook was added."""
    demo.post(f"{PAGE}/add")
    program = receiver.load(tmp_path)
    assert program is not None
    return program


def text(demo: FlaskClient) -> str:
    return " ".join(demo.get(PAGE).text.split())


def leave(database: Database, program: Program, slug: str = TOPIC) -> None:
    """Unsubscribe the program's reader, and make a delivery of the event."""
    with database.transaction() as session:
        make.unsubscribe(session, program.reader, slug)
        feed.number(session, make.NOW)
        webhook_deliveries.spread(session, UUID(program.webhook_id), make.NOW)


def lease(database: Database, program: Program) -> LeasedDelivery:
    with database.transaction() as session:
        leased = webhook_deliveries.lease(session, UUID(program.webhook_id), make.NOW)
    assert leased is not None
    return leased


def test_the_webhook_is_added_for_later_events_about_a_reader_who_gets_the_topic(
    demo: FlaskClient, database: Database, program: Program
) -> None:
    assert program.reader == READER
    page = text(demo)
    assert READER in page
    assert "Not accepted yet" not in page
    assert "refresh" not in page
    with database.reading() as session:
        (webhook,) = webhooks.list_all(session)
        assert webhook.acknowledged == feed.last_position(session) > 0
    demo.post(f"{PAGE}/add")
    with database.reading() as session:
        assert [each.id for each in webhooks.list_all(session)] == [webhook.id]


def test_what_waits_is_shown_with_the_next_attempt_and_its_order(
    demo: FlaskClient, database: Database, program: Program
) -> None:
    leave(database, program)
    leave(database, program, "offers")
    page = text(demo)
    assert "It is about to be posted." in page
    assert "It waits for row 2, because" in page
    assert 'http-equiv="refresh" content="2"' in page
    leased = lease(database, program)
    assert "attempt" not in text(demo)
    with database.transaction() as session:
        webhook_results.settle(session, leased, Result(503, ""), make.NOW)
    page = text(demo)
    assert "1 attempt failed. The next attempt is due at 14:05:05 UTC." in page
    assert page.count("It is about to be posted.") == 0


def test_an_event_that_has_no_delivery_yet_is_waited_for(
    demo: FlaskClient, database: Database, program: Program
) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, company.READER, TOPIC)
    assert 'http-equiv="refresh" content="2"' in text(demo)
    with database.transaction() as session:
        feed.number(session, make.NOW)
    assert 'http-equiv="refresh" content="2"' in text(demo)


def test_a_signed_request_is_shown_and_another_one_is_not(
    demo: FlaskClient, database: Database, program: Program
) -> None:
    leave(database, program)
    event = lease(database, program).event
    assert event is not None
    sent = json.dumps(event.payload()).encode()
    headers = webhook_signing.headers([program.secret], event.id, make.NOW, sent)
    other = headers | {"webhook-id": "other"}
    for given, status in ((other, 401), (headers, 204)):
        assert demo.post(f"{PAGE}/events", data=sent, headers=given).status_code == status
    page = text(demo)
    assert page.count("answered 204") == 1
    assert "answered 401" not in page
    assert f"<mark>webhook-signature: {headers['webhook-signature']}</mark>" in page
    demo.post(f"{PAGE}/stop")
    assert demo.post(f"{PAGE}/events", data=sent, headers=headers).status_code == 503
    assert "The program has been stopped since 14:05:00 UTC." in text(demo)
    demo.post(f"{PAGE}/start")
    assert demo.post(f"{PAGE}/events", data=sent, headers=headers).status_code == 204
    assert "was delivered again" in demo.get("/demo/").text


def test_a_test_event_is_shown(demo: FlaskClient, program: Program) -> None:
    sent = json.dumps({"id": "test-1", "type": "webhook.test", "data": {}}).encode()
    headers = webhook_signing.headers([program.secret], "test-1", make.NOW, sent)
    demo.post(f"{PAGE}/events", data=sent, headers=headers)
    assert "webhook.test" in text(demo)


def test_a_webhook_that_was_removed_can_be_added_again(
    demo: FlaskClient, database: Database, program: Program, tmp_path: Path
) -> None:
    with database.transaction() as session:
        webhooks.remove(session, UUID(program.webhook_id))
    assert "Add the webhook" in text(demo)
    demo.post(f"{PAGE}/add")
    assert receiver.load(tmp_path) != program
    assert "Stop the program" in text(demo)


@pytest.mark.parametrize("action", ["leave", "undo"])
def test_nothing_changes_before_there_is_a_webhook(demo: FlaskClient, action: str) -> None:
    assert demo.post(f"{PAGE}/{action}").status_code == 404


def test_emails_to_others_are_not_in_adas_inbox(tmp_path: Path) -> None:
    transport, message = FolderTransport(tmp_path), EmailMessage()
    message["Message-ID"] = "<one@example.org>"
    transport.send(message, "", READER)
    assert list(tmp_path.iterdir()) == []
    transport.send(message, "", company.READER)
    assert [each.name for each in tmp_path.iterdir()] == ["one.eml"]
