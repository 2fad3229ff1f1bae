"""`export` writes a complete file or none."""

import csv
import json
import os
import signal
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from preference_center.store import Database
from tests.support import make, processes
from tests.support.command import run, run_ok

PEOPLE = "email,topic,status\r\nada@example.org,weekly-news,subscribed\r\n"
IMPORT = ("import", "-", "--create-topics")
MANY = "email\r\n" + "".join(f"reader{n}@example.org\r\n" for n in range(3000))


def test_an_export_keeps_the_file_mode_and_creates_private_files(
    database_url: str, tmp_path: Path
) -> None:
    run_ok(database_url, *IMPORT, stdin=PEOPLE)
    target = tmp_path / "people.csv"
    target.write_text("an older one")
    target.chmod(0o640)
    run_ok(database_url, "export", "preferences", "-o", str(target))
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [row["email"] for row in rows] == ["ada@example.org"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(tmp_path.glob("*people.csv*")) == [target]
    target.unlink()
    run_ok(database_url, "export", "preferences", "-o", str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_an_export_does_not_replace_a_device(database_url: str, tmp_path: Path) -> None:
    run_ok(database_url, "import", "-", "--create-topics", stdin=PEOPLE)
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    run_ok(database_url, "export", "preferences", "-o", str(link))
    assert link.is_symlink()
    assert stat.S_ISCHR(link.stat().st_mode)


def test_csv_for_excel_starts_with_a_byte_order_mark(database_url: str) -> None:
    run_ok(database_url, "import", "-", "--create-topics", stdin=PEOPLE)
    plain = run_ok(database_url, "export", "preferences")
    assert run_ok(database_url, "export", "preferences", "--excel") == "\ufeff" + plain
    assert run_ok(database_url, "import", "-", stdin="\ufeff" + plain).startswith("Added 0")
    wrong = run(database_url, "export", "preferences", "--excel", "--format", "jsonl")
    assert (wrong.exit_code, "--excel is for CSV" in wrong.stderr) == (2, True)


def test_json_lines_contain_the_same_rows_as_csv(database_url: str) -> None:
    run_ok(database_url, *IMPORT, stdin=PEOPLE)
    table = list(csv.DictReader(run_ok(database_url, "export", "preferences").splitlines()))
    lines = run_ok(database_url, "export", "preferences", "--format", "jsonl").splitlines()
    plain = [{key: value or "" for key, value in json.loads(line).items()} for line in lines]
    assert plain == table


def test_an_export_can_be_limited_to_a_topic_and_a_period(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "product-news")
        make.unsubscribe(session, at=make.NOW)
    since = (make.NOW - timedelta(days=1)).date().isoformat()
    rows = run_ok(database_url, "export", "ledger", "--changed-since", since).splitlines()
    assert len(rows) == 2
    assert ",unsubscribed,topic,weekly-news,page," in rows[1]
    assert (
        len(run_ok(database_url, "export", "ledger", "--topic", "product-news").splitlines()) == 2
    )
    assert len(run_ok(database_url, "export", "ledger", "--until", since).splitlines()) == 3


@pytest.mark.parametrize("since", ["yesterday", "0001-01-01", "9999-12-31T23:59:59-14:00"])
def test_an_invalid_time_is_refused(database_url: str, since: str) -> None:
    result = run(database_url, "export", "ledger", "--changed-since", since)
    assert result.exit_code == 2
    assert f"'{since}' is not a time, like 2026-11-22" in result.stderr


def test_a_missing_folder_is_reported_without_a_traceback(
    database_url: str, tmp_path: Path
) -> None:
    result = run(database_url, "export", "ledger", "-o", str(tmp_path / "no" / "ledger.csv"))
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.stderr.startswith("Error: No such file or directory: ")


@pytest.mark.integration
def test_a_killed_export_leaves_no_partial_file(database_url: str, tmp_path: Path) -> None:
    run_ok(database_url, *IMPORT, "--topic", "weekly-news", "--status", "subscribed", stdin=MANY)
    target = tmp_path / "people.csv"
    settings = make.environment(DATABASE_URL=database_url)
    export = processes.start(settings, "export", "preferences", "-o", str(target))
    processes.wait_for(lambda: any(tmp_path.iterdir()), "the export did not start")
    os.killpg(export.pid, signal.SIGKILL)
    export.wait()
    lines = target.read_text().count("\n") if target.exists() else 3001
    assert lines == 3001


@pytest.mark.integration
def test_a_closed_pipe_is_not_an_error(database_url: str) -> None:
    run_ok(database_url, *IMPORT, "--topic", "weekly-news", "--status", "subscribed", stdin=MANY)
    settings = make.environment(DATABASE_URL=database_url)
    export = processes.start(
        settings, "export", "preferences", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert export.stdout is not None
    assert export.stderr is not None
    export.stdout.readline()
    export.stdout.close()
    with export.stderr as errors:
        assert errors.read() == b""
    export.wait()


@pytest.mark.parametrize("what", ["suppressions", "preferences", "ledger", "reasons"])
def test_a_misspelt_topic_is_refused_and_no_file_is_written(
    database_url: str, tmp_path: Path, what: str
) -> None:
    target = tmp_path / "out.csv"
    result = run(database_url, "export", what, "--topic", "weekly-new", "-o", str(target))
    assert (result.exit_code, result.stderr) == (2, "Error: there is no topic 'weekly-new'\n")
    assert not target.exists()
