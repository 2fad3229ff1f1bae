"""The tables. Every key of a subscriber's table begins with the subscriber's id."""

from preference_center.store.tables.api import ApiKeyRow, IdempotentRequest
from preference_center.store.tables.base import Base, Slug, Utc, Word, row_values
from preference_center.store.tables.console_jobs import ConsoleChunk, ConsoleDownload, ConsoleJob
from preference_center.store.tables.data_requests import DataComplaint, LinkedSubscriber
from preference_center.store.tables.edited_texts import EditedText
from preference_center.store.tables.feed import (
    STOPPED,
    UNNUMBERED,
    Consumer,
    EventRow,
    Feed,
    FeedDay,
    UnacknowledgedErasure,
)
from preference_center.store.tables.frozen_lists import FrozenListChunk, FrozenListRow
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
from preference_center.store.tables.staff import (
    AuditHead,
    AuditRow,
    StaffChallenge,
    StaffInvitation,
    StaffPasskey,
    StaffRow,
    StaffSession,
)
from preference_center.store.tables.staff_notes import StaffNote
from preference_center.store.tables.subscribers import (
    ASKED_FOR_LESS,
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
    "ASKED_FOR_LESS",
    "FAILED",
    "STOPPED",
    "UNNUMBERED",
    "UNSETTLED",
    "UNSUBSCRIBED",
    "AnonymizedReason",
    "ApiKeyRow",
    "AuditHead",
    "AuditRow",
    "Base",
    "BounceCount",
    "CampaignRow",
    "Claim",
    "ClaimCount",
    "ConsoleChunk",
    "ConsoleDownload",
    "ConsoleJob",
    "Consumer",
    "DataComplaint",
    "EditedText",
    "EmailedCount",
    "EventRow",
    "FailedMailing",
    "Feed",
    "FeedDay",
    "Fetch",
    "FrozenListChunk",
    "FrozenListRow",
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
    "StaffChallenge",
    "StaffInvitation",
    "StaffNote",
    "StaffPasskey",
    "StaffRow",
    "StaffSession",
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
