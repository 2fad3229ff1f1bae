"""A program of the demo's company that receives webhooks, as `docs/webhooks.md` describes one.

While it is stopped, it answers 503, as a proxy does for a program that does not run.
"""

import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

from preference_center.core.api_vocab import EventName
from preference_center.demo import json_files
from preference_center.demo.company import TOPICS

TOPIC = TOPICS[0].slug  # The topic that its reader leaves, and whose state it keeps.
ACCEPTED, NOT_SIGNED, STOPPED = 204, 401, 503
_MAX_AGE = 300  # seconds
_SECONDS = re.compile(r"[0-9]{1,12}")
_MAX_KEPT = 12  # requests
_HEADERS = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")
_one_at_a_time = Lock()


@dataclass(frozen=True)
class Posted:
    """A request with a valid signature: its headers, its body, and the status of its answer."""

    at: datetime
    headers: Mapping[str, str]
    body: str
    status: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def subscriber_id(self) -> UUID | None:
        """Return the id of the subscriber whom the event is about; None for a test."""
        found = self.event["data"].get("subscriber_id")
        return UUID(found) if found is not None else None


@dataclass(frozen=True)
class Program:
    """The program, and what it has learned.

    Attributes:
        webhook_id, secret: the webhook that posts to it.
        reader, reader_id: the reader of whose changes it keeps a record.
        is_running, since: whether it runs, and since when.
        gets, seq: whether the reader gets `TOPIC`, as of a row of their ledger.
        delivered_again: whether an event has come again that it had not accepted.
        posted: the newest requests, oldest first.
    """

    webhook_id: str
    secret: str
    reader: str
    reader_id: str
    since: datetime
    is_running: bool = True
    gets: bool = True
    seq: int = 0
    delivered_again: bool = False
    posted: tuple[Posted, ...] = ()

    @property
    def newest(self) -> Posted | None:
        """Return the newest request that was accepted, or None."""
        return next((each for each in reversed(self.posted) if each.status == ACCEPTED), None)

    def taking(self, posted: Posted) -> "Program":
        """Return the program after a request."""
        kept = (*self.posted, posted)[-_MAX_KEPT:]
        if posted.status != ACCEPTED:
            return replace(self, posted=kept)
        again = any(each.id == posted.id and each.status == STOPPED for each in self.posted)
        known = replace(self, posted=kept, delivered_again=self.delivered_again or again)
        return known._applying(posted.event)

    def _applying(self, event: Mapping[str, Any]) -> "Program":
        """Apply an event, unless it is about something else, or older than what is known."""
        data = event["data"]
        about = (data.get("subscriber_id"), data.get("topic"))
        started = event["type"] == EventName.TOPIC_STARTED
        is_news = started or event["type"] == EventName.TOPIC_STOPPED
        if is_news and about == (self.reader_id, TOPIC) and data["seq"] > self.seq:
            return replace(self, gets=started, seq=data["seq"])
        return self


def load(folder: Path) -> Program | None:
    """Return the program, or None if it has no webhook yet."""
    with _one_at_a_time:
        return _read(folder)


def save(folder: Path, program: Program) -> None:
    """Make this the program of the demo."""
    with _one_at_a_time:
        _write(folder, program)


def switch(folder: Path, now: datetime, *, is_running: bool) -> None:
    """Start the program, or stop it."""
    with _one_at_a_time:
        program = _read(folder)
        if program is not None and program.is_running is not is_running:
            _write(folder, replace(program, is_running=is_running, since=now))


def receive(folder: Path, headers: Mapping[str, str], body: bytes, now: datetime) -> int:
    """Return the status that answers a request. Keep it if its signature is valid."""
    with _one_at_a_time:
        program = _read(folder)
        if program is None or not is_signed(program.secret, headers, body, now):
            return NOT_SIGNED
        status = ACCEPTED if program.is_running else STOPPED
        kept = {name: headers[name] for name in _HEADERS if name in headers}
        _write(folder, program.taking(Posted(now, kept, body.decode(), status)))
        return status


def is_signed(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Return True if a request was signed with the secret within the last five minutes.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    sent_at = headers.get("webhook-timestamp", "")
    if not _SECONDS.fullmatch(sent_at) or abs(now.timestamp() - int(sent_at)) > _MAX_AGE:
        return False
    signed = b".".join([headers.get("webhook-id", "").encode(), sent_at.encode(), body])
    digest = hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    expected = b"v1," + b64encode(digest)
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(each.encode(), expected) for each in given)


def _read(folder: Path) -> Program | None:
    path = _file(folder)
    if not path.exists():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    posted = tuple(
        Posted(**each | {"at": datetime.fromisoformat(each["at"])}) for each in values["posted"]
    )
    since = datetime.fromisoformat(values["since"])
    return Program(**values | {"since": since, "posted": posted})


def _write(folder: Path, program: Program) -> None:
    json_files.write(_file(folder), program)


def _file(folder: Path) -> Path:
    return folder / "receiver.json"
