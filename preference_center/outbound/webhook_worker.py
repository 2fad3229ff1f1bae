"""Deliver webhooks: lease a delivery and commit, post it outside any transaction, then settle.

If a worker dies after posting, the event is posted again under the same id once the lease has
expired. No event is lost.
"""

import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from threading import Event
from typing import Any
from uuid import UUID

from preference_center.core import webhook_deliveries, webhook_results
from preference_center.core.webhook_deliveries import LeasedDelivery
from preference_center.core.webhook_results import RETRY_AFTER, Result
from preference_center.core.webhooks import MAX_WEBHOOKS
from preference_center.outbound import webhook_signing
from preference_center.outbound.attempts import attempt
from preference_center.outbound.webhook_client import NoAnswerError, WebhookClient
from preference_center.store import Database

log = logging.getLogger(__name__)

THREADS_OF_A_WEBHOOK = 4
_POLL_SECONDS = 1.0
_MAX_SECONDS_TEXT = 9  # digits


@dataclass(frozen=True)
class WebhookWorker:
    """Delivers events to webhooks. On PostgreSQL, any number of workers can run at once.

    Each webhook has threads of its own, so that a slow receiver delays no other. `retry_after` are
    the waits between the attempts of a delivery.
    """

    database: Database
    client: WebhookClient
    clock: Callable[[], datetime]
    retry_after: Sequence[timedelta] = RETRY_AFTER
    _lanes: dict[tuple[UUID, int], "Future[None]"] = field(default_factory=dict)

    def run(self, stop: Event) -> None:
        """Deliver until `stop` is set. What is being posted is finished first."""
        with ThreadPoolExecutor(MAX_WEBHOOKS * THREADS_OF_A_WEBHOOK) as pool:
            while not stop.is_set():
                for webhook_id in attempt(self.prepare, "webhooks", log) or ():
                    self._start(pool, webhook_id, stop)
                stop.wait(_POLL_SECONDS)

    def prepare(self) -> list[UUID]:
        """Make deliveries from new events, and return the webhooks that have some to be made."""
        with self.database.reading() as session:
            active = webhook_deliveries.active(session)
            behind = webhook_deliveries.behind(session)
        for each in behind:
            while self._spread(each) == webhook_deliveries.BATCH_SIZE:
                pass
        with self.database.reading() as session:
            now = self.clock()
            return [each for each in active if webhook_deliveries.has_due(session, each, now)]

    def deliver_one(self, webhook_id: UUID) -> bool:
        """Make the delivery to a webhook that has been due longest; return False if none is due."""
        with self.database.transaction() as session:
            leased = webhook_deliveries.lease(session, webhook_id, self.clock())
        if leased is None:
            return False
        result = self._post(leased)
        with self.database.transaction() as session:
            stopped = webhook_results.settle(
                session, leased, result, self.clock(), self.retry_after
            )
        if not result.is_success:
            log.warning("webhook %s, attempt %d: %s", webhook_id, leased.attempts, result.text)
        if stopped is not None:
            log.error("webhook %s is %s now: nothing is delivered to it", webhook_id, stopped)
        return True

    def _spread(self, webhook_id: UUID) -> int:
        with self.database.transaction() as session:
            return webhook_deliveries.spread(session, webhook_id, self.clock())

    def _start(self, pool: ThreadPoolExecutor, webhook_id: UUID, stop: Event) -> None:
        for number in range(THREADS_OF_A_WEBHOOK):
            lane = self._lanes.get((webhook_id, number))
            if lane is None or lane.done():
                self._lanes[webhook_id, number] = pool.submit(self._deliver, webhook_id, stop)

    def _deliver(self, webhook_id: UUID, stop: Event) -> None:
        """Make deliveries until none is due; the next poll starts this thread again."""
        deliver_one = partial(self.deliver_one, webhook_id)
        while not stop.is_set() and attempt(deliver_one, f"webhook {webhook_id}", log):
            pass

    def _post(self, leased: LeasedDelivery) -> Result:
        if not leased.secrets:
            return Result(None, "the secret cannot be decrypted: rotate it")
        now = self.clock()
        payload = _payload(leased, now)
        body = json.dumps(payload, separators=(",", ":")).encode()
        signed = webhook_signing.headers(leased.secrets, payload["id"], now, body)
        try:
            headers = {"Content-Type": "application/json", **signed}
            answer = self.client.post(leased.url, headers, body)
        except NoAnswerError as error:
            return Result(None, str(error))
        return Result(answer.status, f"status {answer.status}", wait(answer.retry_after, now))


def wait(header: str, now: datetime) -> timedelta | None:
    """Return how long a header Retry-After asks to wait (RFC 9110 §10.2.3), or None."""
    if header.isascii() and header.isdigit() and len(header) <= _MAX_SECONDS_TEXT:
        return timedelta(seconds=int(header))
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return max((at if at.tzinfo else at.replace(tzinfo=UTC)) - now, timedelta(0))


def _payload(leased: LeasedDelivery, now: datetime) -> dict[str, Any]:
    if leased.event is not None:
        return leased.event.payload()
    timestamp = now.isoformat().replace("+00:00", "Z")
    return {
        "id": f"test-{leased.about}",
        "type": "webhook.test",
        "timestamp": timestamp,
        "data": {},
    }
