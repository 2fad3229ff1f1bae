"""`replay` after a restored backup, with real processes."""

from pathlib import Path

import pytest

from preference_center.store import Database
from tests.support import make, processes
from tests.support.command import run, run_ok
from tests.unit.data.test_replay import back_up, restore

ADA = "ada@example.org"


@pytest.mark.integration
def test_replay_restores_lost_unsubscribes_and_erasures(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    settings = make.environment(DATABASE_URL=database_url)
    with database.transaction() as session:
        for email in (ADA, "ben@example.org", "eve@example.org"):
            make.subscriber(session, email)
    backup = back_up(database)
    opt_out = b"email,status\nada@example.org,unsubscribed\n"
    run_ok(database_url, "import", "-", "--topic", "weekly-news", stdin=opt_out)
    run_ok(database_url, "erase", "ben@example.org")
    lost = tmp_path / "ledger.jsonl"
    run_ok(database_url, "export", "ledger", "--format", "jsonl", "-o", str(lost))
    restore(database, backup)
    assert run_ok(database_url, "replay", str(lost), "--dry-run") == (
        "Would have unsubscribed 2, erased 1, unchanged 0, newer 0.\n"
    )
    assert back_up(database) == backup
    result = processes.run(settings, "replay", str(lost))
    assert (result.returncode, result.stderr) == (0, b"")
    people = b"email\nada@example.org\nben@example.org\neve@example.org\n"
    check = ("audience", "--topic", "weekly-news", "--campaign", "47")
    verdicts = run_ok(database_url, *check, stdin=people).splitlines()[1:]
    assert [row.split(",")[2:4] for row in verdicts] == [
        ["deny", "unsubscribed"],
        ["deny", "erased"],
        ["allow", ""],
    ]
    assert "0 broken" in run_ok(database_url, "verify-ledger")
    again = run_ok(database_url, "replay", str(lost))
    assert again == "Unsubscribed 0, erased 0, unchanged 3, newer 0.\n"


def test_unreadable_rows_are_reported_by_line(database: Database, database_url: str) -> None:
    result = run(database_url, "replay", "-", stdin=b'{"id": "x"}\n[]\n')
    assert result.exit_code == 1
    assert result.stderr.splitlines()[:2] == [
        "line 1: the id is not a subscriber id",
        "line 2: the line is not a JSON object",
    ]


def test_a_file_that_is_not_a_ledger_export_is_refused(
    database: Database, database_url: str
) -> None:
    result = run(database_url, "replay", "-", "--format", "csv", stdin=b"email\na@example.org\n")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: this is not an export of the ledger: it has no column")
