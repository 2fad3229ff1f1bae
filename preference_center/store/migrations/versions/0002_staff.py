"""The tables of the console: members of staff, how they sign in, the audit trail, and jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=True)
SLUG = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")


def upgrade() -> None:
    _create_staff()
    _create_staff_invitations()
    _create_staff_passkeys()
    _create_staff_challenges()
    _create_staff_sign_ins()
    _create_staff_sessions()
    _create_staff_alarms()
    _create_staff_forms()
    _create_staff_audit()
    _create_staff_audit_head()
    _create_console_jobs()
    _create_saved_exports()
    _create_console_chunks()
    _create_console_downloads()
    _create_staff_notes()
    _create_edited_texts()
    _create_frozen_lists()
    _create_frozen_list_chunks()


def _one_of(table: str, column: str, *values: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{column}"))


def _of_staff(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f(f"fk_{table}_staff_id"))


def _index(table: str, column: str) -> None:
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def _create_staff() -> None:
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("may_export", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("figures_at", TIME, nullable=True),
        sa.Column("alerts_at", TIME, nullable=True),
        _one_of("staff", "role", "viewer", "support", "marketer", "admin"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_staff_issuer_subject")),
    )


def _create_staff_invitations() -> None:
    op.create_table(
        "staff_invitations",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        _of_staff("staff_invitations"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_staff_invitations")),
    )
    _index("staff_invitations", "staff_id")


def _create_staff_passkeys() -> None:
    op.create_table(
        "staff_passkeys",
        sa.Column("id", sa.LargeBinary(length=1023), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("signatures", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        _of_staff("staff_passkeys"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_passkeys")),
    )
    _index("staff_passkeys", "staff_id")


def _create_staff_challenges() -> None:
    op.create_table(
        "staff_challenges",
        sa.Column("challenge", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("challenge", name=op.f("pk_staff_challenges")),
    )
    _index("staff_challenges", "expires_at")


def _create_staff_sign_ins() -> None:
    op.create_table(
        "staff_sign_ins",
        sa.Column("client", sa.LargeBinary(length=32), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_staff_sign_ins")),
    )
    _index("staff_sign_ins", "since")


def _create_staff_sessions() -> None:
    op.create_table(
        "staff_sessions",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        _of_staff("staff_sessions"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_staff_sessions")),
    )
    _index("staff_sessions", "staff_id")


def _create_staff_alarms() -> None:
    op.create_table(
        "staff_alarms",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("topic", SLUG, nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("noticed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", "topic", "campaign", name=op.f("pk_staff_alarms")),
    )


def _create_staff_forms() -> None:
    op.create_table(
        "staff_forms",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created", sa.Uuid(), nullable=False),
        sa.Column("sent_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_staff_forms")),
    )
    _index("staff_forms", "sent_at")


def _create_staff_audit() -> None:
    op.create_table(
        "staff_audit",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("about", sa.Uuid(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_staff_audit")),
    )
    for column in ("about", "staff_id", "at"):
        _index("staff_audit", column)


def _create_staff_audit_head() -> None:
    op.create_table(
        "staff_audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_audit_head")),
    )


def _create_console_jobs() -> None:
    op.create_table(
        "console_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("saved_id", sa.Uuid(), nullable=True),
        _one_of("console_jobs", "kind", "export", "preview", "import"),
        _one_of("console_jobs", "state", "waiting", "running", "done", "failed", "cancelled"),
        _of_staff("console_jobs"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_jobs")),
    )
    for column in ("state", "created_at"):
        _index("console_jobs", column)


def _create_saved_exports() -> None:
    op.create_table(
        "saved_exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("queued_at", TIME, nullable=False),
        _of_staff("saved_exports"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_exports")),
    )


def _create_console_chunks() -> None:
    op.create_table(
        "console_chunks",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("file", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        _one_of("console_chunks", "file", "upload", "output", "report"),
        sa.PrimaryKeyConstraint("job_id", "file", "number", name=op.f("pk_console_chunks")),
    )
    _index("console_chunks", "expires_at")


def _create_console_downloads() -> None:
    op.create_table(
        "console_downloads",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["console_jobs.id"],
            name=op.f("fk_console_downloads_job_id"),
            ondelete="CASCADE",
        ),
        _of_staff("console_downloads"),
        sa.PrimaryKeyConstraint("job_id", "at", "staff_id", name=op.f("pk_console_downloads")),
    )


def _create_staff_notes() -> None:
    op.create_table(
        "staff_notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        _of_staff("staff_notes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_notes")),
    )
    _index("staff_notes", "day")


def _create_edited_texts() -> None:
    op.create_table(
        "edited_texts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("message", sa.String(length=32), nullable=False),
        sa.Column("english", sa.Text(), nullable=False),
        sa.Column("forms", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("publication", sa.BigInteger(), nullable=True),
        _of_staff("edited_texts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edited_texts")),
        sa.UniqueConstraint("publication", name=op.f("uq_edited_texts_publication")),
    )
    op.create_index(
        op.f("ix_edited_texts_language_message"), "edited_texts", ["language", "message"]
    )


def _create_frozen_lists() -> None:
    op.create_table(
        "frozen_lists",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("filters", sa.Text(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("topic", SLUG, nullable=True),
        sa.Column("until", TIME, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("people", "expected", "position", "changed", "restored", "skipped")
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        _one_of(
            *("frozen_lists", "state", "counting"),
            *("previewed", "running", "done", "undoing", "undone"),
        ),
        _of_staff("frozen_lists"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frozen_lists")),
    )


def _create_frozen_list_chunks() -> None:
    op.create_table(
        "frozen_list_chunks",
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ids", sa.LargeBinary(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=True),
        sa.Column("skipped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["frozen_lists.id"],
            name=op.f("fk_frozen_list_chunks_list_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("list_id", "number", name=op.f("pk_frozen_list_chunks")),
    )
