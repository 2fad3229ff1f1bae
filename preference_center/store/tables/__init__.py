"""The tables. What is written for a person is found by that person: every key says who first."""

from preference_center.store.tables.base import Base, Slug, Utc, row_values
from preference_center.store.tables.inbound import (
    BounceCount,
    ClaimCount,
    FailedMailing,
    InboundCount,
    InboundSeen,
    UnreadMail,
)
from preference_center.store.tables.keys import KeyCheck
from preference_center.store.tables.people import (
    LedgerDetail,
    LedgerRow,
    Subscriber,
    Subscription,
    Suppression,
    Topic,
    TopicText,
    Wording,
)
from preference_center.store.tables.sending import (
    PENDING,
    UNSETTLED,
    Claim,
    Opening,
    OutboxRow,
    PastReason,
    Reason,
)

__all__ = [
    "PENDING",
    "UNSETTLED",
    "Base",
    "BounceCount",
    "Claim",
    "ClaimCount",
    "FailedMailing",
    "InboundCount",
    "InboundSeen",
    "KeyCheck",
    "LedgerDetail",
    "LedgerRow",
    "Opening",
    "OutboxRow",
    "PastReason",
    "Reason",
    "Slug",
    "Subscriber",
    "Subscription",
    "Suppression",
    "Topic",
    "TopicText",
    "UnreadMail",
    "Utc",
    "Wording",
    "row_values",
]
