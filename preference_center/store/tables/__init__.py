"""The tables. Every key of a subscriber's table begins with the subscriber's id."""

from preference_center.store.tables.api import ApiKeyRow, IdempotentRequest
from preference_center.store.tables.base import Base, Slug, Utc, row_values
from preference_center.store.tables.inbound import (
    BounceCount,
    ClaimCount,
    FailedMailing,
    InboundCount,
    InboundSeen,
    QuarantineRow,
)
from preference_center.store.tables.keys import KeyCheck
from preference_center.store.tables.processes import ServingProcess
from preference_center.store.tables.sending import (
    FAILED,
    UNSETTLED,
    AnonymizedReason,
    CampaignRow,
    Claim,
    EmailedCount,
    Fetch,
    OutboxRow,
    PageView,
    Reason,
)
from preference_center.store.tables.subscribers import (
    UNSUBSCRIBED,
    LedgerCount,
    LedgerDetail,
    LedgerRow,
    SubscriberCount,
    SubscriberRow,
    SubscriptionRow,
    SuppressionRow,
    Topic,
    TopicText,
    Wording,
)

__all__ = [
    "FAILED",
    "UNSETTLED",
    "UNSUBSCRIBED",
    "AnonymizedReason",
    "ApiKeyRow",
    "Base",
    "BounceCount",
    "CampaignRow",
    "Claim",
    "ClaimCount",
    "EmailedCount",
    "FailedMailing",
    "Fetch",
    "IdempotentRequest",
    "InboundCount",
    "InboundSeen",
    "KeyCheck",
    "LedgerCount",
    "LedgerDetail",
    "LedgerRow",
    "OutboxRow",
    "PageView",
    "QuarantineRow",
    "Reason",
    "ServingProcess",
    "Slug",
    "SubscriberCount",
    "SubscriberRow",
    "SubscriptionRow",
    "SuppressionRow",
    "Topic",
    "TopicText",
    "Utc",
    "Wording",
    "row_values",
]
