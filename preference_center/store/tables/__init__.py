"""The tables. Every key of a subscriber's table begins with the subscriber's id."""

from preference_center.store.tables.api import ApiKeyRow, IdempotentRequest
from preference_center.store.tables.base import Base, Slug, Utc, Word, row_values
from preference_center.store.tables.data_requests import DataComplaint, LinkedSubscriber
from preference_center.store.tables.feed import (
    STOPPED,
    UNNUMBERED,
    Consumer,
    EventRow,
    Feed,
    FeedDay,
    UnacknowledgedErasure,
)
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
from preference_center.store.tables.sign_ups import MailboxRequest, SignUpHour, SignUpRow
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
from preference_center.store.tables.webhooks import WebhookDelivery, WebhookRow

__all__ = [
    "FAILED",
    "STOPPED",
    "UNNUMBERED",
    "UNSETTLED",
    "UNSUBSCRIBED",
    "AnonymizedReason",
    "ApiKeyRow",
    "Base",
    "BounceCount",
    "CampaignRow",
    "Claim",
    "ClaimCount",
    "Consumer",
    "DataComplaint",
    "EmailedCount",
    "EventRow",
    "FailedMailing",
    "Feed",
    "FeedDay",
    "Fetch",
    "IdempotentRequest",
    "InboundCount",
    "InboundSeen",
    "KeyCheck",
    "LedgerCount",
    "LedgerDetail",
    "LedgerRow",
    "LinkedSubscriber",
    "MailboxRequest",
    "OutboxRow",
    "PageView",
    "QuarantineRow",
    "Reason",
    "ServingProcess",
    "SignUpHour",
    "SignUpRow",
    "Slug",
    "SubscriberCount",
    "SubscriberRow",
    "SubscriptionRow",
    "SuppressionRow",
    "Topic",
    "TopicText",
    "UnacknowledgedErasure",
    "Utc",
    "WebhookDelivery",
    "WebhookRow",
    "Word",
    "Wording",
    "row_values",
]
