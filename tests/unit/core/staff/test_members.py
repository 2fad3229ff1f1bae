"""Members of staff: invitations, roles, and the last admin."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import identities, members, passkeys, sessions
from preference_center.core.staff.identities import Identity
from preference_center.core.staff.passkeys import Passkey
from preference_center.core.staff_vocab import Right, StaffRole
from tests.support.make import NOW

ADA = "ada@example.org"
Enrol = Callable[[Session, UUID], None]


def invite(session: Session, email: str = ADA, role: StaffRole | None = StaffRole.ADMIN) -> str:
    return members.invite(session, email, role, NOW, by=None)[1]


def test_an_invitation_works_once_within_its_time(session: Session) -> None:
    token = invite(session)
    late = NOW + members.INVITATION_LIFETIME
    assert members.invited(session, token, late) is None
    assert members.use_invitation(session, token, late - timedelta(seconds=1)) is not None
    assert members.use_invitation(session, token, NOW) is None


def test_a_new_invitation_replaces_the_one_before(session: Session) -> None:
    first = invite(session)
    second = invite(session, ADA.upper(), None)
    assert members.invited(session, first, NOW) is None
    found = members.invited(session, second, NOW)
    assert found is not None
    assert (found.email, found.role) == (ADA, StaffRole.ADMIN)


def test_an_unknown_member_needs_a_role(session: Session) -> None:
    with pytest.raises(StaffRefusal, match="give a role"):
        invite(session, role=None)


def test_a_member_who_was_removed_can_be_invited_again(session: Session) -> None:
    invite(session)
    invite(session, "bob@example.org")
    members.remove(session, ADA, by=None, now=NOW)
    assert [each.email for each in members.list_all(session)] == ["bob@example.org"]
    invite(session, role=StaffRole.VIEWER)
    assert [each.role for each in members.list_all(session)] == [StaffRole.VIEWER, StaffRole.ADMIN]


def with_passkey(session: Session, member: UUID) -> None:
    passkeys.add(session, Passkey(member.bytes, member, b"key", 0, "Phone", NOW), NOW)


def with_identity(session: Session, member: UUID) -> None:
    found = next(each for each in members.list_all(session) if each.id == member)
    identities.bind(session, found, Identity("https://id.example.org", str(member)), NOW)


ENROL: tuple[Enrol, ...] = (with_passkey, with_identity)


@pytest.mark.parametrize("enrol", ENROL)
def test_the_last_admin_who_can_sign_in_stays_an_admin(session: Session, enrol: Enrol) -> None:
    ada, bob = (
        members.invite(session, email, StaffRole.ADMIN, NOW, by=None)[0]
        for email in (ADA, "bob@example.org")
    )
    enrol(session, ada.id)  # Bob is only invited.
    for role in (StaffRole.VIEWER, StaffRole.SUPPORT):
        with pytest.raises(StaffRefusal, match="the last admin"):
            members.change(session, ADA, role, may_export=True, by=None, now=NOW)
        with pytest.raises(StaffRefusal, match="the last admin"):
            invite(session, role=role)
    with pytest.raises(StaffRefusal, match="the last admin"):
        members.remove(session, ADA, by=None, now=NOW)
    enrol(session, bob.id)
    members.remove(session, ADA, by=None, now=NOW)
    with pytest.raises(StaffRefusal, match="the last admin"):
        members.remove(session, "bob@example.org", by=None, now=NOW)


def test_an_admin_who_was_invited_by_mistake_is_removed(session: Session) -> None:
    invite(session)
    members.remove(session, ADA, by=None, now=NOW)
    assert members.list_all(session) == []


def test_a_member_does_not_give_themselves_the_right_to_export(session: Session) -> None:
    ada = members.invite(session, ADA, StaffRole.ADMIN, NOW, by=None)[0]
    bob = members.invite(session, "bob@example.org", StaffRole.ADMIN, NOW, by=None)[0]
    wanted: dict[str, Any] = {"may_export": True, "now": NOW}
    with pytest.raises(StaffRefusal, match="another admin"):
        members.change(session, ADA, StaffRole.ADMIN, by=ada.id, **wanted)
    for by in (bob.id, ada.id):  # What another has given can be saved again.
        assert Right.EXPORT in members.change(session, ADA, StaffRole.ADMIN, by=by, **wanted).rights


def test_only_a_grant_lets_a_member_export(session: Session) -> None:
    assert all(Right.EXPORT not in role.rights for role in StaffRole)
    invite(session)
    changed = members.change(session, ADA, StaffRole.ADMIN, may_export=True, by=None, now=NOW)
    assert Right.EXPORT in changed.rights


def test_what_is_added_while_its_member_is_removed_does_not_hold(session: Session) -> None:
    invite(session)
    member = members.invite(session, "bob@example.org", StaffRole.ADMIN, NOW, by=None)[0]
    members.remove(session, "bob@example.org", by=None, now=NOW)
    token = sessions.start(session, member.id, NOW, "a passkey that was added just before")
    with_passkey(session, member.id)
    assert sessions.find(session, token, NOW) is None
    invite(session, "bob@example.org", StaffRole.VIEWER)
    assert sessions.find(session, token, NOW) is None
    assert passkeys.list_of(session, member.id) == []
