"""Passkeys and challenges: each challenge is answered once, and a copied passkey is refused."""

from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import members, passkeys, signing_in
from preference_center.core.staff.passkeys import Passkey
from preference_center.core.staff_vocab import StaffRole
from tests.support.make import NOW


@pytest.fixture
def member(session: Session) -> UUID:
    return members.invite(session, "ada@example.org", StaffRole.ADMIN, NOW, by=None)[0].id


def added(session: Session, member: UUID, key: bytes = b"1", signatures: int = 0) -> Passkey:
    passkey = Passkey(key, member, b"key", signatures, key.decode(), NOW)
    passkeys.add(session, passkey, NOW)
    return passkey


def test_a_challenge_is_answered_once(session: Session) -> None:
    challenge = passkeys.new_challenge(session, NOW)
    assert passkeys.take_challenge(session, challenge, NOW)
    assert not passkeys.take_challenge(session, challenge, NOW)


def test_a_challenge_expires_and_is_deleted(session: Session) -> None:
    challenge = passkeys.new_challenge(session, NOW)
    late = NOW + passkeys.CHALLENGE_LIFETIME
    assert not passkeys.take_challenge(session, challenge, late)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 1), (3, 4)])
def test_a_count_that_rises_or_is_not_kept_is_accepted(
    session: Session, member: UUID, before: int, after: int
) -> None:
    passkey = added(session, member, signatures=before)
    passkeys.was_used(session, passkey, after, NOW)
    [found] = passkeys.list_of(session, member)
    assert (found.signatures, found.last_used_at) == (after, NOW)


@pytest.mark.parametrize("after", [0, 2, 3])
def test_a_count_that_does_not_rise_is_refused(session: Session, member: UUID, after: int) -> None:
    passkey = added(session, member, signatures=3)
    with pytest.raises(StaffRefusal, match="copied"):
        passkeys.was_used(session, passkey, after, NOW)


def test_the_last_passkey_stays(session: Session, member: UUID) -> None:
    added(session, member)
    with pytest.raises(StaffRefusal, match="only passkey"):
        passkeys.remove(session, member, b"1", NOW)
    added(session, member, b"2")
    passkeys.remove(session, member, b"1", NOW)
    assert [each.id for each in passkeys.list_of(session, member)] == [b"2"]


def test_a_passkey_belongs_to_one_member(session: Session, member: UUID) -> None:
    added(session, member)
    with pytest.raises(StaffRefusal, match="in use"):
        added(session, member)


def test_an_unknown_passkey_signs_nobody_in(session: Session) -> None:
    challenge = passkeys.new_challenge(session, NOW)
    with pytest.raises(StaffRefusal, match="not known"):
        signing_in.with_passkey(session, challenge, b"?", lambda _: 1, NOW)


def test_without_a_challenge_of_ours_nothing_is_verified(session: Session, member: UUID) -> None:
    added(session, member)
    with pytest.raises(StaffRefusal, match="too long"):
        signing_in.with_passkey(session, b"made up", b"1", lambda _: 1, NOW)
