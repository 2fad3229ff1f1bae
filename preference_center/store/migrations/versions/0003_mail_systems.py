"""Mail that comes in: failures that may pass, how many a domain has, what nobody understood."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("outbox") as batch:
        batch.add_column(sa.Column("in_reply_to", sa.Text(), nullable=True))
    op.create_table(
        "soft_bounces",
        sa.Column("subscriber_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.subscriber_id"],
            name=op.f("fk_soft_bounces_subscriber_id"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "day", name=op.f("pk_soft_bounces")),
    )
    op.create_index(op.f("ix_soft_bounces_day"), "soft_bounces", ["day"])
    op.create_table(
        "bounce_counts",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("hour", TIME, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "hour", name=op.f("pk_bounce_counts")),
    )
    op.create_index(op.f("ix_bounce_counts_hour"), "bounce_counts", ["hour"])
    op.create_table(
        "quarantined_messages",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_unread_mails")),
    )
    op.create_index(op.f("ix_unread_mails_received_at"), "quarantined_messages", ["received_at"])
