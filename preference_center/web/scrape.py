"""`/metrics`: what Prometheus reads. It needs METRICS_TOKEN.

The figures of the database are read in one session, in a separate thread. A database that does not
answer delays a scrape by at most DATABASE_SECONDS; then its figures are left out.
"""

import hmac
import logging
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from threading import Lock, Thread

from flask import Blueprint, Response, abort, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from preference_center.core import monitoring
from preference_center.core.monitoring import Figures
from preference_center.store import SchemaError, UnavailableError
from preference_center.store.schema import check_schema
from preference_center.util.logs import log_unexpected
from preference_center.web import errors
from preference_center.web.access import Caller, open_to
from preference_center.web.services import Services, services

log = logging.getLogger(__name__)

blueprint = Blueprint("metrics", __name__)
errors.register_machine(blueprint)

DATABASE_SECONDS = 2.0

_turn = Lock()


@blueprint.get("/metrics")
@open_to(Caller.MONITORING)
def scrape() -> Response:
    """Return the metrics in Prometheus's text format; 404 without a token in the settings."""
    app = services()
    token = app.settings.metrics_token
    if not token:
        abort(404)
    sent = request.headers.get("Authorization", "")
    if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        headers = {"WWW-Authenticate": "Bearer"}
        return Response("Wrong token.\n", 401, headers, mimetype="text/plain")
    text = generate_latest(app.metrics.collector()) + generate_latest(DatabaseMetrics(app))
    return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


class DatabaseMetrics(Collector):
    """Reads the figures of the database when it is collected."""

    def __init__(self, app: Services) -> None:
        self._app = app

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield whether the database answers in time and, if so, its figures."""
        figures = self._read_in_time()
        yield _gauge("database_up", "1 if the database answers within 2 seconds.", bool(figures))
        if figures is None:
            return
        yield _gauge(
            "outbox_pending", "Emails to be sent, counted up to 100,000.", figures.outbox_pending
        )
        yield _gauge(
            "outbox_overdue_seconds",
            "For how long the oldest email has been due; 0 if none is.",
            figures.outbox_overdue.total_seconds(),
        )
        yield _gauge(
            "outbox_failed",
            "Emails that failed within the last 24 hours, counted up to 100,000.",
            figures.outbox_failed,
        )
        yield _gauge(
            "serving_processes",
            "Processes with a spool that are registered, on all servers.",
            figures.processes,
        )
        yield _gauge(
            "serving_processes_oldest_report_age_seconds",
            "Age of the oldest last report of a registered process; 0 if there is none.",
            figures.oldest_report.total_seconds(),
        )
        yield _gauge(
            "unfetched_unsubscribe_age_seconds",
            "Age of the oldest unsubscribe that no sender has fetched; 0 if there is none.",
            figures.oldest_unfetched.total_seconds(),
        )
        yield _gauge(
            "feed_waiting_seconds",
            "Age of the oldest event that is not in the feed yet; 0 if there is none.",
            figures.oldest_unnumbered.total_seconds(),
        )
        yield _gauge(
            "erasures_waiting",
            "Erasures that a consumer has not acknowledged, counted up to 100,000.",
            figures.erasures_waiting,
        )
        yield _gauge(
            "erasures_waiting_seconds",
            "Age of the oldest erasure that a consumer has not acknowledged; 0 if there is none.",
            figures.oldest_erasure.total_seconds(),
        )
        yield _by_consumer(figures.unfetched_by)

    def _read_in_time(self) -> Figures | None:
        """Return the figures, or None if the database cannot give them in time.

        One thread at a time reads. A scrape that has to wait for it too long returns None.
        """
        give_up = time.monotonic() + DATABASE_SECONDS
        if not _turn.acquire(timeout=DATABASE_SECONDS):
            return None
        found: list[Figures] = []
        thread = Thread(target=self._read, args=(found,), name="metrics", daemon=True)
        thread.start()
        thread.join(max(0.0, give_up - time.monotonic()))
        return found[0] if found else None

    def _read(self, found: list[Figures]) -> None:
        """Add the figures to `found`, and let the next scrape read."""
        try:
            database = self._app.database
            if not database.keys_are_checked:
                check_schema(database)
            with database.reading() as session:
                found.append(monitoring.read(session, self._app.clock()))
        except (SchemaError, UnavailableError) as error:
            log.warning("the metrics of the database are left out: %s", error)
        except Exception as error:  # noqa: BLE001 (its message may name a row)
            log_unexpected(log, "metrics", error)
        finally:
            _turn.release()


def _gauge(name: str, explanation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"preference_center_{name}", explanation, value)


def _by_consumer(ages: Mapping[str, timedelta]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "preference_center_consumer_unfetched_unsubscribe_age_seconds",
        "Age of the oldest unsubscribe that a reader of the feed has not fetched; 0 if none.",
        labels=["consumer"],
    )
    for prefix, age in ages.items():
        family.add_metric([prefix], age.total_seconds())
    return family
