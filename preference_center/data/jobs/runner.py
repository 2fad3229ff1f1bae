"""Run jobs of the console, one after the other, while another thread holds the lease of each."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from preference_center.core.console_jobs import work
from preference_center.core.console_jobs.work import LeasedJob, LostLeaseError
from preference_center.core.errors import Refusal
from preference_center.core.staff_vocab import JobFile, JobKind
from preference_center.data.jobs import exporting, importing, saved, stored
from preference_center.data.tabular import FileRefusedError
from preference_center.store import Database, UnavailableError
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_MAX_REASON = 500  # characters; a reason may quote a line of the file
_UNEXPECTED = "something unexpected went wrong; the log of the worker says more"


class _StoppedError(Exception):
    """The worker was asked to stop."""


@dataclass
class _Watch:
    """Keeps the lease of a job, reports its progress, and notices that it must end."""

    database: Database
    leased: LeasedJob
    clock: Callable[[], datetime]
    stop: Event
    done: int = 0
    total: int = 0

    def __post_init__(self) -> None:
        self._ended, self._lost = Event(), False
        self._thread = Thread(target=self._hold, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def advance(self, count: int) -> None:
        """Count rows; raise LostLeaseError or _StoppedError if the job must end."""
        self.reach(self.done + count, 0)

    def reach(self, done: int, total: int) -> None:
        """Set the progress; raise as `advance` does."""
        self.done, self.total = done, total
        if self._lost:
            raise LostLeaseError
        if self.stop.is_set():
            raise _StoppedError

    def _hold(self) -> None:
        while not self._ended.wait(_POLL_SECONDS) and not self._lost:
            try:
                with self.database.transaction() as session:
                    held = work.hold(session, self.leased, self.clock(), self.done, self.total)
                self._lost = not held
            except UnavailableError:
                continue  # The lease may last longer than the outage.
            except Exception as error:  # noqa: BLE001 (the job would go on without a lease)
                log_unexpected(log, "the lease of a job", error)
                self._lost = True


@dataclass(frozen=True)
class Runner:
    """Runs the jobs that members of staff start in the console. Any number can run.

    Days are those of `zone`. Saved exports are queued, and written to `folder`, if there is one.
    """

    database: Database
    identity_key: str
    clock: Callable[[], datetime]
    zone: tzinfo = UTC
    folder: Path | None = None

    def run(self, stop: Event) -> None:
        """Run jobs until `stop` is set."""
        while not stop.is_set():
            if not self._attempt(stop):
                stop.wait(_POLL_SECONDS)

    def run_one(self, stop: Event) -> bool:
        """Run a job; return False if none waits."""
        with_folder = self.folder is not None
        if with_folder:
            saved.queue_due(self.database, self.clock(), self.zone)
        with self.database.reading() as session:
            if not work.is_due(session, self.clock(), with_folder=with_folder):
                return False
        with self.database.transaction() as session:
            leased = work.lease(session, self.clock(), with_folder=with_folder)
        if leased is None:
            return False
        self._run(leased, stop)
        return True

    def _attempt(self, stop: Event) -> bool:
        try:
            return self.run_one(stop)
        except UnavailableError as error:
            log.warning("jobs of the console: %s; trying again", error)
        except Exception as error:  # noqa: BLE001 (the next job may succeed)
            log_unexpected(log, "jobs of the console", error)
        return False

    def _run(self, leased: LeasedJob, stop: Event) -> None:
        with TemporaryDirectory() as name, _Watch(self.database, leased, self.clock, stop) as watch:
            try:
                report, path = self._result(leased, Path(name), watch)
                self._finish(leased, Path(name), report, path, watch)
            except LostLeaseError:
                log.info("job %s was cancelled, or another worker runs it", leased.id)
            except _StoppedError:
                log.info("job %s is given back, because this worker stops", leased.id)
                self._settle(lambda session: work.give_back(session, leased))
            except UnavailableError as error:  # The lease ends, and the job begins again.
                log.warning("job %s: %s; a worker will begin again", leased.id, error)
            except (FileRefusedError, Refusal) as error:
                why = importing.without_addresses(str(error))
                self._fail(leased, why[:_MAX_REASON])
            except OSError as error:
                self._fail(leased, f"the worker could not write its files: {error.strerror}")
            except Exception as error:  # noqa: BLE001 (the page says that it failed)
                log_unexpected(log, f"job {leased.id}", error)
                self._fail(leased, _UNEXPECTED)

    def _result(
        self, leased: LeasedJob, folder: Path, watch: _Watch
    ) -> tuple[dict[str, Any], Path | None]:
        """Return the report of a job and the file to take, if there is one."""
        path = folder / ".output"
        if leased.kind is JobKind.EXPORT:
            return exporting.run(self.database, leased, path, watch.advance, self.zone), path
        report = importing.run(
            self.database, self.identity_key, leased, path, self.clock, watch.reach
        )
        return report, path if report["counts"]["refused"] else None

    def _finish(
        self,
        leased: LeasedJob,
        folder: Path,
        report: dict[str, Any],
        path: Path | None,
        watch: _Watch,
    ) -> None:
        if leased.saved_id is not None and path is not None and self.folder is not None:
            self._place(leased, report, path, self.folder, watch)
            return
        size = None
        if path is not None:
            size = stored.output(self.database, leased, path, JobFile.OUTPUT, self.clock)
        written = folder / ".report"
        written.write_text(json.dumps(report), encoding="utf-8")
        stored.output(self.database, leased, written, JobFile.REPORT, self.clock)
        with self.database.transaction() as session:
            work.hold(session, leased, self.clock(), watch.done, watch.total)
            work.finish(session, leased, self.clock(), size, report.get("counts", {}))

    def _place(
        self, leased: LeasedJob, report: dict[str, Any], path: Path, folder: Path, watch: _Watch
    ) -> None:
        """Let the file of a saved export appear in the folder, and settle its job."""
        part = saved.copied(path, folder, leased.file_name)
        try:
            with self.database.transaction() as session:
                work.hold(session, leased, self.clock(), watch.done, watch.total)
                work.finish(session, leased, self.clock(), None, {})
                exporting.record_fetch(session, leased.options, report, leased.began_at)
                part.replace(folder / Path(leased.file_name).name)
        finally:
            part.unlink(missing_ok=True)

    def _fail(self, leased: LeasedJob, why: str) -> None:
        self._settle(lambda session: work.fail(session, leased, self.clock(), why))

    def _settle(self, settle: Callable[[Any], None]) -> None:
        try:
            with self.database.transaction() as session:
                settle(session)
        except LostLeaseError:
            pass  # It was cancelled just now.
        except UnavailableError as error:
            log.warning("jobs of the console: %s; another worker will begin again", error)
