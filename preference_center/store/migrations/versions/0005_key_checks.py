"""Check values of the keys, so that a process with other keys is refused."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "key_checks",
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("check_value", sa.LargeBinary(32), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "check_value", name=op.f("pk_key_checks")),
        sa.CheckConstraint(
            "kind IN ('identity', 'server', 'link')", name=op.f("ck_key_checks_kind")
        ),
    )
