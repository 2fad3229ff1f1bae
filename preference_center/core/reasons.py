"""The reasons why subscribers leave. They are optional, and anonymized after a retention period."""

import re
import unicodedata
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core.errors import InvalidReasonError
from preference_center.core.vocab import ReasonCode
from preference_center.store.report_queries import day_of, monday_of
from preference_center.store.tables import LedgerRow, Reason
from preference_center.util.text import without_controls

MAX_NOTE_LENGTH = 500  # characters

_ADDRESS = re.compile(
    r"[^\s<>()]{0,98}[^\s<>()@]@[^\s<>()]+"
    r"|[^\s<>]{1,99} ?(?:@|[(\[]at[)\]]) ?[^\s<>]{1,99}\.\w+",
    re.IGNORECASE,
)
# Telephone, card and account numbers: five digits or more, however they are grouped.
_NUMBER = re.compile(r"\+?\d(?:[\W_]{0,3}\d){4,}")


def record(
    session: Session, subscriber_id: UUID, seq: int, code: ReasonCode, note: str, now: datetime
) -> None:
    """Record the reason for ledger row `seq`. A second answer replaces the first.

    Raise InvalidReasonError for a note that is too long.
    """
    if len(note) > MAX_NOTE_LENGTH:
        raise InvalidReasonError(f"a reason has at most {MAX_NOTE_LENGTH} characters")
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


def given(session: Session, subscriber_id: UUID) -> dict[int, Reason]:
    """Return the reasons that a subscriber gave, by the ledger row that each answers."""
    found = session.scalars(select(Reason).where(Reason.subscriber_id == subscriber_id))
    return {each.seq: each for each in found}


def masked(note: str) -> str:
    """Return a note without text that looks like an address or a personal number."""
    # NFKC: a phone's keyboard may write other forms of digits and @.
    plain = " ".join(unicodedata.normalize("NFKC", without_controls(note)).split())
    return _NUMBER.sub("[number]", _ADDRESS.sub("[address]", plain))


def week_of(at: datetime) -> date:
    """Return the Monday (UTC) of the week of a time."""
    return monday_of(day_of(at))
