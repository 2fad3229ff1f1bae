"""The reasons that pages offer, in their order, which members of staff can change.

They reach each process as published texts do. A reason that is not offered is still accepted.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import edited_texts
from preference_center.core.edited_texts import NO_LANGUAGE, Forms, Place
from preference_center.core.errors import EditRefusal
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, ReasonMove
from preference_center.core.vocab import ReasonCode

PLACE = Place(NO_LANGUAGE, "reasons", ("reasons",))
CAN_BE_OFFERED = tuple(code for code in ReasonCode if code is not ReasonCode.PREFER_NOT_SAY)
_STEPS = {ReasonMove.UP: -1, ReasonMove.DOWN: 1}


def offered(published: Forms) -> list[ReasonCode]:
    """Return the reasons that were published, or all. An unknown code is left out."""
    known = {code.value: code for code in CAN_BE_OFFERED}
    return [known[each] for each in published if each in known] or [*CAN_BE_OFFERED]


def read(session: Session) -> list[ReasonCode]:
    """Return the reasons that pages offer, as this transaction sees them."""
    return offered(edited_texts.newest(session, PLACE))


def change(
    session: Session, code: ReasonCode, move: ReasonMove, *, by: UUID, now: datetime
) -> None:
    """Move a reason up or down by one place, or hide or show it. It is shown as the last one.

    Raises:
        EditRefusal: it is the only reason, and would be hidden; or no page ever offers it.
    """
    if code not in CAN_BE_OFFERED:
        raise EditRefusal("pages never offer this reason")
    details = {"reason": code, "change": move}
    audit.record(session, by, AuditAction.REASONS_CHANGED, now, details=details)  # Takes its lock.
    changed = _changed(read(session), code, move)
    if not changed:
        raise EditRefusal("one reason has to stay")
    edited_texts.add_publication(session, PLACE, tuple(changed), by, now)


def _changed(before: Sequence[ReasonCode], code: ReasonCode, move: ReasonMove) -> list[ReasonCode]:
    others = [each for each in before if each is not code]
    if move is ReasonMove.HIDE or (code not in before and move is not ReasonMove.SHOW):
        return others
    place = before.index(code) if code in before else len(others)
    others.insert(max(0, place + _STEPS.get(move, 0)), code)
    return others
