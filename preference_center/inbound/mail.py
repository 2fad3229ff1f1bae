"""Mail that comes in, and what each message does (M11 to M14).

What it does is committed before it is acknowledged. The same message again does nothing more.
What nobody understands is kept, and everything is counted.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import (
    bounces,
    consent,
    inbound_counts,
    quarantine,
    subscribers,
    topics,
)
from preference_center.core.vocab import BounceSeverity
from preference_center.links.addresses import normalise
from preference_center.links.minter import read_link, read_mail_token
from preference_center.links.signing import BadLink
from preference_center.mail import dkim_check
from preference_center.mail.dsn import Failure
from preference_center.mail.incoming import Incoming, read
from preference_center.settings.settings import Settings
from preference_center.store import Database

log = logging.getLogger(__name__)

CHANNEL = "mail"
MAX_MESSAGE_BYTES = 33_554_432  # bytes: a bounce may carry the whole mail that it is about
_TOKEN = re.compile(r"[ub]-[a-z2-7]{60}", re.ASCII | re.IGNORECASE)
# Feedback types that are not a complaint. Any other type is one, also a type that is not registered
# ("spam", "xarf"): the recipient of the email has objected to it.
_NO_COMPLAINT = {"not-spam", "auth-failure"}


@dataclass(frozen=True)
class MailToken:
    """What a signed token in a mail says: whose it is, of which topic, and for what it was made."""

    kind: str
    subscriber_id: UUID
    topic: str | None


@dataclass(frozen=True)
class MailProcessor:
    """Takes in messages, one at a time, from any number of threads."""

    database: Database
    settings: Settings
    clock: Callable[[], datetime]
    is_signed_by: Callable[[bytes, Iterable[str]], bool] = dkim_check.is_signed_by

    def take(self, raw: bytes, recipients: Sequence[str] = ()) -> str:
        """Do what a message says, and return in a word what that was.

        `recipients` are those of its envelope, where they are known. Raise UnavailableError where
        the database is away: nothing was done, and whoever brought the message keeps it.
        """
        incoming, now = read(raw), self.clock()
        trusted = incoming.complaint is not None and self.is_signed_by(
            raw, self.settings.complaint_reporters
        )
        with self.database.transaction() as session:
            effects = ["again"]
            if inbound_counts.record_if_new(session, CHANNEL, _name(raw, recipients), now):
                effects = list(self._effects(session, incoming, recipients, trusted=trusted))
            if not effects:
                effects = [self._without_effect(session, raw, incoming, recipients)]
            inbound_counts.count(
                session, (inbound_counts.key(CHANNEL, effect, now) for effect in effects)
            )
        log.info("inbound mail: %s", effects[0])
        return effects[0]

    def _without_effect(
        self, session: Session, raw: bytes, incoming: Incoming, recipients: Sequence[str]
    ) -> str:
        """Keep a message for a person to see, unless it is an automatic one.

        A mail system's report about our own email is kept all the same.
        """
        why = self._why_not(incoming, recipients or incoming.recipients)
        about_ours = any(map(self._is_return_path, recipients or incoming.recipients))
        if incoming.unread_report and about_ours:
            why = "a report that is not understood"
        elif incoming.challenge and about_ours:
            return "ignored: an automatic message"
        elif incoming.automatic and incoming.complaint is None:
            return f"ignored: {why}"
        quarantine.keep(session, raw, why, self.clock())
        return f"kept: {why}"

    def _why_not(self, incoming: Incoming, recipients: Iterable[str]) -> str:
        """Return, in words that name nobody, why a message did nothing."""
        if incoming.complaint is not None:
            return "a complaint about no mail of ours"
        if any(self._is_forged(_local(each)) for each in recipients):
            return "a token that we did not sign"
        if incoming.automatic:
            return "an automatic message"
        return incoming.trouble or "not understood"

    def _is_return_path(self, address: str) -> bool:
        """Return whether an address is the envelope sender of an email of ours."""
        try:
            return read_mail_token(_local(address), self.settings.link_keys)[0] == "b"
        except BadLink:
            return False

    def _is_forged(self, local_part: str) -> bool:
        if not _TOKEN.fullmatch(local_part):
            return False
        try:
            read_mail_token(local_part, self.settings.link_keys)
        except BadLink:
            return True
        return False

    def _effects(
        self, session: Session, incoming: Incoming, recipients: Sequence[str], *, trusted: bool
    ) -> Iterator[str]:
        if incoming.complaint is not None:
            yield from self._complaint(session, incoming, trusted=trusted)
            return
        found = self._marks(session, recipients or incoming.recipients)
        marks = [mark for mark in found if mark.kind == "u" or incoming.failures]
        self._lock(session, marks)
        for mark in marks:
            if mark.kind == "u":
                yield self._leave(session, mark, incoming)
            else:
                yield from self._failures(session, mark, incoming)

    def _leave(self, session: Session, mark: MailToken, incoming: Incoming) -> str:
        """End what the mailto token names; an automatic mail is obeyed, and never answered."""
        now = self.clock()
        quiet = None if incoming.automatic else self.settings.notice_delay("mailto")
        everything = self.settings.one_click_scope == "all"
        context = consent.ChangeContext(
            "mailto",
            occurred_at=now,
            recorded_at=now,
            notice_delay=quiet,
            in_reply_to=incoming.message_id,
        )
        slug = None if everything else mark.topic
        return (
            "stopped"
            if consent.leave(session, mark.subscriber_id, slug, context).changed
            else "again"
        )

    def _failures(self, session: Session, mark: MailToken, incoming: Incoming) -> Iterator[str]:
        """Record what a report says about the subscriber that its return path names."""
        now = self.clock()
        subscriber = subscribers.find(session, mark.subscriber_id)
        email = None if subscriber is None else subscriber.email
        for failure in incoming.failures:
            severity = _severity_for(email, failure)
            if severity is BounceSeverity.IGNORED:
                yield "bounce ignored"
                continue
            bounce = bounces.Bounce(severity, failure.code, now, "return-path", topic=mark.topic)
            yield f"bounce {bounces.record(session, mark.subscriber_id, bounce, now)}"

    def _complaint(self, session: Session, incoming: Incoming, *, trusted: bool) -> Iterator[str]:
        """End everything where a listed reporter signed it, else the topic alone; silently."""
        complaint, original, now = incoming.complaint, incoming.original, self.clock()
        if complaint is None or complaint.kind in _NO_COMPLAINT:
            yield "complaint of no effect"
            return
        named = [complaint.mail_from, *complaint.feedback_ids]
        if original is not None:
            named += [original.return_path, *original.feedback_ids]
        marks = [*self._marks(session, filter(None, named)), *self._linked(session, incoming)]
        self._lock(session, marks)
        for mark in dict.fromkeys(marks):
            context = consent.ChangeContext("complaint", now, now)
            slug = None if trusted else mark.topic
            consent.leave(session, mark.subscriber_id, slug, context)
            yield "complaint"

    def _lock(self, session: Session, marks: Sequence[MailToken]) -> None:
        """Make the topics, then lock the people, each in their order.

        So two mails that name the same people never wait for each other.
        """
        for slug in sorted({mark.topic for mark in marks if mark.topic is not None}):
            topics.get_or_create(session, slug, self.clock())
        if marks:
            people = (mark.subscriber_id for mark in marks)
            subscribers.lock_all(session, people, self.clock())

    def _marks(self, session: Session, addresses: Iterable[str]) -> Iterator[MailToken]:
        """Yield what is signed in the local parts of addresses."""
        for address in addresses:
            try:
                kind, person, code = read_mail_token(_local(address), self.settings.link_keys)
            except BadLink:
                continue
            yield MailToken(kind, person, topics.slug_of(session, code))

    def _linked(self, session: Session, incoming: Incoming) -> Iterator[MailToken]:
        """Yield what is signed in the links of the mail that a report returns."""
        for uri in incoming.original.list_unsubscribe if incoming.original is not None else ():
            try:
                parts = urlsplit(uri)
            except ValueError:
                continue
            if parts.scheme == "mailto":
                yield from self._marks(session, [unquote(parts.path)])
                continue
            try:
                link = read_link(
                    "unsubscribe", parts.path.rpartition("/")[2], self.settings.link_keys
                )
            except BadLink:
                continue
            yield MailToken("u", link.subscriber_id, link.topic)


def _severity_for(email: str | None, failure: Failure) -> BounceSeverity:
    """Return what a failed recipient means for the subscriber with an address (None: unknown).

    An alias or a list behind the address may lead to mailboxes that are not the subscriber's. A
    dead one says nothing about the address where another one was reached, else little. A plain
    forwarder names the subscriber as the original recipient: that counts in full.
    """
    if email is None or not failure.recipient:
        return failure.severity
    ours = normalise(email)
    if normalise(failure.final_recipient or failure.recipient) == ours:
        return failure.severity
    if failure.another_reached:
        return BounceSeverity.IGNORED
    counts = normalise(failure.recipient) == ours or failure.severity is BounceSeverity.IGNORED
    return failure.severity if counts else BounceSeverity.SOFT


def _name(raw: bytes, recipients: Sequence[str]) -> str:
    """Return what tells one delivery of a message from every other."""
    return "\n".join((hashlib.sha256(raw).hexdigest(), *sorted(recipients)))


def _local(address: str) -> str:
    bare = address.strip("<> ")
    return bare.rpartition("@")[0] or bare
