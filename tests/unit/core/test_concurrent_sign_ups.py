"""Sign-ups at the same moment: no limit is exceeded, and a link works once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from preference_center.core import request_limits, verification
from preference_center.store import Database
from preference_center.store.tables import OutboxRow, SignUpRow, SubscriberRow
from tests.support import make
from tests.support.signing_up import press, request

pytestmark = pytest.mark.integration

ENGINES = ("sqlite", "postgresql", "distributed")
THREADS = 6


def at_once(ask: Callable[[int], bool], times: int) -> int:
    """Ask often from several threads, and return how often the answer was True."""
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(ask, range(times)))


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_mailbox_gets_three_emails_however_many_ask_at_once(database: Database) -> None:
    mailbox = uuid4()

    def ask(number: int) -> bool:
        with database.transaction() as session:
            return request_limits.take(session, mailbox, make.NOW + timedelta(seconds=number))

    assert at_once(ask, 30) == 3


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_the_hourly_limit_holds_for_all_workers(database: Database) -> None:
    def ask(_: int) -> bool:
        with database.transaction() as session:
            return request_limits.take_hourly(session, make.NOW, 7, is_postponed=False)

    assert at_once(ask, 30) == 7


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_requests_at_once_store_what_is_sent(database: Database) -> None:
    mailbox = uuid4()

    def ask(_: int) -> bool:
        with database.transaction() as session:
            request(session, mailbox=mailbox, wording="Email me.")
        return True

    at_once(ask, 12)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(SignUpRow)) == 3
        assert session.scalar(select(func.count()).select_from(OutboxRow)) == 1  # still pending
        assert session.scalar(select(func.count()).select_from(SubscriberRow)) == 0


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_link_that_is_pressed_at_once_works_once(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)
        sign_up = request(session)

    def ask(_: int) -> bool:
        with database.transaction() as session:
            return press(session, sign_up).changed

    assert at_once(ask, THREADS) == 1
    with database.reading() as session:
        assert make.events(session).count(("subscribed", "weekly-news")) == 1
        assert [each for each in verification.verify(session) if each] == []
