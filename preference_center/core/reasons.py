"""Why people leave: asked after leaving, optional, and without its person after 90 days."""

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core.errors import InvalidReasonError
from preference_center.store.tables import LedgerRow, Reason

CODES = (
    "too_many",
    "not_relevant",
    "no_longer_interested",
    "never_signed_up",
    "changed_address",
    "content_quality",
    "other",
    "prefer_not_say",
)
MAX_NOTE_LENGTH = 500  # characters

_ADDRESS = re.compile(
    r"[^\s<>()]{0,98}[^\s<>()@]@[^\s<>()]+"
    r"|[^\s<>]{1,99} ?(?:@|[(\[]at[)\]]) ?[^\s<>]{1,99}\.\w+",
    re.IGNORECASE,
)
# Telephone, card and account numbers: five digits or more, however they are grouped.
_NUMBER = re.compile(r"\+?\d(?:[\W_]{0,3}\d){4,}")


def record(
    session: Session, subscriber_id: UUID, seq: int, code: str, note: str, now: datetime
) -> None:
    """Keep why somebody made the change of ledger row `seq`; a second answer replaces the first.

    Raise InvalidReasonError for an unknown code, or for a note that is too long.
    """
    if code not in CODES or len(note) > MAX_NOTE_LENGTH:
        raise InvalidReasonError("a reason is one of the codes, with 500 characters at most")
    row = session.get_one(LedgerRow, (subscriber_id, seq))
    session.merge(
        Reason(
            subscriber_id=subscriber_id,
            seq=seq,
            given_at=now,
            week=week_of(now),
            topic=row.topic,
            campaign=row.campaign,
            code=code,
            note=masked(note),
        )
    )


def get(session: Session, subscriber_id: UUID, seq: int) -> str | None:
    """Return the code of the reason that was given for a change, or None."""
    reason = session.get(Reason, (subscriber_id, seq))
    return reason.code if reason is not None else None


def masked(note: str) -> str:
    """Return a note without what looks like an address or a number of somebody's."""
    # NFKC: digits and @ come in other shapes too, and a telephone's keyboard may write them.
    plain = " ".join(unicodedata.normalize("NFKC", note.replace("\x00", " ")).split())
    return _NUMBER.sub("[number]", _ADDRESS.sub("[address]", plain))


def week_of(at: datetime) -> date:
    """Return the Monday of a week, UTC."""
    day = at.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())
