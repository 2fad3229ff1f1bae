"""Sign in with a passkey or an identity; an invitation comes before the first time."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import identities, members, passkeys, sessions
from preference_center.core.staff.identities import Identity
from preference_center.core.staff.members import Member
from preference_center.core.staff.passkeys import Passkey
from preference_center.store import queries
from preference_center.store.tables import StaffSignIn

MAX_REQUESTS = 30  # of a client in each WINDOW; a passkey takes two
WINDOW = timedelta(minutes=1)
_EXPIRED = "this took too long; try again"


def take_request(session: Session, client: bytes, now: datetime) -> bool:
    """Count a request of a client; return False if it has had MAX_REQUESTS. Delete old counts.

    All processes share the counts. `client` is 32 bytes: a keyed digest of an address.
    """
    row = StaffSignIn
    session.execute(delete(row).where(row.since <= now - WINDOW))
    new = queries.insert(session, row).values(client=client, since=now, requests=1)
    counted = new.on_conflict_do_update(
        index_elements=[row.client],
        set_={"requests": row.requests + 1},
        where=row.requests < MAX_REQUESTS,
    )
    return session.scalar(counted.returning(row.client)) is not None


def with_passkey(
    session: Session,
    challenge: bytes,
    passkey_id: bytes,
    verify: Callable[[Passkey], int],
    now: datetime,
) -> str:
    """Return the token of a new session. `verify` returns the passkey's count of signatures.

    Raises:
        StaffRefusal: the challenge is used or expired, or the passkey unknown or copied.
    """
    if not passkeys.take_challenge(session, challenge, now):
        raise StaffRefusal(_EXPIRED)
    found = passkeys.find(session, passkey_id)
    if found is None:
        raise StaffRefusal("this passkey is not known here, or was removed")
    passkeys.was_used(session, found, verify(found), now)
    return sessions.start(session, found.staff_id, now, found.name)


def with_invitation(
    session: Session,
    token: str,
    challenge: bytes,
    create: Callable[[Member], Passkey],
    now: datetime,
) -> str:
    """Store the passkey that `create` returns, and return the token of a new session.

    Raises:
        StaffRefusal: the invitation or the challenge is used or expired.
    """
    if not passkeys.take_challenge(session, challenge, now):
        raise StaffRefusal(_EXPIRED)
    member = _invited(session, token, now)
    passkey = create(member)
    passkeys.add(session, passkey, now)
    return sessions.start(session, member.id, now, passkey.name)


def with_identity(session: Session, identity: Identity, now: datetime) -> str:
    """Return the token of a new session of the member who has this identity.

    Raises:
        StaffRefusal: no member has it.
    """
    member = identities.known_as(session, identity)
    if member is None:
        raise StaffRefusal("this account belongs to no member; open the link of your invitation")
    return sessions.start(session, member.id, now, identity.issuer)


def with_identity_and_invitation(
    session: Session, token: str, identity: Identity, now: datetime
) -> str:
    """Bind an identity to the member who was invited, and return the token of a new session.

    Raises:
        StaffRefusal: the invitation is used or expired, or another member has the identity.
    """
    member = _invited(session, token, now)
    identities.bind(session, member, identity, now)
    return sessions.start(session, member.id, now, identity.issuer)


def _invited(session: Session, token: str, now: datetime) -> Member:
    """Use an invitation, and return the member."""
    member = members.use_invitation(session, token, now)
    if member is None:
        raise StaffRefusal("this link was used, replaced, or is older than 30 minutes")
    return member


def add_passkey(session: Session, challenge: bytes, passkey: Passkey, now: datetime) -> None:
    """Store a further passkey of a member who is signed in.

    Raises:
        StaffRefusal: the challenge is used or expired, or the passkey is on record.
    """
    if not passkeys.take_challenge(session, challenge, now):
        raise StaffRefusal(_EXPIRED)
    passkeys.add(session, passkey, now)
