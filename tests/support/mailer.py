"""A worker that keeps its emails for a test instead of sending them by SMTP."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import html5lib

from preference_center.i18n import Languages
from preference_center.outbound.worker import Worker
from preference_center.settings.settings import Settings
from preference_center.store import Database
from tests.support import make


@dataclass
class Mailer:
    """A worker with a clock that a test sets, and the emails that it has sent."""

    database: Database
    now: datetime = make.NOW
    settings: Settings = field(default_factory=make.settings)
    refusal: Exception | None = None
    on_send: Callable[[], None] = lambda: None
    sent: list[EmailMessage] = field(default_factory=list)
    tries: int = 0

    def worker(self) -> Worker:
        languages = Languages.of(self.settings)
        return Worker(self.database, self, self.settings, languages, lambda: self.now)

    def send_due(self, wait: timedelta, **settings: Any) -> list[str]:
        """Send what is due at `NOW + wait`, and return the subjects of all emails sent so far."""
        self.now, self.settings = make.NOW + wait, replace(self.settings, **settings)
        worker = self.worker()
        while worker.send_one():
            pass
        return [str(message["Subject"]) for message in self.sent]

    def send(self, message: EmailMessage, _sender: str, _recipient: str) -> None:
        self.tries += 1
        self.on_send()
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(message)


def plain(message: EmailMessage) -> str:
    """Return the text of an email."""
    return _body(message, "plain")


def html(message: EmailMessage) -> Any:
    """Return the HTML of an email as a tree. Fails if it is not valid."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(_body(message, "html"))


def links(message: EmailMessage) -> list[str]:
    """Return the links of an email's text. Fails if the links of its HTML differ."""
    text = plain(message)
    found = re.findall(r"https?://\S+", text)
    linked = [each.get("href") for each in html(message).iter("a")]
    addresses = {each.removeprefix("mailto:") for each in linked if each.startswith("mailto:")}
    assert sorted(each for each in linked if not each.startswith("mailto:")) == sorted(found)
    assert addresses == set(re.findall(r"Questions\? ([^\s:]+@\S+)", text))
    return found


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())
