"""A command imports only what it needs: a mail server starts `receive` for every message."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import make, processes

pytestmark = pytest.mark.integration

WEB = {"flask", "werkzeug", "granian", "flask_wtf", "limits"}
RENDERING = {"premailer", "babel", "jinja2"}
STORE = {"sqlalchemy", "alembic", "psycopg"}
NETWORK = {"cryptography", "dns", "dkim", "aiosmtpd", "imap_tools", "http", "smtplib"}
DIALECTS = {"sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"}

PROGRAM = """
import atexit, sys
atexit.register(lambda: print("imported", *sys.modules, file=sys.stderr))
from preference_center.cli import main
main()
"""


def imported(database_url: str, *arguments: str, stdin: bytes = b"") -> set[str]:
    """Run a command and return the modules and packages that it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=processes.environment(make.environment(DATABASE_URL=database_url)),
        input=stdin,
        capture_output=True,
        check=True,
    )
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith("imported ")
    modules = last.split()[1:]
    return {*modules, *(module.partition(".")[0] for module in modules)}


@pytest.fixture
def url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "test.db")
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_no_command(option: str) -> None:
    assert imported("", option).isdisjoint({*WEB, *RENDERING, *STORE, *NETWORK, "itsdangerous"})


def test_the_worker_does_not_import_the_web() -> None:
    program = "import sys, preference_center.cli.worker; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert WEB.isdisjoint(module.partition(".")[0] for module in done.stdout.split())


def test_links_import_no_database() -> None:
    arguments = ("links", "--topic", "weekly-news", "--campaign", "47")
    people = b"email\nada@example.org\n"
    found = imported("sqlite:///no.db", *arguments, stdin=people)
    assert found.isdisjoint({*WEB, *RENDERING, *STORE, *NETWORK})


def test_receive_imports_neither_pages_nor_migrations(url: str) -> None:
    message = b"From: ada@example.org\r\nSubject: help\r\n\r\nhelp\r\n"
    unused = {*WEB, *RENDERING, *NETWORK, "alembic", "psycopg"}
    assert imported(url, "receive", stdin=message).isdisjoint(unused)


def test_receive_compiles_no_patterns_of_bounces(url: str) -> None:
    message = b"From: ada@example.org\r\nSubject: help\r\n\r\nhelp\r\n"
    assert "preference_center.mail.bounce_policy" not in imported(url, "receive", stdin=message)


def test_a_command_imports_the_dialect_of_its_engine_only(database_url: str) -> None:
    own = f"sqlalchemy.dialects.{database_url.partition(':')[0].partition('+')[0]}"
    message = b"From: ada@example.org\r\nSubject: help\r\n\r\nhelp\r\n"
    assert DIALECTS & imported(database_url, "receive", stdin=message) == {own}


def test_serve_imports_only_what_its_settings_need() -> None:
    program = """
import os, sys
from preference_center.cli import serve
serve._read_served(os.environ)
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=processes.environment(make.environment(DATABASE_URL="sqlite:///no.db")),
        capture_output=True,
        check=True,
        text=True,
    )
    found = set(done.stdout.split())
    assert "flask" in found
    assert found.isdisjoint({"cryptography", "psycopg", "premailer", "alembic", *DIALECTS})
    assert "preference_center.mail.bounce_policy" not in found


@pytest.mark.parametrize(
    "arguments",
    [
        ("topics", "list"),
        ("keys", "list"),
        ("quarantine", "list"),
        ("inbound-stats",),
        ("export", "ledger"),
        ("purge",),
        ("report",),
        ("verify-ledger",),
        ("erase", "ada@example.org"),
    ],
    ids=" ".join,
)
def test_a_command_on_the_database_imports_nothing_else(
    url: str, arguments: tuple[str, ...]
) -> None:
    unused = {*WEB, *RENDERING, *NETWORK, "alembic", "psycopg"}
    assert imported(url, *arguments).isdisjoint(unused)
