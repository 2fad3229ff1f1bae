"""Forms of the console that are sent twice at the same moment, as a double click does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.errors import StaffRefusal, TopicExistsError
from preference_center.core.staff import forms, identities, members, passkeys
from preference_center.core.staff.identities import Identity
from preference_center.core.staff.members import Member
from preference_center.core.staff.passkeys import Passkey
from preference_center.core.staff_vocab import StaffRole
from preference_center.core.topics import NewTopic
from preference_center.store import Database
from preference_center.store.tables import StaffInvitation, StaffRow
from tests.support import make

pytestmark = pytest.mark.integration

THREADS = 4
ADA, BOB = "ada@example.org", "bob@example.org"


def at_once(ask: Callable[[], bool]) -> int:
    """Ask from several threads at once, and return how often the answer was True."""
    barrier = Barrier(THREADS)

    def wait_and_ask(_: int) -> bool:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(wait_and_ask, range(THREADS)))


Make = Callable[[Session], object]


def is_made_meanwhile(database: Database, first: Make, second: Make) -> bool:
    """Make a change, and another one before the first is committed; return False if it is refused.

    The second has to wait, or it does not know of the first.
    """
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            first(session)
            later = pool.submit(made(database, second))
            wait([later], timeout=0.2)
        return later.result()


def admins(database: Database) -> list[Member]:
    """Return two admins, who have two passkeys each."""
    with database.transaction() as session:
        for email in (ADA, BOB):
            member, _ = members.invite(session, email, StaffRole.ADMIN, make.NOW, by=None)
            for number in b"12":
                key = bytes([number]) + member.id.bytes
                passkey = Passkey(key, member.id, b"key", 0, "Phone", make.NOW)
                passkeys.add(session, passkey, make.NOW)
        return members.list_all(session)


def made(database: Database, change: Make) -> Callable[[], bool]:
    """Return a function that makes a change, and returns False if it is refused."""

    def make_it() -> bool:
        try:
            with database.transaction() as session:
                change(session)
        except StaffRefusal:
            return False
        return True

    return make_it


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


def test_a_form_that_is_sent_twice_creates_what_it_created_first(database: Database) -> None:
    first, second = uuid4(), uuid4()
    created = []

    def send(session: Session, new: UUID) -> None:
        created.append(forms.record(session, b"form", new, make.NOW))

    sent = [partial(send, new=new) for new in (first, second)]
    assert is_made_meanwhile(database, *sent)
    assert created == [first, first]


def test_two_admins_do_not_remove_each_other(database: Database) -> None:
    ada, bob = admins(database)
    assert not is_made_meanwhile(
        database,
        lambda session: members.remove(session, BOB, by=ada.id, now=make.NOW),
        lambda session: members.invite(session, ADA, StaffRole.VIEWER, make.NOW, by=bob.id),
    )


def test_one_passkey_is_left_when_both_are_removed_at_once(database: Database) -> None:
    ada, _ = admins(database)
    removals = [
        partial(passkeys.remove, staff_id=ada.id, passkey_id=key + ada.id.bytes, now=make.NOW)
        for key in (b"1", b"2")
    ]
    assert not is_made_meanwhile(database, *removals)


def test_an_identity_is_bound_to_one_of_two_members(database: Database) -> None:
    identity = Identity("https://id.example.org", "1001")
    binds = [
        partial(identities.bind, member=each, identity=identity, now=make.NOW)
        for each in admins(database)
    ]
    assert not is_made_meanwhile(database, *binds)


def test_a_passkey_is_stored_once(database: Database) -> None:
    ada, _ = admins(database)
    passkey = Passkey(b"new", ada.id, b"key", 0, "Phone", make.NOW)
    add = partial(passkeys.add, passkey=passkey, now=make.NOW)
    assert not is_made_meanwhile(database, add, add)
