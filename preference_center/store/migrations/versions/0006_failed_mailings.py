"""Failed mailings with their severity and topic, deliveries, and claims counted by domain."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SLUG = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")
ENDED = sa.text("ended_domain IS NOT NULL")


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("delivered_on", sa.Date(), nullable=True))
    _add_failed_mailings()
    op.execute(
        "INSERT INTO failed_mailings (subscriber_id, day, severity, topic, code)"
        " SELECT subscriber_id, day, 'soft', '', code FROM soft_bounces"
    )
    op.drop_table("soft_bounces")
    op.create_table(
        "claim_counts",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "day", name=op.f("pk_claim_counts")),
    )
    op.create_index(op.f("ix_claim_counts_day"), "claim_counts", ["day"])


def _add_failed_mailings() -> None:
    op.create_table(
        "failed_mailings",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("ended_domain", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "severity IN ('permanent', 'probable', 'soft')",
            name=op.f("ck_failed_mailings_severity"),
        ),
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
        "ix_failed_mailings_ended",
        "failed_mailings",
        ["ended_domain", "day"],
        postgresql_where=ENDED,
        sqlite_where=ENDED,
    )
