"""Rows as other systems write them, with our own values, and what they must lead to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.support.foreign_files import MAILCHIMP_END, MAILCHIMP_START


class Truth(StrEnum):
    """What a row must lead to."""

    STOP = "stop"
    MAY_START = "may start"  # It has a word for consent.
    NOTHING = "nothing"


@dataclass(frozen=True)
class Sample:
    """A file of a system: the name, the columns, and rows whose address is left out.

    `is_certain` is False if the columns do not say which system it is.
    """

    source: str
    name: str
    header: Sequence[str]
    email: str
    rows: Sequence[tuple[Mapping[str, str], Truth]]
    options: Mapping[str, Any] = field(default_factory=dict)
    is_certain: bool = True


def _flags(column: str, stop: str, other: str, truth: Truth) -> list[tuple[dict[str, str], Truth]]:
    return [({column: stop}, Truth.STOP), ({column: other}, truth)]


SAMPLES = [
    Sample(
        "mailchimp",
        "subscribed_email_audience_export_0a1b2c3d4e.csv",
        (*MAILCHIMP_START, "UNSUB_TIME", "LAST_CHANGED", *MAILCHIMP_END),
        "Email Address",
        [
            ({"UNSUB_TIME": "", "OPTIN_TIME": "2018-02-12 10:54:27"}, Truth.MAY_START),
            ({"UNSUB_TIME": "2019-02-12 10:54:27"}, Truth.STOP),
            ({"UNSUB_TIME": "the 12th"}, Truth.STOP),
        ],
    ),
    Sample(
        "mailchimp",
        "export.csv",
        (*MAILCHIMP_START, "CLEAN_TIME", *MAILCHIMP_END),
        "Email Address",
        [({"CLEAN_TIME": "2019-02-12 10:54:27"}, Truth.STOP), ({}, Truth.STOP)],
    ),
    Sample(
        "mailchimp",
        "nonsubscribed_email_audience_export_0a1b2c3d4e.csv",
        (*MAILCHIMP_START, "LAST_CHANGED", *MAILCHIMP_END),
        "Email Address",
        [({"LAST_CHANGED": "2019-02-12 10:54:27"}, Truth.NOTHING)],
    ),
    Sample(
        "listmonk",
        "subscribers.csv",
        ("uuid", "email", "name", "attributes", "status", "created_at", "updated_at"),
        "email",
        [
            ({"status": "enabled", "attributes": '{"city": "Köln"}'}, Truth.MAY_START),
            ({"status": "disabled"}, Truth.NOTHING),
            (
                {"status": "blocklisted", "updated_at": "2023-05-06 07:08:09.123456 +0530 IST"},
                Truth.STOP,
            ),
            ({"status": "paused"}, Truth.NOTHING),
        ],
    ),
    Sample(
        "ghost",
        "members.2026-11-01.csv",
        (
            *("id", "email", "name", "note", "subscribed_to_emails", "complimentary_plan"),
            *("stripe_customer_id", "created_at", "deleted_at", "labels", "tiers", "gift_id"),
        ),
        "email",
        [
            *_flags("subscribed_to_emails", "false", "true", Truth.MAY_START),
            *_flags("subscribed_to_emails", "0", "", Truth.NOTHING),
        ],
    ),
    Sample(
        "substack",
        "email_list.northwind.csv",
        (
            *("email", "active_subscription", "expiry", "plan", "email_disabled", "created_at"),
            "first_payment_at",
        ),
        "email",
        [
            *_flags("email_disabled", "true", "false", Truth.NOTHING),
            ({"active_subscription": "true"}, Truth.NOTHING),
        ],
    ),
    Sample(
        "brevo",
        "contacts.csv",
        (
            *("CONTACT ID", "EMAIL", "LASTNAME", "SMS", "OPT_IN", "ADDED_TIME", "MODIFIED_TIME"),
            *("_listIds", "_SUBSCRIBED", "_BLOCKLISTED"),
        ),
        "EMAIL",
        [
            ({"_SUBSCRIBED": "email_marketing", "ADDED_TIME": "01-02-2020"}, Truth.MAY_START),
            ({"_BLOCKLISTED": "email_marketing", "MODIFIED_TIME": "01-02-2020"}, Truth.STOP),
            (
                {"_SUBSCRIBED": "email_marketing", "_BLOCKLISTED": "sms|email_marketing"},
                Truth.STOP,
            ),
            ({"_BLOCKLISTED": "everything"}, Truth.STOP),
            ({"_SUBSCRIBED": "email_marketing", "OPT_IN": "No"}, Truth.NOTHING),
            ({"_SUBSCRIBED": "sms_marketing"}, Truth.NOTHING),
            ({}, Truth.NOTHING),
        ],
    ),
    Sample(
        "hubspot",
        "contacts.csv",
        (
            *("Record ID", "First Name", "Email", "Unsubscribed from all email"),
            *("Opted out of email: Weekly news", "Opted out of email: Offers", "Create Date"),
            *("Marketing emails bounced", "Email hard bounce reason"),
        ),
        "Email",
        [
            *_flags("Unsubscribed from all email", "true", "", Truth.NOTHING),
            *_flags("Opted out of email: Weekly news", "TRUE", "false", Truth.NOTHING),
            *_flags("Opted out of email: Offers", "true", "", Truth.NOTHING),
            *_flags("Email hard bounce reason", "UNKNOWN_USER", "", Truth.NOTHING),
        ],
        {"topics": {"weekly news": "weekly-news"}},
    ),
    Sample(
        "hubspot",
        "unsubscribes.csv",
        (
            *("Email", "Portal Bounce", "Portal Unsubscribe", "Portal Spam Report"),
            *("Global Bounce", "Marketing Information", "Offers"),
        ),
        "Email",
        [
            *_flags("Portal Bounce", "550 5.1.1 no such user", "FALSE", Truth.NOTHING),
            *_flags("Portal Unsubscribe", "TRUE", "FALSE", Truth.NOTHING),
            *_flags("Portal Spam Report", "TRUE", "", Truth.NOTHING),
            *_flags("Marketing Information", "TRUE", "FALSE", Truth.NOTHING),
        ],
    ),
    Sample(
        "sendgrid",
        "suppression_bounces.csv",
        ("status", "reason", "email", "created"),
        "email",
        [({"status": "5.1.1", "created": "1443651154"}, Truth.STOP)],
        is_certain=False,
    ),
    Sample(
        "sendgrid",
        "suppression_blocks.csv",
        ("status", "reason", "email", "created"),
        "email",
        [({"status": "4.0.0", "created": "1443651154"}, Truth.NOTHING)],
        is_certain=False,
    ),
    Sample(
        "sendgrid",
        "suppression_group_unsubscribes.csv",
        ("email", "group_id", "group_name", "created_at"),
        "email",
        [
            ({"group_id": "7", "group_name": "Weekly news"}, Truth.STOP),
            ({"group_id": "8", "group_name": "Offers", "created_at": "1443651154"}, Truth.STOP),
            ({}, Truth.STOP),
        ],
        {"topics": {"7": "weekly-news"}},
    ),
    Sample(
        "ses",
        "contacts.csv",
        ("emailAddress", "unsubscribeAll", "attributesData", "topicPreferences.Weekly"),
        "emailAddress",
        [
            *_flags("unsubscribeAll", "true", "false", Truth.NOTHING),
            *_flags("topicPreferences.Weekly", "OPT_OUT", "OPT_IN", Truth.MAY_START),
        ],
        {"topics": {"weekly": "weekly-news"}},
    ),
    Sample(
        "mailgun",
        "unsubscribes.csv",
        ("address", "tags", "created_at"),
        "address",
        [
            ({"tags": "*", "created_at": "Tue, 07 Jan 2025 19:25:45 UTC"}, Truth.STOP),
            ({"tags": "weekly", "created_at": "soon"}, Truth.STOP),
            ({"tags": '["weekly", "offers"]'}, Truth.STOP),
            ({"tags": ""}, Truth.STOP),
        ],
        {"topics": {"weekly": "weekly-news"}},
    ),
    Sample(
        "klaviyo",
        "profiles.csv",
        (
            *("Email", "Klaviyo ID", "First Name", "Email Marketing Consent"),
            *("Email Marketing Consent Timestamp", "Date Added", "Email Suppressions"),
        ),
        "Email",
        [
            ({"Email Marketing Consent": "SUBSCRIBED"}, Truth.MAY_START),
            (
                {"Email Marketing Consent": "SUBSCRIBED", "Email Suppressions": "[]"},
                Truth.MAY_START,
            ),
            (
                {"Email Marketing Consent": "SUBSCRIBED", "Email Suppressions": "['HARD_BOUNCE']"},
                Truth.STOP,
            ),
            (
                {"Email Marketing Consent": "SUBSCRIBED", "Email Suppressions": "SOMETHING_NEW"},
                Truth.STOP,
            ),
            ({"Email Marketing Consent": "UNSUBSCRIBED"}, Truth.STOP),
            ({"Email Marketing Consent": "NEVER_SUBSCRIBED"}, Truth.NOTHING),
            ({"Email Marketing Consent": "PENDING"}, Truth.NOTHING),
            ({}, Truth.NOTHING),
        ],
    ),
    Sample(
        "beehiiv",
        "subscribers.csv",
        (
            *("email", "First Name", "Last Name", "status", "tier", "created_at"),
            *("stripe_customer_id", "unsubscribed_at"),
        ),
        "email",
        [
            ({"status": "active", "created_at": "2023-03-24 10:23:10 UTC"}, Truth.MAY_START),
            ({"status": "active", "unsubscribed_at": "2023-03-24 10:23:10 UTC"}, Truth.STOP),
            ({"status": "odd", "unsubscribed_at": "2023-03-24 10:23:10 UTC"}, Truth.STOP),
            ({"status": "inactive"}, Truth.STOP),
            ({"status": "pending"}, Truth.NOTHING),
            ({"status": "validating"}, Truth.NOTHING),
        ],
    ),
    Sample(
        "kit",
        "subscribers.csv",
        ("first_name", "email_address", "state", "created_at", "tags"),
        "email_address",
        [
            ({"state": "active"}, Truth.MAY_START),
            ({"state": "inactive"}, Truth.NOTHING),
            ({"state": "cancelled"}, Truth.STOP),
            ({"state": "bounced"}, Truth.STOP),
            ({"state": "complained"}, Truth.STOP),
            ({"state": "Texas"}, Truth.NOTHING),
        ],
    ),
]
