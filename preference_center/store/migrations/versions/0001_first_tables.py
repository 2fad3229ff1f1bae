"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)
# Byte order on both engines.
SLUG = sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql")


def upgrade() -> None:
    _create_anonymized_reasons()
    _create_api_keys()
    _create_bounce_counts()
    _create_campaigns()
    _create_claim_counts()
    _create_events()
    _create_feed()
    _create_feed_days()
    _create_emailed_counts()
    _create_received_counts()
    _create_subscriber_counts()
    _create_fetches()
    _create_idempotent_requests()
    _create_inbound_counts()
    _create_inbound_seen()
    _create_key_checks()
    _create_ledger_counts()
    _create_ledger_day_counts()
    _create_ledger_week_counts()
    _create_mailbox_requests()
    _create_outbox()
    _create_page_views()
    _create_quarantined_messages()
    _create_serving_processes()
    _create_sign_up_hours()
    _create_subscribers()
    _create_topics()
    _create_webhooks()
    _create_wordings()
    _create_claims()
    _create_consumers()
    _create_data_complaints()
    _create_failed_mailings()
    _create_ledger()
    _create_ledger_details()
    _create_linked_subscribers()
    _create_reasons()
    _create_sign_ups()
    _create_subscriptions()
    _create_suppressions()
    _create_topic_texts()
    _create_unacknowledged_erasures()
    _create_webhook_deliveries()


def _one_of(table: str, column: str, *values: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{column}"))


def _words_of_ledger(table: str) -> tuple[sa.CheckConstraint, ...]:
    return (
        _one_of(
            table,
            "source",
            "one-click",
            "page",
            "mailto",
            "complaint",
            "bounce",
            "provider",
            "api",
            "import",
            "console",
            "cli",
        ),
        _one_of(table, "scope", "topic", "all", "address"),
        _one_of(
            table,
            "event",
            "subscribed",
            "unsubscribed",
            "unconfirmed",
            "resubscribed",
            "stayed_off",
            "reduced",
            "increased",
            "paused",
            "resumed",
            "undone",
            "lifted",
            "erased",
        ),
    )


def _create_anonymized_reasons() -> None:
    op.create_table(
        "anonymized_reasons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("topic", SLUG, nullable=True),
        sa.Column("campaign", sa.String(length=40), nullable=True),
        sa.Column("code", sa.String(length=24), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        _one_of(
            "anonymized_reasons",
            "code",
            "too_many",
            "not_relevant",
            "no_longer_interested",
            "never_signed_up",
            "changed_address",
            "content_quality",
            "other",
            "prefer_not_say",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anonymized_reasons")),
    )
    op.create_index(op.f("ix_anonymized_reasons_campaign"), "anonymized_reasons", ["campaign"])
    op.create_index(op.f("ix_anonymized_reasons_week"), "anonymized_reasons", ["week"])


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("last_used_on", sa.Date(), nullable=True),
        _one_of("api_keys", "kind", "live", "test"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
    )


def _create_idempotent_requests() -> None:
    op.create_table(
        "idempotent_requests",
        sa.Column("api_key", sa.Uuid(), nullable=False),
        sa.Column("route", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=False),
        sa.Column("lease_until", TIME, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("about", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("api_key", "route", "key", name=op.f("pk_idempotent_requests")),
    )
    op.create_index(op.f("ix_idempotent_requests_about"), "idempotent_requests", ["about"])
    op.create_index(
        op.f("ix_idempotent_requests_created_at"), "idempotent_requests", ["created_at"]
    )


def _create_bounce_counts() -> None:
    op.create_table(
        "bounce_counts",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("hour", TIME, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "hour", name=op.f("pk_bounce_counts")),
    )
    op.create_index(op.f("ix_bounce_counts_hour"), "bounce_counts", ["hour"])


def _create_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("topic", "name", name=op.f("pk_campaigns")),
    )


def _create_emailed_counts() -> None:
    op.create_table(
        "emailed_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "topic", "campaign", "slot", name=op.f("pk_emailed_counts")),
    )


def _create_received_counts() -> None:
    op.create_table(
        "received_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("received", sa.String(length=8), nullable=False),
        sa.Column("unsubscribed", sa.Boolean(), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        _one_of("received_counts", "received", "0", "1", "2-4", "5-9", "10-19", "20-"),
        sa.PrimaryKeyConstraint(
            "day", "received", "unsubscribed", "slot", name=op.f("pk_received_counts")
        ),
    )


def _create_subscriber_counts() -> None:
    op.create_table(
        "subscriber_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("frequency", sa.String(length=16), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "topic", "frequency", "slot", name=op.f("pk_subscriber_counts")
        ),
    )


def _create_claim_counts() -> None:
    op.create_table(
        "claim_counts",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "day", name=op.f("pk_claim_counts")),
    )
    op.create_index(op.f("ix_claim_counts_day"), "claim_counts", ["day"])


def _create_consumers() -> None:
    op.create_table(
        "consumers",
        sa.Column("api_key", sa.Uuid(), nullable=False),
        sa.Column("acknowledged", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("fetched_at", TIME, nullable=False),
        sa.Column("warned_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("api_key", name=op.f("pk_consumers")),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        _one_of(
            "events",
            "name",
            "topic.started",
            "topic.stopped",
            "topic.changed",
            "all.stopped",
            "address.stopped",
            "stop.lifted",
            "subscriber.erasing",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "seq", name=op.f("pk_events")),
    )
    stopped = sa.text("name IN ('topic.stopped', 'all.stopped', 'address.stopped')")
    for name, column, where in (
        ("ix_events_position", "position", sa.text("position IS NOT NULL")),
        ("ix_events_stopped", "position", stopped),
        ("ix_events_unnumbered", "recorded_at", sa.text("position IS NULL")),
    ):
        op.create_index(op.f(name), "events", [column], postgresql_where=where, sqlite_where=where)


def _create_feed() -> None:
    op.create_table(
        "feed",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
    )


def _create_feed_days() -> None:
    op.create_table(
        "feed_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_feed_days")),
    )


def _create_fetches() -> None:
    op.create_table(
        "fetches",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("seen_until", TIME, nullable=False),
        _one_of("fetches", "kind", "audience", "preferences", "suppressions"),
        sa.PrimaryKeyConstraint("kind", "topic", name=op.f("pk_fetches")),
    )


def _create_inbound_counts() -> None:
    op.create_table(
        "inbound_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "channel", "effect", name=op.f("pk_inbound_counts")),
    )


def _create_inbound_seen() -> None:
    op.create_table(
        "inbound_seen",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_inbound_seen")),
    )
    op.create_index(op.f("ix_inbound_seen_seen_at"), "inbound_seen", ["seen_at"])


def _create_key_checks() -> None:
    op.create_table(
        "key_checks",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("check_value", sa.LargeBinary(length=32), nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        _one_of("key_checks", "kind", "identity", "server", "link"),
        sa.PrimaryKeyConstraint("kind", "check_value", name=op.f("pk_key_checks")),
    )


def _create_ledger_counts() -> None:
    op.create_table(
        "ledger_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        *_words_of_ledger("ledger_counts"),
        sa.PrimaryKeyConstraint(
            "day",
            "topic",
            "campaign",
            "event",
            "scope",
            "source",
            "slot",
            name=op.f("pk_ledger_counts"),
        ),
    )
    op.create_index(
        op.f("ix_ledger_counts_unfolded"),
        "ledger_counts",
        ["day"],
        postgresql_where=sa.text("slot <> 0"),
        sqlite_where=sa.text("slot <> 0"),
    )


def _create_ledger_day_counts() -> None:
    op.create_table(
        "ledger_day_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        *_words_of_ledger("ledger_day_counts"),
        sa.PrimaryKeyConstraint(
            "day", "event", "scope", "source", name=op.f("pk_ledger_day_counts")
        ),
    )


def _create_ledger_week_counts() -> None:
    op.create_table(
        "ledger_week_counts",
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        *_words_of_ledger("ledger_week_counts"),
        sa.PrimaryKeyConstraint(
            "week",
            "topic",
            "campaign",
            "event",
            "scope",
            "source",
            name=op.f("pk_ledger_week_counts"),
        ),
    )


def _create_mailbox_requests() -> None:
    op.create_table(
        "mailbox_requests",
        sa.Column("mailbox", sa.Uuid(), nullable=False),
        sa.Column("first_at", TIME, nullable=True),
        sa.Column("second_at", TIME, nullable=True),
        sa.Column("third_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_mailbox_requests")),
    )
    op.create_index(op.f("ix_mailbox_requests_third_at"), "mailbox_requests", ["third_at"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("topic", SLUG, server_default="", nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("first_seq", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("latest_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("in_reply_to", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        _one_of(
            "outbox",
            "kind",
            "change_notice",
            "opt_in_request",
            "sign_up",
            "link",
            "account_link",
            "data_complaint",
            "staff_invitation",
            "staff_figures",
            "staff_alert",
        ),
        _one_of("outbox", "state", "pending", "started", "sent", "failed", "dropped"),
        sa.PrimaryKeyConstraint("subscriber_id", "id", name=op.f("pk_outbox")),
    )
    op.create_index(
        op.f("ix_outbox_due"),
        "outbox",
        ["due_at"],
        postgresql_where=sa.text("state IN ('pending', 'started')"),
        sqlite_where=sa.text("state IN ('pending', 'started')"),
    )
    op.create_index(
        op.f("ix_outbox_failed"),
        "outbox",
        ["settled_at"],
        postgresql_where=sa.text("state = 'failed'"),
        sqlite_where=sa.text("state = 'failed'"),
    )
    op.create_index(op.f("ix_outbox_settled_at"), "outbox", ["settled_at"])
    op.create_index(
        op.f("uq_outbox_pending"),
        "outbox",
        ["subscriber_id", "kind", "topic"],
        unique=True,
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )


def _create_page_views() -> None:
    op.create_table(
        "page_views",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "topic", "campaign", name=op.f("pk_page_views")),
    )


def _create_quarantined_messages() -> None:
    op.create_table(
        "quarantined_messages",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_quarantined_messages")),
    )
    op.create_index(
        op.f("ix_quarantined_messages_received_at"), "quarantined_messages", ["received_at"]
    )


def _create_serving_processes() -> None:
    op.create_table(
        "serving_processes",
        sa.Column("process_id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("reported_at", TIME, nullable=False),
        sa.Column("empty_at", TIME, nullable=True),
        sa.Column("waiting_rows", sa.Integer(), nullable=False),
        sa.Column("oldest_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_serving_processes")),
    )


def _create_sign_up_hours() -> None:
    op.create_table(
        "sign_up_hours",
        sa.Column("hour", TIME, nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("warned_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("hour", name=op.f("pk_sign_up_hours")),
    )


def _create_subscribers() -> None:
    op.create_table(
        "subscribers",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("delivered_on", sa.Date(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("erased_at", TIME, nullable=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("explicit_from", sa.Integer(), nullable=True),
        sa.Column("is_spelling", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_subscribers")),
    )
    op.create_index(op.f("ix_subscribers_email"), "subscribers", ["email"])


def _create_topics() -> None:
    op.create_table(
        "topics",
        sa.Column("slug", SLUG, nullable=False),
        sa.Column("policy", sa.String(length=8), nullable=False),
        sa.Column("cadence", sa.String(length=16), server_default="irregular", nullable=False),
        sa.Column("visibility", sa.String(length=8), nullable=False),
        sa.Column("change_notices", sa.Boolean(), nullable=False),
        sa.Column("code", sa.LargeBinary(length=5), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("archived_at", TIME, nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        _one_of("topics", "cadence", "irregular", "weekly", "monthly"),
        _one_of("topics", "policy", "opt_in", "opt_out"),
        _one_of("topics", "visibility", "public", "hidden", "internal"),
        sa.UniqueConstraint("code", name=op.f("uq_topics_code")),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_topics")),
    )


def _create_wordings() -> None:
    op.create_table(
        "wordings",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_wordings")),
    )


def _create_claims() -> None:
    op.create_table(
        "claims",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("released_at", TIME, nullable=True),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.subscriber_id"], name=op.f("fk_claims_subscriber_id")
        ),
        sa.ForeignKeyConstraint(["topic"], ["topics.slug"], name=op.f("fk_claims_topic")),
        sa.PrimaryKeyConstraint("subscriber_id", "topic", "campaign", name=op.f("pk_claims")),
    )
    op.create_index(op.f("ix_claims_claimed_at"), "claims", ["claimed_at"])
    op.create_index(
        op.f("ix_claims_subscriber_id_claimed_at_topic"),
        "claims",
        ["subscriber_id", "claimed_at", "topic"],
    )


def _create_data_complaints() -> None:
    op.create_table(
        "data_complaints",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("acknowledged_at", TIME, nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("closed_at", TIME, nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_data_complaints_subscriber_id"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "number", name=op.f("pk_data_complaints")),
    )
    op.create_index(op.f("ix_data_complaints_received_at"), "data_complaints", ["received_at"])


def _create_failed_mailings() -> None:
    op.create_table(
        "failed_mailings",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("ended_domain", sa.Text(), nullable=True),
        _one_of("failed_mailings", "severity", "permanent", "probable", "soft"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_failed_mailings_subscriber_id"),
        ),
        sa.PrimaryKeyConstraint(
            "subscriber_id", "day", "severity", "topic", name=op.f("pk_failed_mailings")
        ),
    )
    op.create_index(op.f("ix_failed_mailings_day"), "failed_mailings", ["day"])
    op.create_index(
        op.f("ix_failed_mailings_ended"),
        "failed_mailings",
        ["ended_domain", "day"],
        postgresql_where=sa.text("ended_domain IS NOT NULL"),
        sqlite_where=sa.text("ended_domain IS NOT NULL"),
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("topic", SLUG, nullable=True),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=True),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("wording", sa.LargeBinary(length=32), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        *_words_of_ledger("ledger"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.subscriber_id"], name=op.f("fk_ledger_subscriber_id")
        ),
        sa.ForeignKeyConstraint(["wording"], ["wordings.digest"], name=op.f("fk_ledger_wording")),
        sa.PrimaryKeyConstraint("subscriber_id", "seq", name=op.f("pk_ledger")),
    )
    op.create_index(op.f("ix_ledger_recorded_at"), "ledger", ["recorded_at"])
    op.create_index(op.f("ix_ledger_topic_occurred_at"), "ledger", ["topic", "occurred_at"])
    less = sa.text("event IN ('reduced', 'paused') AND source IN ('page', 'one-click', 'mailto')")
    op.create_index(
        op.f("ix_ledger_asked_for_less"),
        "ledger",
        ["recorded_at"],
        postgresql_where=less,
        sqlite_where=less,
    )
    op.create_index(
        op.f("ix_ledger_unsubscribed"),
        "ledger",
        ["topic", "recorded_at"],
        postgresql_where=sa.text("event = 'unsubscribed' AND source NOT IN ('import', 'bounce')"),
        sqlite_where=sa.text("event = 'unsubscribed' AND source NOT IN ('import', 'bounce')"),
    )


def _create_ledger_details() -> None:
    op.create_table(
        "ledger_details",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_ledger_details_subscriber_id"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "seq", name=op.f("pk_ledger_details")),
    )


def _create_linked_subscribers() -> None:
    op.create_table(
        "linked_subscribers",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("other_is_newer", sa.Boolean(), nullable=False),
        sa.Column("linked_at", TIME, nullable=False),
        sa.Column("linked_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_linked_subscribers_subscriber_id"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "other_id", name=op.f("pk_linked_subscribers")),
    )


def _create_reasons() -> None:
    op.create_table(
        "reasons",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("given_at", TIME, nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("topic", SLUG, nullable=True),
        sa.Column("campaign", sa.String(length=40), nullable=True),
        sa.Column("code", sa.String(length=24), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        _one_of(
            "reasons",
            "code",
            "too_many",
            "not_relevant",
            "no_longer_interested",
            "never_signed_up",
            "changed_address",
            "content_quality",
            "other",
            "prefer_not_say",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.subscriber_id"], name=op.f("fk_reasons_subscriber_id")
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "seq", name=op.f("pk_reasons")),
    )
    op.create_index(op.f("ix_reasons_campaign"), "reasons", ["campaign"])
    op.create_index(op.f("ix_reasons_given_at"), "reasons", ["given_at"])


def _create_sign_ups() -> None:
    op.create_table(
        "sign_ups",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("wording", sa.LargeBinary(length=32), nullable=True),
        sa.Column("form_url", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["wording"], ["wordings.digest"], name=op.f("fk_sign_ups_wording")),
        sa.PrimaryKeyConstraint("subscriber_id", "id", name=op.f("pk_sign_ups")),
    )
    op.create_index(op.f("ix_sign_ups_requested_at"), "sign_ups", ["requested_at"])


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("frequency", sa.String(length=16), nullable=False),
        sa.Column("paused_until", TIME, nullable=True),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("acquired_from", sa.Text(), nullable=False),
        sa.Column("consent_at", TIME, nullable=True),
        sa.Column("consent_source", sa.Text(), nullable=False),
        sa.Column("consent_wording", sa.LargeBinary(length=32), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("repeated_at", TIME, nullable=True),
        _one_of(
            "subscriptions",
            "source",
            "one-click",
            "page",
            "mailto",
            "complaint",
            "bounce",
            "provider",
            "api",
            "import",
            "console",
            "cli",
        ),
        _one_of("subscriptions", "status", "subscribed", "unsubscribed", "unconfirmed"),
        _one_of("subscriptions", "frequency", "every", "weekly", "monthly"),
        sa.ForeignKeyConstraint(
            ["consent_wording"], ["wordings.digest"], name=op.f("fk_subscriptions_consent_wording")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_subscriptions_subscriber_id"),
        ),
        sa.ForeignKeyConstraint(["topic"], ["topics.slug"], name=op.f("fk_subscriptions_topic")),
        sa.PrimaryKeyConstraint("subscriber_id", "topic", name=op.f("pk_subscriptions")),
    )
    op.create_index(
        op.f("ix_subscriptions_topic_subscriber_id"), "subscriptions", ["topic", "subscriber_id"]
    )
    for name, columns, where in (
        ("capped", ["frequency", "topic", "subscriber_id"], sa.text("frequency <> 'every'")),
        ("left", ["changed_at"], sa.text("status = 'unsubscribed'")),
    ):
        op.create_index(
            op.f(f"ix_subscriptions_{name}"),
            "subscriptions",
            columns,
            postgresql_where=where,
            sqlite_where=where,
        )
    op.create_index(op.f("ix_subscriptions_updated_at"), "subscriptions", ["updated_at"])


def _create_suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("repeated_at", TIME, nullable=True),
        _one_of(
            "suppressions",
            "source",
            "one-click",
            "page",
            "mailto",
            "complaint",
            "bounce",
            "provider",
            "api",
            "import",
            "console",
            "cli",
        ),
        _one_of("suppressions", "kind", "all", "address"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_suppressions_subscriber_id"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "kind", name=op.f("pk_suppressions")),
    )
    op.create_index(op.f("ix_suppressions_kind_since"), "suppressions", ["kind", "since"])


def _create_topic_texts() -> None:
    op.create_table(
        "topic_texts",
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["topic"], ["topics.slug"], name=op.f("fk_topic_texts_topic")),
        sa.PrimaryKeyConstraint("topic", "locale", name=op.f("pk_topic_texts")),
    )


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("event_names", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", TIME, nullable=True),
        sa.Column("held_until", TIME, nullable=True),
        sa.Column("last_attempt_at", TIME, nullable=True),
        sa.Column("last_result", sa.Text(), nullable=True),
        sa.Column("warned_at", TIME, nullable=True),
        _one_of("webhooks", "state", "active", "paused", "disabled"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("url", name=op.f("uq_webhooks_url")),
    )


def _create_unacknowledged_erasures() -> None:
    op.create_table(
        "unacknowledged_erasures",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("erased_at", TIME, nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("missed_by", sa.Text(), nullable=True),
        sa.Column("missed_at", TIME, nullable=True),
        sa.Column("warned_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_unacknowledged_erasures_subscriber_id"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "seq", name=op.f("pk_unacknowledged_erasures")),
    )
    op.create_index(
        op.f("ix_unacknowledged_erasures_waiting"),
        "unacknowledged_erasures",
        ["erased_at"],
        postgresql_where=sa.text("missed_at IS NULL"),
        sqlite_where=sa.text("missed_at IS NULL"),
    )


def _create_webhook_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("about", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("failed_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("webhook_id", "about", "seq", name=op.f("pk_webhook_deliveries")),
    )
    for column in ("due_at", "position"):
        op.create_index(
            op.f(f"ix_webhook_deliveries_webhook_id_{column}"),
            "webhook_deliveries",
            ["webhook_id", column],
        )
