"""The first tables: topics, subscribers and what they chose, the ledger, the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)
SLUG = sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql")
DUE = sa.text("state IN ('pending', 'started')")
PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.create_table(
        "subscribers",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("erased_at", TIME, nullable=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_subscribers")),
    )
    op.create_index(op.f("ix_subscribers_email"), "subscribers", ["email"])

    op.create_table(
        "topics",
        sa.Column("slug", SLUG, nullable=False),
        sa.Column("policy", sa.String(length=8), nullable=False),
        sa.Column("opt_in", sa.String(length=8), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("confirm", sa.Boolean(), nullable=False),
        sa.Column("code", sa.LargeBinary(length=5), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("archived_at", TIME, nullable=True),
        sa.CheckConstraint("opt_in IN ('single', 'double')", name=op.f("ck_topics_opt_in")),
        sa.CheckConstraint("policy IN ('opt_in', 'opt_out')", name=op.f("ck_topics_policy")),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_topics")),
        sa.UniqueConstraint("code", name=op.f("uq_topics_code")),
    )
    op.create_table(
        "wordings",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_wordings")),
    )
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
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.subscriber_id"], name=op.f("fk_ledger_subscriber_id")
        ),
        sa.ForeignKeyConstraint(["wording"], ["wordings.digest"], name=op.f("fk_ledger_wording")),
        sa.PrimaryKeyConstraint("subscriber_id", "seq", name=op.f("pk_ledger")),
    )
    op.create_index(op.f("ix_ledger_recorded_at"), "ledger", ["recorded_at"])
    op.create_index(op.f("ix_ledger_topic_occurred_at"), "ledger", ["topic", "occurred_at"])

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
    op.create_table(
        "outbox",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("first_seq", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("latest_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'started', 'sent', 'failed', 'dropped')",
            name=op.f("ck_outbox_state"),
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.subscriber_id"], name=op.f("fk_outbox_subscriber_id")
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_due", "outbox", ["due_at"], postgresql_where=DUE, sqlite_where=DUE)
    op.create_index(
        "uq_outbox_pending",
        "outbox",
        ["subscriber_id", "kind"],
        unique=True,
        postgresql_where=PENDING,
        sqlite_where=PENDING,
    )

    op.create_table(
        "subscriptions",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("frequency", sa.String(length=16), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("acquired_from", sa.Text(), nullable=False),
        sa.Column("consent_at", TIME, nullable=True),
        sa.Column("consent_source", sa.Text(), nullable=False),
        sa.Column("consent_wording", sa.LargeBinary(length=32), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("reaffirmed_at", TIME, nullable=True),
        sa.CheckConstraint(
            "frequency IN ('every', 'weekly', 'monthly')", name=op.f("ck_subscriptions_frequency")
        ),
        sa.CheckConstraint(
            "status IN ('subscribed', 'unsubscribed', 'unconfirmed')",
            name=op.f("ck_subscriptions_status"),
        ),
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
    op.create_index(op.f("ix_subscriptions_updated_at"), "subscriptions", ["updated_at"])

    op.create_table(
        "suppressions",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("reaffirmed_at", TIME, nullable=True),
        sa.CheckConstraint("kind IN ('all', 'address')", name=op.f("ck_suppressions_kind")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_suppressions_subscriber_id"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "kind", name=op.f("pk_suppressions")),
    )
    op.create_index(op.f("ix_suppressions_kind_since"), "suppressions", ["kind", "since"])

    op.create_table(
        "topic_texts",
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["topic"], ["topics.slug"], name=op.f("fk_topic_texts_topic")),
        sa.PrimaryKeyConstraint("topic", "locale", name=op.f("pk_topic_texts")),
    )
