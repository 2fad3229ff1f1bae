"""Emails to members of staff: who gets them, and that their links are nowhere else."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from preference_center.core import outbox
from preference_center.core.staff import members
from preference_center.core.staff_vocab import StaffRole
from preference_center.core.vocab import OutboxKind, OutboxState, Source
from preference_center.outbound.transport import TemporaryError
from preference_center.store import Database, sending_export_queries
from preference_center.store.export_queries import ExportFilter
from preference_center.store.tables import Base, OutboxRow
from tests.support import make
from tests.support.mailer import Mailer, links, plain

EVE = "eve@example.org"
HOUR = timedelta(hours=1)
NOW = timedelta(0)


def invite(database: Database, role: StaffRole | None = StaffRole.VIEWER) -> UUID:
    with database.transaction() as session:
        return members.invite_by_email(session, EVE, role, make.NOW, by=None).id


def rows(database: Database) -> dict[str, list[Any]]:
    """Return the rows of each table."""
    with database.reading() as session:
        return {
            each.name: [tuple(row) for row in session.execute(select(each))]
            for each in Base.metadata.sorted_tables
        }


def opens(database: Database, token: str, after: timedelta) -> bool:
    with database.transaction() as session:
        return members.use_invitation(session, token, make.NOW + after) is not None


def token_in(mailer: Mailer, number: int = -1) -> str:
    [link, *_] = links(mailer.sent[number])
    address, _, token = link.partition("#")
    assert address == "https://mail.example.org/console/welcome"
    return token


def test_an_invitation_is_emailed_with_a_link_that_starts_then(database: Database) -> None:
    invite(database)
    mailer = Mailer(database)
    assert mailer.send_due(HOUR) == ["Your invitation to the console of Northwind Letters"]
    [message] = mailer.sent
    assert (message["To"], message["Content-Language"]) == (EVE, "en")
    assert "with the role viewer" in plain(message)
    token = token_in(mailer)
    assert opens(database, token, HOUR + members.INVITATION_LIFETIME - timedelta(seconds=1))
    assert not opens(database, token, HOUR)


def test_the_link_is_in_no_table_and_in_no_log(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    invite(database)
    mailer = Mailer(database)
    mailer.send_due(NOW)
    assert token_in(mailer) not in f"{rows(database)}{caplog.text}"


def test_a_member_who_is_suppressed_as_a_subscriber_is_emailed(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, EVE, "weekly-news")
        make.unsubscribe(session, EVE, slug=None, source=Source.COMPLAINT)
    before = rows(database)
    invite(database)
    assert len(Mailer(database).send_due(NOW)) == 1
    after = rows(database)
    kept = ("subscribers", "subscriptions", "suppressions", "ledger", "claims")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_two_presses_send_one_email_and_a_removed_member_gets_none(database: Database) -> None:
    invite(database)
    invite(database)
    mailer = Mailer(database)
    assert len(mailer.send_due(NOW)) == 1
    invite(database)
    with database.transaction() as session:
        members.invite(session, "ada@example.org", StaffRole.ADMIN, make.NOW, by=None)
        members.remove(session, EVE, by=None, now=make.NOW)
    assert len(mailer.send_due(NOW)) == 1
    with database.reading() as session:
        assert set(session.scalars(select(OutboxRow.state))) == {
            OutboxState.SENT,
            OutboxState.DROPPED,
        }


def test_the_link_of_an_earlier_attempt_works_until_one_of_them_is_used(
    database: Database,
) -> None:
    staff_id = invite(database)
    mailer = Mailer(database, refusal=TemporaryError("later"))
    mailer.send_due(NOW)
    mailer.refusal = None
    mailer.send_due(timedelta(minutes=5))
    with database.transaction() as session:
        again = members.new_link(session, staff_id, make.NOW)
    assert opens(database, token_in(mailer), NOW)
    assert not opens(database, again, NOW)


def test_an_export_of_our_emails_has_those_to_subscribers_only(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org")
        outbox.request(session, [(make.id_of(), OutboxKind.LINK, "")], make.NOW)
    invite(database)
    with database.reading() as session:
        rows = session.execute(sending_export_queries.outbox(ExportFilter())).all()
    assert [row.kind for row in rows] == [OutboxKind.LINK]
