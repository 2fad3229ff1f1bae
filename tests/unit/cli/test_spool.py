"""`spool`: what waits is shown, replayed, and struck off."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from preference_center.core import processes
from preference_center.core.processes import Process, Waiting
from preference_center.inbound import spool_folder
from preference_center.store import Database
from preference_center.store.tables import LedgerRow
from preference_center.util.clock import utc_now
from tests.support import make
from tests.support import processes as server_processes
from tests.support.command import run, run_ok


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


def ended(folder: Path, minutes_ago: int = 0) -> UUID:
    """Leave a spool with a row, as a process that was killed does."""
    left = spool_folder.create(folder, uuid4())
    at = utc_now() - timedelta(minutes=minutes_ago)
    left.spool.write([make.spooled("canary@example.org", acknowledged_at=at)])
    left.release()
    return left.process_id


def register(database: Database, process_id: UUID, waiting: Waiting) -> None:
    with database.transaction() as session:
        processes.report(session, Process(process_id, "mail-1", 12), lambda: waiting)


def registered(database: Database) -> list[UUID]:
    with database.reading() as session:
        return [each.process_id for each in processes.list_all(session)]


def test_the_status_shows_files_and_processes(
    database: Database, database_url: str, folder: Path
) -> None:
    left, own = ended(folder), spool_folder.create(folder, uuid4())
    register(database, own.process_id, Waiting(0))
    output = run_ok(database_url, "spool", "status", SPOOL_DIR=str(folder))
    lines = output.splitlines()
    assert lines[0] == f"Spools in {folder}: 2"
    assert any(f"{left}  not in use, 1 waiting since 20" in line for line in lines)
    assert f"  {own.process_id}  in use, empty" in lines
    assert lines[-1].startswith(f"Process {own.process_id}  host mail-1, pid 12: empty, reported 0")
    assert "canary" not in output
    own.release()


@pytest.mark.parametrize(("max_age", "status"), [("500", 0), ("200", 1)])
def test_the_status_fails_if_an_unsubscribe_waits_too_long(
    database_url: str, folder: Path, max_age: str, status: int
) -> None:
    ended(folder, minutes_ago=5)
    result = run(database_url, "spool", "status", "--max-age", max_age, SPOOL_DIR=str(folder))
    assert result.exit_code == status, result.output


def test_the_status_fails_if_a_process_has_not_reported_an_empty_spool(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(database, uuid4(), Waiting(3, make.NOW))
    result = run(database_url, "spool", "status")
    assert result.exit_code == 0
    assert "host mail-1, pid 12: 3 waiting, reported 0 seconds ago" in result.output
    monkeypatch.setattr(
        "preference_center.store.queries.database_time",
        lambda _: utc_now() + timedelta(minutes=6),
    )
    assert run(database_url, "spool", "status").exit_code == 1


def test_the_status_fails_if_a_spool_is_damaged(database_url: str, folder: Path) -> None:
    left = ended(folder)
    (folder / f"{left}.spool").write_bytes(b"garbage" * 1000)
    result = run(database_url, "spool", "status", SPOOL_DIR=str(folder))
    assert result.exit_code == 1
    assert f"{left}  not in use, the spool cannot be used" in result.output
    assert run(database_url, "spool", "replay", SPOOL_DIR=str(folder)).exit_code == 0
    result = run(database_url, "spool", "status", SPOOL_DIR=str(folder))
    assert result.exit_code == 1
    assert f"{left}.damaged  damaged" in result.output


def test_the_status_shows_the_files_without_a_database(folder: Path) -> None:
    left = ended(folder)
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    result = run(url, "spool", "status", SPOOL_DIR=str(folder))
    assert result.exit_code == 3
    assert str(left) in result.stdout


def test_a_replay_applies_what_ended_processes_left(
    database: Database, database_url: str, folder: Path
) -> None:
    left, own = ended(folder), spool_folder.create(folder, uuid4())
    register(database, left, Waiting(1, make.NOW))
    own.spool.write([make.spooled()])
    settings = {"SPOOL_DIR": str(folder)}
    assert run_ok(database_url, "spool", "replay", **settings) == (
        "Unsubscribes replayed: 1. Spools emptied: 1.\n"
    )
    with database.reading() as session:
        assert [row.source for row in session.scalars(select(LedgerRow))] == ["one-click"]
    assert registered(database) == []
    assert spool_folder.process_ids(folder) == [own.process_id]
    assert "replayed: 0. Spools emptied: 0." in run_ok(database_url, "spool", "replay", **settings)
    own.release()


def test_a_replay_needs_a_folder(database_url: str) -> None:
    result = run(database_url, "spool", "replay")
    assert result.exit_code == 2
    assert "SPOOL_DIR is missing" in result.output


def test_a_replay_that_cannot_apply_a_row_fails(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError

    left = ended(folder)
    monkeypatch.setattr("preference_center.inbound.spool_replay.apply", fail)
    result = run(database_url, "spool", "replay", SPOOL_DIR=str(folder))
    assert result.exit_code == 1
    assert f"{left}: unsubscribes that could not be applied, and stay: 1" in result.output


def test_a_process_can_be_struck_off(database: Database, database_url: str) -> None:
    gone, other = uuid4(), uuid4()
    register(database, gone, Waiting(0))
    register(database, other, Waiting(0))
    assert run_ok(database_url, "spool", "strike-off", str(gone)) == f"Struck off {gone}.\n"
    assert registered(database) == [other]
    result = run(database_url, "spool", "strike-off", str(gone))
    assert result.exit_code == 2
    assert f"no process {gone} is registered" in result.output


def test_an_audience_check_is_refused_while_a_process_does_not_report(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    gone = uuid4()
    register(database, gone, Waiting(0))
    arguments = ("audience", "--topic", "weekly-news", "--campaign", "c")
    people = "email\nada@example.org\n"
    refused = run(database_url, *arguments, stdin=people)
    assert refused.exit_code == 3
    assert "allow" not in refused.stdout
    assert f"spool of {gone} (host mail-1, pid 12" in refused.stderr
    run_ok(database_url, "spool", "strike-off", str(gone))
    assert "allow" in run_ok(database_url, *arguments, stdin=people)


@pytest.mark.integration
def test_serve_does_not_start_if_it_cannot_write_to_the_folder(
    sqlite_template: Path, folder: Path
) -> None:
    (folder / "folder.lock").mkdir()  # Root may write to a folder without permission.
    settings = make.environment(DATABASE_URL=f"sqlite:///{sqlite_template}", SPOOL_DIR=str(folder))
    refused = server_processes.run(settings, "serve", "--port", "1")
    assert refused.returncode == 1
    assert refused.stderr == b"Error: SPOOL_DIR cannot be used: Is a directory\n"
