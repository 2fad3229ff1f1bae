"""Record a change that was made: its ledger row and the email that confirms it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import ledger, outbox
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.snapshots import capture
from preference_center.core.vocab import Event
from preference_center.store.tables import Subscriber, Topic


def record(
    session: Session,
    subscriber: Subscriber,
    event: Event,
    target: Target,
    context: ChangeContext,
    before: Mapping[str, Any],
) -> ChangeResult:
    """Write the ledger row of a change, and schedule the email that confirms it.

    `before` is the snapshot taken before the change. The topic of `target` must exist.
    """
    after = capture(subscriber, map(Target.from_key, before))
    seq = ledger.append(session, subscriber, event, target, context, before, after)
    subscriber.locale = subscriber.locale or context.language
    if context.notice_delay is not None and _wants_notices(session, subscriber, target):
        session.flush()
        outbox.schedule(session, subscriber.subscriber_id, seq, context)
    return ChangeResult(changed=True, first_seq=seq, last_seq=seq)


def unchanged(subscriber: Subscriber) -> ChangeResult:
    """Return the result of a change that had nothing left to do."""
    return ChangeResult(changed=False, first_seq=subscriber.seq, last_seq=subscriber.seq)


def _wants_notices(session: Session, subscriber: Subscriber, target: Target) -> bool:
    if subscriber.email is None:
        return False
    return target.topic is None or session.get_one(Topic, target.topic).change_notices
