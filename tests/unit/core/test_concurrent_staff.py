"""Forms of the console that are sent twice at the same moment, as a double click does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import select

from preference_center.core import topics
from preference_center.core.errors import TopicExistsError
from preference_center.core.staff import forms, members
from preference_center.core.staff_vocab import StaffRole
from preference_center.core.topics import NewTopic
from preference_center.store import Database
from preference_center.store.tables import StaffInvitation, StaffRow
from tests.support import make

pytestmark = pytest.mark.integration

THREADS = 4


def at_once(ask: Callable[[], bool]) -> int:
    """Ask from several threads at once, and return how often the answer was True."""
    barrier = Barrier(THREADS)

    def wait(_: int) -> bool:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(wait, range(THREADS)))


def test_a_member_is_invited_once_and_the_last_link_works(database: Database) -> None:
    def invite() -> bool:
        with database.transaction() as session:
            members.invite(session, "ada@example.org", StaffRole.VIEWER, make.NOW, by=None)
        return True

    assert at_once(invite) == THREADS
    with database.reading() as session:
        assert len(session.scalars(select(StaffRow)).all()) == 1
        assert len(session.scalars(select(StaffInvitation)).all()) == 1


def test_a_topic_is_added_once(database: Database) -> None:
    def add() -> bool:
        try:
            with database.transaction() as session:
                topics.add(session, NewTopic("offers", "Offers"), make.NOW)
        except TopicExistsError:
            return False
        return True

    assert at_once(add) == 1


def test_a_form_that_is_sent_twice_is_first_once(database: Database) -> None:
    def send() -> bool:
        new = uuid4()
        with database.transaction() as session:
            return forms.record(session, b"form", new, make.NOW) == new

    assert at_once(send) == 1
