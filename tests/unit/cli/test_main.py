"""What every command has in common: settings, help, and a sentence when it cannot go on."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from preference_center.cli import main
from tests.support import make, processes
from tests.support.command import run

PEOPLE = b"email\r\nada@example.org\r\n"
MAILING = ("--topic", "weekly-news", "--campaign", "47")


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """Return every command by the words that call it."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, (*path, name))
        else:
            found[" ".join((*path, name))] = command
    return found


@pytest.mark.parametrize("name", commands())
def test_help_says_what_a_command_does_and_what_each_option_is_for(name: str) -> None:
    result = CliRunner().invoke(main, [*name.split(), "--help"], env=make.environment())
    assert result.exit_code == 0
    assert f"Usage: main {name}" in result.output
    assert len((commands()[name].help or "").split()) >= 4
    options = [each for each in commands()[name].params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_help_and_version_need_no_settings() -> None:
    assert "preference-center demo" in " ".join(processes.run({}, "--help").stdout.decode().split())
    assert b"version 0." in processes.run({}, "--version").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("worker",),
        ("upgrade",),
        ("topic", "list"),
        ("import", "-"),
        ("export", "ledger"),
        ("audience", *MAILING),
        ("erase", "ada@example.org"),
        ("verify-ledger",),
        ("report",),
        ("purge",),
        ("imap", "--once"),
    ],
)
def test_wrong_settings_are_all_named_at_once(arguments: tuple[str, ...]) -> None:
    settings = make.environment(DATABASE_URL="mysql://x", SECRET_KEY="short", LINK_KEYS="")
    result = CliRunner().invoke(main, arguments, input=PEOPLE, env=settings)
    assert result.exit_code == 2
    named = [line.partition(" ")[0] for line in result.stderr.splitlines()]
    wanted = ("LINK_KEYS", "DATABASE_URL", "SECRET_KEY")
    assert named == [f"PREFERENCE_CENTER_{name}" for name in wanted]


def test_wrong_settings_end_a_real_process_with_2() -> None:
    done = processes.run({}, "verify-ledger")
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(b"PREFERENCE_CENTER_PUBLIC_URL is missing.\n")


def test_links_ask_for_their_own_settings_alone() -> None:
    settings = make.environment(DATABASE_URL="", SERVER_KEYS="", SECRET_KEY="", LINK_KEYS="")
    result = CliRunner().invoke(main, ["links", *MAILING], input=PEOPLE, env=settings)
    assert result.exit_code == 2
    assert result.stderr == "PREFERENCE_CENTER_LINK_KEYS is missing.\n"


def test_a_database_without_tables_says_what_to_run(tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path / 'empty.db'}", "topic", "list")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: The database has no tables yet. Run: preference-center")


def test_upgrade_makes_the_tables_and_may_run_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    for _ in range(2):
        assert run(url, "upgrade").stdout == "The database is up to date.\n"
    assert run(url, "topic", "list").exit_code == 0


def test_a_database_that_is_not_there_is_a_sentence() -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{processes.free_port()}/nothing"
    result = run(url, "topic", "list")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: the database cannot be used now")
    assert "Traceback" not in result.output


def test_a_worker_without_a_mail_server_says_so(database_url: str) -> None:
    result = processes.run(make.environment(DATABASE_URL=database_url), "worker")
    assert result.returncode == 2
    assert result.stderr == b"PREFERENCE_CENTER_SMTP_URL is missing: no mail can be sent.\n"


def test_a_worker_ends_when_it_is_asked_to(database_url: str) -> None:
    settings = make.environment(
        DATABASE_URL=database_url, SMTP_URL="smtp://localhost", MAIL_FROM="a@example.org"
    )
    with processes.working(settings) as worker:
        processes.wait_for(lambda: "Sending through localhost" in worker.output, "it never began")
        assert worker.stop() == 0
        assert "Traceback" not in worker.output
