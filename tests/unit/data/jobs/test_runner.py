"""The runner of jobs: what happens to a job if its worker stops, or something fails."""

from collections.abc import Callable
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest

from preference_center.core.console_jobs import jobs, listing
from preference_center.core.console_jobs.listing import Job
from preference_center.core.staff import members
from preference_center.core.staff_vocab import JobKind, JobState, StaffRole
from preference_center.data.jobs import exporting, runner
from preference_center.data.jobs.options import ExportOptions
from preference_center.data.jobs.runner import Runner
from preference_center.store import Database, UnavailableError
from tests.support import make

OPTIONS = ExportOptions(what="preferences", output="csv").to_json()


@pytest.fixture
def export(database: Database) -> UUID:
    job_id = uuid4()
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news")
        member, _ = members.invite(session, "mia@example.org", StaffRole.ADMIN, make.NOW, by=None)
        jobs.add_export(session, job_id, member.id, OPTIONS, "Why", "f.csv", make.NOW)
    return job_id


def run(database: Database, stop: Event | None = None) -> None:
    assert Runner(database, make.IDENTITY_KEY, lambda: make.NOW).run_one(stop or Event())


def job(database: Database, job_id: UUID) -> Job:
    with database.reading() as session:
        return listing.find(session, job_id, tuple(JobKind), make.NOW)


def failing(error: Exception) -> Callable[..., dict[str, Any]]:
    def fail(*_: object) -> dict[str, Any]:
        raise error

    return fail


def test_a_worker_that_is_asked_to_stop_gives_the_job_back(
    database: Database, export: UUID
) -> None:
    stop = Event()
    stop.set()
    run(database, stop)
    assert job(database, export).state is JobState.WAITING
    run(database)
    assert (job(database, export).state, job(database, export).done) == (JobState.DONE, 1)


def test_an_unexpected_failure_is_shown_without_its_text(
    database: Database,
    export: UUID,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(exporting, "run", failing(ValueError("ada@example.org")))
    run(database)
    found = job(database, export)
    assert found.state is JobState.FAILED
    assert "something unexpected" in (found.failure or "")
    assert "ada@example.org" not in caplog.text


def test_a_full_disk_is_named(
    database: Database, export: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "run", failing(OSError(28, "No space left on device")))
    run(database)
    assert "No space left on device" in (job(database, export).failure or "")


def test_a_job_begins_again_after_an_outage(
    database: Database, export: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "run", failing(UnavailableError("gone")))
    run(database)
    assert job(database, export).state is JobState.RUNNING  # until its lease ends


def test_a_cancelled_job_stops_soon(
    database: Database, export: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.01)

    def work_for_long(
        _database: Any, _leased: Any, _path: Any, advance: Any, _zone: Any
    ) -> dict[str, Any]:
        with database.transaction() as session:
            found = listing.find(session, export, jobs.EXPORTS, make.NOW)
            jobs.cancel(session, export, jobs.EXPORTS, found.staff_id, make.NOW)
        for _ in range(1000):
            Event().wait(0.01)
            advance(1)
        raise AssertionError

    monkeypatch.setattr(exporting, "run", work_for_long)
    run(database)
    assert job(database, export).state is JobState.CANCELLED
