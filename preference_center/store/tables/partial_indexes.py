"""The indexes of only some rows of a table. Nothing but migrations needs this module.

Declaring such an index makes SQLAlchemy import the dialects of both engines, which takes 50 ms.
"""

from typing import Any

from sqlalchemy import Index, TextClause, text

from preference_center.store.tables.base import Base
from preference_center.store.tables.counts import UNFOLDED, LedgerCount
from preference_center.store.tables.feed import (
    STOPPED,
    UNNUMBERED,
    EventRow,
    UnacknowledgedErasure,
)
from preference_center.store.tables.inbound import FailedMailing
from preference_center.store.tables.sending import FAILED, UNSETTLED, OutboxRow
from preference_center.store.tables.subscribers import (
    ASKED_FOR_LESS,
    UNSUBSCRIBED,
    LedgerRow,
    SubscriptionRow,
)


def _index(name: str, where: TextClause, *columns: Any, unique: bool = False) -> None:
    """Add an index to the table of `columns`."""
    Index(name, *columns, unique=unique, postgresql_where=where, sqlite_where=where)


_numbered = text("position IS NOT NULL")
_index("ix_events_position", _numbered, EventRow.position)
_index("ix_events_stopped", STOPPED, EventRow.position)
_index("ix_events_unnumbered", UNNUMBERED, EventRow.recorded_at)
_ended = text("ended_domain IS NOT NULL")
_index("ix_failed_mailings_ended", _ended, FailedMailing.ended_domain, FailedMailing.day)
_index("ix_ledger_asked_for_less", ASKED_FOR_LESS, LedgerRow.recorded_at)
_index("ix_ledger_counts_unfolded", UNFOLDED, LedgerCount.day)
_index("ix_ledger_unsubscribed", UNSUBSCRIBED, LedgerRow.topic, LedgerRow.recorded_at)
_index("ix_outbox_due", UNSETTLED, OutboxRow.due_at)
_index("ix_outbox_failed", FAILED, OutboxRow.settled_at)
_waiting = text("missed_at IS NULL")
_index("ix_unacknowledged_erasures_waiting", _waiting, UnacknowledgedErasure.erased_at)
_capped = text("frequency <> 'every'")
_key = (SubscriptionRow.frequency, SubscriptionRow.topic, SubscriptionRow.subscriber_id)
_index("ix_subscriptions_capped", _capped, *_key)
_left = text("status = 'unsubscribed'")
_index("ix_subscriptions_left", _left, SubscriptionRow.changed_at)
_pending = text("state = 'pending'")
_outbox_key = (OutboxRow.subscriber_id, OutboxRow.kind, OutboxRow.topic)
_index("uq_outbox_pending", _pending, *_outbox_key, unique=True)

METADATA = Base.metadata  # with these indexes
