"""Events, and a worker that delivers them to a receiver of a test.

hooks = Hooks(database)
webhook = hooks.add(own.url)
hooks.leave("ada@example.org", "weekly-news")
hooks.deliver()
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from preference_center.core import feed, subscribers, webhooks
from preference_center.core.api_vocab import EventName
from preference_center.core.webhooks import Webhook
from preference_center.outbound.webhook_client import WebhookClient
from preference_center.outbound.webhook_worker import WebhookWorker
from preference_center.store import Database
from tests.support import make, receiver, smtp


@dataclass
class Hooks:
    """A database with webhooks, and a clock that a test sets."""

    database: Database
    now: datetime = make.NOW
    client: WebhookClient = field(default_factory=receiver.client)

    def add(self, url: str, *names: EventName) -> Webhook:
        with self.database.transaction() as session:
            return webhooks.add(session, url, names, self.now)[0]

    def get(self, webhook: Webhook) -> Webhook:
        with self.database.reading() as session:
            return webhooks.get(session, webhook.id)

    def leave(self, email: str = "ada@example.org", *slugs: str) -> UUID:
        """Unsubscribe an address from topics, which are one event each; return its id."""
        with self.database.transaction() as session:
            if subscribers.find(session, make.id_of(email)) is None:
                make.subscriber(session, email)
            for slug in slugs or ("weekly-news",):
                make.unsubscribe(session, email, slug=slug, at=self.now)
        self.number()
        return make.id_of(email)

    def number(self) -> None:
        """Give all events their positions."""
        with self.database.transaction() as session:
            while feed.number(session, self.now):
                pass

    def worker(self) -> WebhookWorker:
        return WebhookWorker(self.database, self.client, lambda: self.now)

    def deliver(self, wait: timedelta = timedelta(0)) -> None:
        """Deliver, after a wait, what is due."""
        self.now += wait
        worker = self.worker()
        for webhook_id in worker.prepare():
            while worker.deliver_one(webhook_id):
                pass

    def replay(self, webhook: Webhook, **options: Any) -> None:
        with self.database.transaction() as session:
            webhooks.replay(session, webhook.id, self.now, **options)


def worker_settings(database_url: str, folder: Path) -> dict[str, str]:
    """Return the settings of a worker that trusts the receivers, and sends no email."""
    authority = folder / "authority.pem"
    authority.write_bytes(smtp.certificate()[0])
    variables = make.environment(
        DATABASE_URL=database_url,
        SMTP_URL="smtp://127.0.0.1:9",
        MAIL_FROM="letters@example.org",
        WEBHOOK_PRIVATE_NETWORKS="127.0.0.0/8",
    )
    return {**variables, "SSL_CERT_FILE": str(authority)}
