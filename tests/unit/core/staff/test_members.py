"""Members of staff: invitations, roles, and the last admin."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import members, sessions
from preference_center.core.staff_vocab import Right, StaffRole
from tests.support.make import NOW

ADA = "ada@example.org"


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


def test_the_last_admin_is_neither_removed_nor_given_another_role(session: Session) -> None:
    invite(session)
    invite(session, "bob@example.org", StaffRole.SUPPORT)
    with pytest.raises(StaffRefusal, match="the last admin"):
        members.remove(session, ADA, by=None, now=NOW)
    with pytest.raises(StaffRefusal, match="the last admin"):
        members.change(session, ADA, StaffRole.VIEWER, may_export=True, by=None, now=NOW)
    with pytest.raises(StaffRefusal, match="the last admin"):
        invite(session, role=StaffRole.VIEWER)


def test_only_a_grant_lets_a_member_export(session: Session) -> None:
    assert all(Right.EXPORT not in role.rights for role in StaffRole)
    invite(session)
    changed = members.change(session, ADA, StaffRole.ADMIN, may_export=True, by=None, now=NOW)
    assert Right.EXPORT in changed.rights


def test_a_session_that_begins_while_its_member_is_removed_does_not_hold(session: Session) -> None:
    invite(session)
    member = members.invite(session, "bob@example.org", StaffRole.ADMIN, NOW, by=None)[0]
    members.remove(session, "bob@example.org", by=None, now=NOW)
    token = sessions.start(session, member.id, NOW, "a passkey that was added just before")
    assert sessions.find(session, token, NOW) is None
