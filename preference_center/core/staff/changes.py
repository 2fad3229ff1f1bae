"""Changes that a member of staff makes for a subscriber who has asked for them.

Less is applied at once. More is not: a topic starts by an emailed confirm link, and a stop ends
with it. Each change is in the audit trail. The ledger says how the subscriber asked for it, and not
which member made it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import data_complaints, erasure, linked, on_behalf, subscribers
from preference_center.core.api_vocab import Outcome
from preference_center.core.change import ChangeContext, Target
from preference_center.core.errors import OnBehalfRefusal
from preference_center.core.linked import Correction
from preference_center.core.on_behalf import (
    AdjustOnBehalf,
    AskToStart,
    Statement,
    StopOnBehalf,
    TopicWish,
)
from preference_center.core.staff import audit
from preference_center.core.staff.corrections import ROW
from preference_center.core.staff_vocab import AuditAction, Channel
from preference_center.core.vocab import Source

MAX_NOTE_LENGTH = 500  # characters
MAX_COMPLAINT_AGE = timedelta(days=365)
_WHY_NOT = {
    Outcome.UNCHANGED: "they get the topic already",
    Outcome.COMPLAINED: "they reported an email as spam: they can only sign up again themselves",
    Outcome.NO_EMAIL: "no confirmation can be emailed to this person",
    Outcome.ARCHIVED: "this topic is no longer sent",
    Outcome.CHOSE_LESS: (
        "they chose to get less themselves: only they can ask for more, on their preferences page"
    ),
}


@dataclass(frozen=True)
class Asked:
    """How a subscriber has asked for a change, who records it, and when.

    `note` is what they said, or where it is filed; it may be empty. Days end in `zone`.
    """

    channel: Channel
    note: str
    by: UUID
    now: datetime
    zone: tzinfo

    def __post_init__(self) -> None:
        if len(self.note) > MAX_NOTE_LENGTH:
            raise OnBehalfRefusal(f"a note has at most {MAX_NOTE_LENGTH} characters", "note")

    @property
    def context(self) -> ChangeContext:
        """Return the context of a change, of which no email is sent."""
        note = f"; note: {self.note}" if self.note else ""
        stated = f"channel: {self.channel}{note}"
        return ChangeContext(
            Source.CONSOLE, self.now, self.now, stated_source=stated, time_zone=self.zone
        )


def unsubscribe(
    session: Session, subscriber_id: UUID, topic: str | None, email: str, asked: Asked
) -> bool:
    """Unsubscribe one person, who need not be on record; return whether anything changed.

    `topic` is None for every topic, also later ones. `email` is recorded unless an address is.
    """
    change = StopOnBehalf(subscriber_id, Target.of(topic), asked.context, email)
    result = on_behalf.make(session, change, asked.now)
    row = result.last_seq if result.changed else None
    _record(session, subscriber_id, AuditAction.PERSON_UNSUBSCRIBED, asked, row)
    return result.changed


def adjust(
    session: Session, subscriber_id: UUID, topic: str, wish: TopicWish, asked: Asked
) -> bool:
    """Change the frequency or the pause of a topic that they get; return whether it changed.

    Raises:
        OnBehalfRefusal: they chose to get less themselves.
    """
    statement = Statement(asked.channel, asked.note, "")
    change = AdjustOnBehalf(subscriber_id, {topic: wish}, statement, asked.context, smtp=False)
    outcome = on_behalf.make(session, change, asked.now)[topic]
    if outcome.is_refused:
        raise OnBehalfRefusal(_WHY_NOT[outcome])
    changed = subscribers.find(session, subscriber_id) if outcome is Outcome.CHANGED else None
    row = changed.seq if changed is not None else None
    _record(session, subscriber_id, AuditAction.PERSON_ADJUSTED, asked, row)
    return changed is not None


def ask_to_start(
    session: Session, subscriber_id: UUID, topic: str, asked: Asked, *, smtp: bool
) -> None:
    """Email a link that starts a topic, and ends the stops that are in its way.

    Raises:
        OnBehalfRefusal: they get the topic, it is archived, or no such link may be emailed.
    """
    outcome = on_behalf.make(session, AskToStart(subscriber_id, topic, smtp), asked.now)
    if outcome is not Outcome.CONFIRMATION_SENT:
        raise OnBehalfRefusal(_WHY_NOT[outcome])
    _record(session, subscriber_id, AuditAction.PERSON_ASKED, asked)


def erase(session: Session, subscriber_id: UUID, by: UUID, now: datetime) -> bool:
    """Erase one person, as `erasure.erase` does; return False if they were erased before."""
    erased = erasure.erase(session, [subscriber_id], Source.CONSOLE, now)
    audit.record(session, by, AuditAction.PERSON_ERASED, now, subscriber_id)
    return bool(erased)


def correct(session: Session, correction: Correction, email: str, by: UUID, now: datetime) -> None:
    """Link two addresses of one person, as `linked.record` does, and audit it of both."""
    if not 0 < len(correction.note) <= linked.MAX_NOTE_LENGTH:
        raise OnBehalfRefusal(
            f"say in 1 to {linked.MAX_NOTE_LENGTH} characters how you know that both are one "
            "person",
            "note",
        )
    linked.record(session, correction, email, now)
    for each in (correction.older, correction.newer):
        audit.record(session, by, AuditAction.PERSON_LINKED, now, each)


def complain(
    session: Session, subscriber_id: UUID, text: str, received: datetime, asked: Asked
) -> None:
    """Record a complaint about the use of data, which a subscriber made to staff.

    The time to acknowledge it begins when it was `received`.

    Raises:
        OnBehalfRefusal: it was received in the future or more than a year ago.
        ComplaintRefusal: as for `data_complaints.add`.
    """
    if not asked.now - MAX_COMPLAINT_AGE <= received <= asked.now:
        raise OnBehalfRefusal("say on which day you received it: within the last year", "received")
    data_complaints.add(session, subscriber_id, data_complaints.cleaned(text), received)
    _record(session, subscriber_id, AuditAction.COMPLAINT_RECORDED, asked)


def _record(
    session: Session,
    subscriber_id: UUID,
    action: AuditAction,
    asked: Asked,
    row: int | None = None,
) -> None:
    """Audit a change, with its ledger row if it has one."""
    # Not the topic: an erasure takes it from the ledger, and cannot take it from here.
    details: dict[str, Any] = {"channel": asked.channel.value}
    if row is not None:
        details[ROW] = row
    audit.record(session, asked.by, action, asked.now, subscriber_id, details)
