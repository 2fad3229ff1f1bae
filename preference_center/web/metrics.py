"""Count and time what the serving processes do, for Prometheus.

No label holds a path, a link, a topic or an address. `docs/monitoring.md` lists the metrics.

prometheus_client decides when it is imported whether processes share their metrics: they do if
PROMETHEUS_MULTIPROC_DIR names a folder. `serve` sets that variable before a process that serves
imports this module. Each process then writes its values to its own files in that folder, and the
process that answers `/metrics` adds up the values of all of them.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from preference_center.asgi_adapter import RECEIVED_AT
from preference_center.inbound.spool import SpoolState

ONE_CLICK, PAGE, WEBHOOK, HEALTH = ENDPOINTS = ("one-click", "page", "webhook", "health")
COMMITTED, SPOOLED, REFUSED = OUTCOMES = ("committed", "spooled", "refused")
_HEALTH_PATHS = {"/healthz", "/readyz", "/metrics"}
# These exist from the start: Prometheus does not count the first event of a series that appears.
_EXPECTED_STATUSES = ("200", "500", "503")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)

# They double the output, and processes that share their metrics have none.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one application. Any number of threads may use it."""

    def __init__(self) -> None:
        self._folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._own = CollectorRegistry()
        self._requests = Counter(
            "preference_center_requests",
            "Requests answered, by kind of endpoint and HTTP status.",
            ["endpoint", "status"],
            registry=self._own,
        )
        self._durations = Histogram(
            "preference_center_request_duration_seconds",
            "Seconds from a complete request to its answer, by kind of endpoint.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self._own,
        )
        self._unsubscribes = Counter(
            "preference_center_one_click_unsubscribes",
            "One-click unsubscribes by outcome: acknowledged as committed or spooled, or refused.",
            ["outcome"],
            registry=self._own,
        )
        self._batch_sizes = Histogram(
            "preference_center_commit_batch_size",
            "Unsubscribes that shared a transaction.",
            buckets=_SIZES,
            registry=self._own,
        )
        self._batch_durations = Histogram(
            "preference_center_commit_batch_duration_seconds",
            "Seconds that a shared transaction took.",
            buckets=_SECONDS,
            registry=self._own,
        )
        # Looking up labels costs as much as counting.
        self._by_status = {
            (endpoint, status): self._requests.labels(endpoint, status)
            for endpoint in ENDPOINTS
            for status in _EXPECTED_STATUSES
        }
        self._by_endpoint = {each: self._durations.labels(each) for each in ENDPOINTS}
        self._by_outcome = {each: self._unsubscribes.labels(each) for each in OUTCOMES}
        self._spool: _SpoolGauges | None = None

    def observe_request(self, endpoint: str, status: str, seconds: float) -> None:
        """Count an answered request, and a refused one-click unsubscribe if it is one."""
        counter = self._by_status.get((endpoint, status))
        (counter or self._requests.labels(endpoint, status)).inc()
        self._by_endpoint[endpoint].observe(seconds)
        if endpoint == ONE_CLICK and status >= "500":
            self._by_outcome[REFUSED].inc()

    def count_unsubscribe(self, outcome: str) -> None:
        """Count a one-click unsubscribe that is acknowledged, as COMMITTED or SPOOLED."""
        self._by_outcome[outcome].inc()

    def observe_batch(self, size: int, seconds: float) -> None:
        """Record a transaction that unsubscribes shared."""
        self._batch_sizes.observe(size)
        self._batch_durations.observe(seconds)

    def observe_spool(self, state: SpoolState, now: datetime) -> None:
        """Record the state of this process's spool."""
        if self._spool is None:
            self._spool = _SpoolGauges(self._own)
        self._spool.set(state, now)

    def collector(self) -> Collector:
        """Return what collects the metrics of all processes that share them."""
        if self._folder is None:
            return self._own
        _forget_ended_processes(Path(self._folder))
        return MultiProcessCollector(None, self._folder)  # type: ignore[no-untyped-call]


class _SpoolGauges:
    """The spools of the running processes: their sum, their oldest row, and whether all accept."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows = Gauge(
            "preference_center_spool_rows",
            "Unsubscribes that wait in the spools of this server.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._age = Gauge(
            "preference_center_spool_oldest_age_seconds",
            "Age of the oldest unsubscribe in the spools of this server; 0 if there is none.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._accepts = Gauge(
            "preference_center_spool_accepts",
            "1 if the spool of every process can take more, 0 if one is full or not registered.",
            registry=registry,
            multiprocess_mode="livemin",
        )

    def set(self, state: SpoolState, now: datetime) -> None:
        self._rows.set(state.rows)
        self._age.set((now - (state.oldest_at or now)).total_seconds())
        self._accepts.set(state.accepts)


class MeasuredApp:
    """A WSGI application (PEP 3333) whose requests are counted and timed."""

    def __init__(self, app: WSGIApplication, metrics: Metrics, prefix: str) -> None:
        self._app, self._metrics, self._prefix = app, metrics, prefix

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start = environ.get(RECEIVED_AT) or time.perf_counter()
        status = "500"

        def start_and_note(line: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, headers, error) if error else start_response(line, headers)

        try:
            return self._app(environ, start_and_note)
        finally:
            seconds = time.perf_counter() - start
            self._metrics.observe_request(self._endpoint(environ), status, seconds)

    def _endpoint(self, environ: WSGIEnvironment) -> str:
        path = environ["PATH_INFO"].removeprefix(self._prefix)
        if path.startswith("/u/") and environ["REQUEST_METHOD"] == "POST" and path.count("/") == 2:
            return ONE_CLICK
        if path.startswith("/hooks/"):
            return WEBHOOK
        return HEALTH if path in _HEALTH_PATHS else PAGE


def _forget_ended_processes(folder: Path) -> None:
    """Delete the gauges of processes that have ended. Their counters are kept."""
    for pid in {path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*.db")}:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # Another process has deleted them.
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
