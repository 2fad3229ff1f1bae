"""`staff invite`, `list`, `remove` and `verify`."""

from sqlalchemy import select

from preference_center.core.vocab import OutboxKind
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support.command import run, run_ok
from tests.support.console import SECRET_KEY

INVITE = ("staff", "invite", "Ada@example.org")


def test_the_link_alone_is_on_standard_output(database: Database, database_url: str) -> None:
    result = run(database_url, *INVITE, "--role", "admin", "--export", SECRET_KEY=SECRET_KEY)
    assert result.stdout.startswith("https://mail.example.org/console/welcome#")
    assert "Give this link to ada@example.org (admin)." in result.stderr
    listed = run_ok(database_url, "staff", "list")
    assert listed == "ada@example.org  admin, may export  (0 passkeys)\n"


def test_the_console_may_be_at_a_host_of_its_own(database: Database, database_url: str) -> None:
    settings = {"SECRET_KEY": SECRET_KEY, "CONSOLE_URL": "https://console.example.org"}
    link = run_ok(database_url, *INVITE, "--role", "viewer", **settings)
    assert link.startswith("https://console.example.org/console/welcome#")


def test_wrong_calls_say_what_is_wrong(database: Database, database_url: str) -> None:
    for arguments, settings, message in (
        (INVITE, {"SECRET_KEY": SECRET_KEY}, "give a role"),
        ((*INVITE, "--role", "admin"), {}, "PREFERENCE_CENTER_SECRET_KEY"),
        (("staff", "invite", "ada", "--role", "admin"), {}, "not an email address"),
        (("staff", "remove", "ada@example.org"), {}, "no such member"),
    ):
        result = run(database_url, *arguments, **settings)
        assert result.exit_code != 0
        assert message in result.output


def test_a_member_is_removed(database: Database, database_url: str) -> None:
    for email in ("ada@example.org", "bob@example.org"):
        run_ok(database_url, "staff", "invite", email, "--role", "admin", SECRET_KEY=SECRET_KEY)
    assert (
        run_ok(database_url, "staff", "remove", "bob@example.org") == "Removed bob@example.org.\n"
    )
    assert "bob" not in run_ok(database_url, "staff", "list")
    assert run_ok(database_url, "staff", "verify") == "The audit trail is complete.\n"


def test_without_members_the_list_says_how_to_invite_one(
    database: Database, database_url: str
) -> None:
    assert "staff invite EMAIL --role admin" in run_ok(database_url, "staff", "list")


def test_an_invitation_is_emailed_instead(database: Database, database_url: str) -> None:
    settings = {"SECRET_KEY": SECRET_KEY}
    result = run(database_url, *INVITE, "--role", "admin", "--send", **settings)
    assert result.exit_code != 0
    assert "PREFERENCE_CENTER_SMTP_URL" in result.output
    assert "no members" in run_ok(database_url, "staff", "list")
    settings |= {"SMTP_URL": "smtp://localhost:9", "MAIL_FROM": "letters@example.org"}
    result = run(database_url, *INVITE, "--role", "admin", "--send", **settings)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "emails the link to ada@example.org (admin)" in result.stderr
    with database.reading() as session:
        assert list(session.scalars(select(OutboxRow.kind))) == [OutboxKind.STAFF_INVITATION]
