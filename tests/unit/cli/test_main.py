"""Behaviour common to all commands: settings, help and error messages."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from preference_center.cli import main
from tests.support import make, processes
from tests.support.command import commands, groups, run

PEOPLE = b"email\r\nada@example.org\r\n"
MAILING = ("--topic", "weekly-news", "--campaign", "47")


@pytest.mark.parametrize("name", commands())
def test_help_describes_each_command_and_its_options(name: str) -> None:
    result = CliRunner().invoke(main, [*name.split(), "--help"], env=make.environment())
    assert result.exit_code == 0
    assert f"Usage: main {name}" in result.output
    assert len((commands()[name].help or "").split()) >= 4
    options = [each for each in commands()[name].params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_command_list_shows_the_help_of_each_command() -> None:
    listed = {name: command.get_short_help_str(99) for name, command in main.commands.items()}
    own = {
        name: command.get_short_help_str(99) for name, command in (commands() | groups()).items()
    }
    assert listed == {name: own[name] for name in listed}


def test_help_and_version_need_no_settings() -> None:
    assert "preference-center demo" in " ".join(processes.run({}, "--help").stdout.decode().split())
    assert b"version 0." in processes.run({}, "--version").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("worker",),
        ("upgrade",),
        ("topics", "list"),
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
def test_all_invalid_settings_are_named_at_once(arguments: tuple[str, ...]) -> None:
    settings = make.environment(DATABASE_URL="mysql://x", BRAND_ACCENT="pink")
    result = CliRunner().invoke(main, arguments, input=PEOPLE, env=settings)
    assert result.exit_code == 2
    named = [line.partition(" ")[0] for line in result.stderr.splitlines()]
    expected = ("DATABASE_URL", "BRAND_ACCENT")
    assert named == [f"PREFERENCE_CENTER_{name}" for name in expected]


def test_a_process_with_missing_settings_exits_with_2() -> None:
    done = processes.run({}, "verify-ledger")
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(b"PREFERENCE_CENTER_SERVER_KEYS is missing.\n")


def test_links_requires_only_its_own_settings() -> None:
    settings = make.environment(DATABASE_URL="", SERVER_KEYS="", LINK_KEYS="")
    result = CliRunner().invoke(main, ["links", *MAILING], input=PEOPLE, env=settings)
    assert result.exit_code == 2
    assert result.stderr == "PREFERENCE_CENTER_LINK_KEYS is missing.\n"


def test_a_database_without_tables_is_reported_with_the_command_to_run(tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path / 'empty.db'}", "topics", "list")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: The database has no tables yet. Run: preference-center")


def test_upgrade_creates_the_tables_and_can_be_repeated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    for _ in range(2):
        assert run(url, "upgrade").stdout == "The database is up to date.\n"
    assert run(url, "topics", "list").exit_code == 0


def test_an_unavailable_database_is_reported_without_a_traceback() -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{processes.free_port()}/nothing"
    result = run(url, "topics", "list")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: the database cannot be used now")
    assert "Traceback" not in result.output


@pytest.mark.integration
def test_a_worker_exits_cleanly_when_terminated(database_url: str) -> None:
    settings = make.environment(
        DATABASE_URL=database_url, SMTP_URL="smtp://localhost", MAIL_FROM="a@example.org"
    )
    with processes.working(settings) as worker:
        processes.wait_for(
            lambda: "Sending through localhost" in worker.output, "the worker did not start"
        )
        assert worker.stop() == 0
        assert "Traceback" not in worker.output
