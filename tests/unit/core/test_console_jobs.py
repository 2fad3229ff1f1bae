"""Jobs of the console: leased by one worker at a time, and never lost with it."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from preference_center.core import retention
from preference_center.core.console_jobs import files, jobs, listing, work
from preference_center.core.console_jobs.work import LeasedJob, LostLeaseError
from preference_center.core.errors import JobRefusal, UnknownJobError
from preference_center.core.staff import audit, members
from preference_center.core.staff_vocab import JobFile, JobKind, JobState, StaffRole
from preference_center.store import Database
from preference_center.store.tables import ConsoleChunk
from tests.support import make

SECOND = timedelta(seconds=1)
OVER = make.NOW + work.LEASE_DURATION


@pytest.fixture
def staff_id(database: Database) -> UUID:
    with database.transaction() as session:
        member, _ = members.invite(session, "mia@example.org", StaffRole.ADMIN, make.NOW, by=None)
        return member.id


@pytest.fixture
def export(database: Database, staff_id: UUID) -> UUID:
    return add(database, staff_id)


def add(database: Database, staff_id: UUID) -> UUID:
    job_id = uuid4()
    with database.transaction() as session:
        jobs.add_export(session, job_id, staff_id, {"what": "ledger"}, "Why", "f.csv", make.NOW)
    return job_id


def add_import(database: Database, staff_id: UUID) -> UUID:
    job_id = uuid4()
    with database.transaction() as session:
        files.add(session, job_id, JobFile.UPLOAD, 0, [b"email,status\n"], make.NOW)
        jobs.add_import(session, job_id, staff_id, {}, "list.csv", make.NOW)
    return job_id


def lease(database: Database, after: timedelta = timedelta()) -> LeasedJob | None:
    with database.transaction() as session:
        return work.lease(session, make.NOW + after, with_folder=False)


def state(database: Database, job_id: UUID) -> tuple[JobState, str | None]:
    with database.reading() as session:
        job = listing.find(session, job_id, tuple(JobKind), make.NOW)
    return job.state, job.failure


def test_a_job_is_leased_once_and_the_oldest_first(database: Database, staff_id: UUID) -> None:
    first, second = sorted([add(database, staff_id), add(database, staff_id)])
    leased = [lease(database), lease(database), lease(database)]
    assert [each and each.id for each in leased] == [first, second, None]


def test_a_job_whose_worker_has_ended_begins_again(database: Database, export: UUID) -> None:
    ended = lease(database)
    assert ended is not None
    assert lease(database, work.LEASE_DURATION - SECOND) is None
    again = lease(database, work.LEASE_DURATION)
    assert again is not None
    assert again.id == export
    with database.transaction() as session:
        assert not work.hold(session, ended, OVER, 5, 0)
        with pytest.raises(LostLeaseError):
            work.store(session, ended, JobFile.OUTPUT, 0, [b"x"], OVER)
        with pytest.raises(LostLeaseError):
            work.finish(session, ended, OVER, 1, {})
        assert work.hold(session, again, OVER, 5, 0)
    assert state(database, export) == (JobState.RUNNING, None)


def test_a_job_that_ends_its_workers_fails(database: Database, export: UUID) -> None:
    for attempt in range(work.MAX_ATTEMPTS):
        assert lease(database, attempt * work.LEASE_DURATION) is not None
    assert lease(database, work.MAX_ATTEMPTS * work.LEASE_DURATION) is None
    failed, why = state(database, export)
    assert failed is JobState.FAILED
    assert "the worker has ended 3 times" in (why or "")


def test_a_worker_that_stops_gives_its_job_back(database: Database, export: UUID) -> None:
    for _ in range(work.MAX_ATTEMPTS + 1):
        leased = lease(database)
        assert leased is not None
        with database.transaction() as session:
            work.give_back(session, leased)
    assert state(database, export) == (JobState.WAITING, None)


def test_a_lost_attempt_leaves_no_pieces(database: Database, export: UUID) -> None:
    leased = lease(database)
    assert leased is not None
    with database.transaction() as session:
        work.store(session, leased, JobFile.OUTPUT, 0, [b"half"], make.NOW)
    lease(database, work.LEASE_DURATION)
    with database.reading() as session:
        assert files.piece(session, export, JobFile.OUTPUT, 0, make.NOW) is None


def test_a_cancelled_job_is_lost_to_its_worker(
    database: Database, export: UUID, staff_id: UUID
) -> None:
    leased = lease(database)
    assert leased is not None
    with database.transaction() as session:
        jobs.cancel(session, export, jobs.EXPORTS, staff_id, make.NOW)
        assert not work.hold(session, leased, make.NOW, 1, 0)
        with pytest.raises(JobRefusal):
            jobs.cancel(session, export, jobs.EXPORTS, staff_id, make.NOW)
    assert lease(database) is None


def test_the_upload_is_deleted_once_it_is_imported(database: Database, staff_id: UUID) -> None:
    job_id = add_import(database, staff_id)
    for counts in ({}, {"added": 1}):
        leased = lease(database)
        assert leased is not None
        with database.transaction() as session:
            work.finish(session, leased, make.NOW, None, counts)
            if leased.kind is JobKind.PREVIEW:
                jobs.start_import(session, job_id, staff_id, make.NOW, make.NOW)
    with database.reading() as session:
        assert session.scalars(select(ConsoleChunk)).all() == []
        newest, *_ = audit.read(session, 1)
    assert (newest.action, newest.details["added"]) == ("import_ended", 1)


def test_an_import_needs_a_preview_and_its_file(database: Database, staff_id: UUID) -> None:
    job_id = add_import(database, staff_id)
    leased = lease(database)
    assert leased is not None
    with database.transaction() as session:
        with pytest.raises(JobRefusal, match="there is no preview"):
            jobs.start_import(session, job_id, staff_id, make.NOW, make.NOW)
        with pytest.raises(JobRefusal, match="wait until"):
            jobs.preview_again(session, job_id, {}, make.NOW)
        work.finish(session, leased, make.NOW, None, {})
        with pytest.raises(JobRefusal, match="upload it again"):
            jobs.start_import(session, job_id, staff_id, make.NOW, make.NOW + files.KEPT_FOR)


def test_a_worker_is_missed_only_some_time_after_the_import_was_started(
    database: Database, staff_id: UUID
) -> None:
    job_id, started = add_import(database, staff_id), make.NOW + timedelta(hours=1)
    leased = lease(database)
    assert leased is not None
    with database.transaction() as session:
        work.finish(session, leased, make.NOW, None, {})
        jobs.start_import(session, job_id, staff_id, make.NOW, started)
        job = listing.find(session, job_id, jobs.IMPORTS, started)
    assert [job.lacks_worker(started + wait * SECOND) for wait in (0, 14, 15)] == [
        False,
        False,
        True,
    ]


def test_an_export_is_no_import(database: Database, export: UUID) -> None:
    with database.transaction() as session, pytest.raises(UnknownJobError):
        listing.find(session, export, jobs.IMPORTS, make.NOW)


def test_files_have_a_limit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_PIECES", 2)
    with database.transaction() as session:
        files.add(session, uuid4(), JobFile.UPLOAD, 0, [b"a", b"b"], make.NOW)
        with pytest.raises(JobRefusal, match="delete some"):
            files.add(session, uuid4(), JobFile.UPLOAD, 0, [b"c"], make.NOW)


def test_files_are_purged_after_a_week_and_jobs_after_a_year(
    database: Database, staff_id: UUID
) -> None:
    add_import(database, staff_id)
    steps = {each.name: each for each in retention.STEPS}
    for name, kept_for in (
        ("pieces of files of the console", files.KEPT_FOR),
        ("exports and imports of the console", listing.LISTED_FOR),
    ):
        with database.transaction() as session:
            last = make.NOW + kept_for
            assert steps[name].run(session, make.RETENTION, last - SECOND) == 0
            assert steps[name].run(session, make.RETENTION, last) == 1
