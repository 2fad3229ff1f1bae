"""Asking for less: cadences, pauses, claims, reasons, openings, and mails of other kinds."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=True)
SLUG = sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql")
PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    with op.batch_alter_table("topics") as batch:
        batch.add_column(
            sa.Column("cadence", sa.String(16), nullable=False, server_default="irregular")
        )
        batch.create_check_constraint(
            op.f("ck_topics_cadence"), "cadence IN ('irregular', 'weekly', 'monthly')"
        )
    with op.batch_alter_table("subscriptions") as batch:
        batch.add_column(sa.Column("paused_until", TIME, nullable=True))
    _widen_outbox()
    _add_claims()
    _add_reasons()
    op.create_table(
        "openings",
        sa.Column("hour", TIME, nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("campaign", sa.String(40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "topic", "campaign", name=op.f("pk_openings")),
    )


def _widen_outbox() -> None:
    op.drop_index("uq_outbox_pending", table_name="outbox")
    with op.batch_alter_table("outbox") as batch:
        batch.add_column(sa.Column("topic", SLUG, nullable=False, server_default=""))
        batch.drop_constraint("fk_outbox_subscriber_id", type_="foreignkey")
    op.create_index(
        "uq_outbox_pending",
        "outbox",
        ["subscriber_id", "kind", "topic"],
        unique=True,
        postgresql_where=PENDING,
        sqlite_where=PENDING,
    )
    op.create_index(op.f("ix_outbox_settled_at"), "outbox", ["settled_at"])


def _add_claims() -> None:
    op.create_table(
        "claims",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("campaign", sa.String(40), nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("released_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_claims_subscriber_id"),
        ),
        sa.ForeignKeyConstraint(["topic"], ["topics.slug"], name=op.f("fk_claims_topic")),
        sa.PrimaryKeyConstraint("subscriber_id", "topic", "campaign", name=op.f("pk_claims")),
    )
    op.create_index(
        op.f("ix_claims_subscriber_id_topic_claimed_at"),
        "claims",
        ["subscriber_id", "topic", "claimed_at"],
    )
    op.create_index(op.f("ix_claims_claimed_at"), "claims", ["claimed_at"])


def _add_reasons() -> None:
    op.create_table(
        "reasons",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("given_at", TIME, nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("topic", SLUG, nullable=True),
        sa.Column("campaign", sa.String(40), nullable=True),
        sa.Column("code", sa.String(24), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_reasons_subscriber_id"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "seq", name=op.f("pk_reasons")),
    )
    op.create_index(op.f("ix_reasons_given_at"), "reasons", ["given_at"])
    op.create_index(op.f("ix_reasons_campaign"), "reasons", ["campaign"])
    op.create_table(
        "anonymized_reasons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("topic", SLUG, nullable=True),
        sa.Column("campaign", sa.String(40), nullable=True),
        sa.Column("code", sa.String(24), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_reasons")),
    )
    op.create_index(op.f("ix_past_reasons_week"), "anonymized_reasons", ["week"])
    op.create_index(op.f("ix_past_reasons_campaign"), "anonymized_reasons", ["campaign"])
