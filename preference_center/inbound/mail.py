"""Process inbound email: unsubscribes by mailto, bounces and complaints (M11 to M14).

The effect of a message is committed before the message is acknowledged, and a message that
arrives again has no further effect. Messages that cannot be processed are quarantined. Everything
is counted.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from preference_center.core import dedup, inbound_counts, quarantine, subscribers
from preference_center.core.apply import apply
from preference_center.core.bounces import Bounce, RecordBounce
from preference_center.core.change import ALL, ChangeContext, ChangeResult, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Change
from preference_center.core.vocab import BounceEffect, BounceSeverity, InboundEffect, Scope, Source
from preference_center.inbound import tokens
from preference_center.inbound.tokens import MailToken
from preference_center.links.addresses import normalise
from preference_center.mail.arf import NOT_COMPLAINTS
from preference_center.mail.dsn import Failure
from preference_center.mail.incoming import Incoming, read
from preference_center.settings.settings import Settings
from preference_center.store import Database

log = logging.getLogger(__name__)

CHANNEL = "mail"
MAX_MESSAGE_BYTES = 33_554_432  # A bounce may contain the whole email that it is about.
_AUTOMATIC = f"{InboundEffect.IGNORED}: an automatic message"


def _is_signed_by(raw: bytes, domains: Iterable[str]) -> bool:
    from preference_center.mail import dkim_check  # Imports dnspython, which few messages need.

    return dkim_check.is_signed_by(raw, domains)


@dataclass(frozen=True)
class MailProcessor:
    """Processes messages one at a time, from any number of threads."""

    database: Database
    settings: Settings
    clock: Callable[[], datetime]
    is_signed_by: Callable[[bytes, Iterable[str]], bool] = _is_signed_by

    def process(self, raw: bytes, recipients: Sequence[str] = ()) -> str:
        """Process a message and return its effect.

        `recipients` are those of its envelope, if they are known. Raise UnavailableError if the
        database cannot be used: nothing was done, and the message must be delivered again.
        """
        incoming, now = read(raw), self.clock()
        trusted = incoming.complaint is not None and self.is_signed_by(
            raw, self.settings.complaint_reporters
        )
        with self.database.transaction() as session:
            effects = [InboundEffect.DUPLICATE.value]
            if dedup.record_if_new(session, CHANNEL, _dedup_name(raw, recipients), now):
                effects = list(self._effects(session, incoming, recipients, trusted=trusted))
            if not effects:
                effects = [self._without_effect(session, raw, incoming, recipients)]
            keys = (inbound_counts.key(CHANNEL, effect, now) for effect in effects)
            inbound_counts.count(session, keys)
        log.info("inbound email: %s", effects[0])
        return effects[0]

    def _without_effect(
        self, session: Session, raw: bytes, incoming: Incoming, recipients: Sequence[str]
    ) -> str:
        """Quarantine a message, unless it is an automatic one.

        A mail system's report about one of our emails is quarantined in any case.
        """
        why = self._why_not(incoming, recipients or incoming.recipients)
        about_ours = any(
            tokens.is_return_path(each, self.settings.link_keys)
            for each in recipients or incoming.recipients
        )
        if incoming.unread_report and about_ours:
            why = "a report that is not understood"
        elif incoming.challenge and about_ours:
            return _AUTOMATIC
        elif incoming.automatic and incoming.complaint is None:
            return f"{InboundEffect.IGNORED}: {why}"
        quarantine.keep(session, raw, why, self.clock())
        return f"{InboundEffect.QUARANTINED}: {why}"

    def _why_not(self, incoming: Incoming, recipients: Iterable[str]) -> str:
        """Return why a message had no effect, in words that identify no one."""
        if incoming.complaint is not None:
            return "a complaint about an email that is not ours"
        if any(tokens.is_forged(each, self.settings.link_keys) for each in recipients):
            return "a token that we did not sign"
        if incoming.automatic:
            return "an automatic message"
        return incoming.trouble or "not understood"

    def _effects(
        self, session: Session, incoming: Incoming, recipients: Sequence[str], *, trusted: bool
    ) -> Iterator[str]:
        if incoming.complaint is not None:
            yield from self._complaint(session, incoming, trusted=trusted)
            return
        changes: list[Change[ChangeResult | BounceEffect]] = []
        named = recipients or incoming.recipients
        for token in tokens.in_addresses(session, named, self.settings.link_keys):
            if token.kind == "u":
                changes.append(self._unsubscribe(token, incoming))
            else:
                changes += self._bounces(session, token, incoming)
        for result in apply(session, changes, self.clock()):
            yield _effect(result)

    def _unsubscribe(self, token: MailToken, incoming: Incoming) -> Unsubscribe:
        """Return the unsubscribe of a mailto token. An automatic email gets no reply."""
        now = self.clock()
        delay = None if incoming.automatic else self.settings.notice_delay(Source.MAILTO)
        context = ChangeContext(
            Source.MAILTO,
            occurred_at=now,
            recorded_at=now,
            notice_delay=delay,
            in_reply_to=incoming.message_id,
        )
        everything = self.settings.one_click_scope is Scope.ALL
        target = ALL if everything else Target.of(token.topic)
        return Unsubscribe(token.subscriber_id, target, context)

    def _bounces(
        self, session: Session, token: MailToken, incoming: Incoming
    ) -> Iterator[RecordBounce]:
        """Yield what a report says about the subscriber that its return path names."""
        if not incoming.failures:
            return
        now = self.clock()
        subscriber = subscribers.find(session, token.subscriber_id)
        email = None if subscriber is None else subscriber.email
        for failure in incoming.failures:
            severity = _severity_for(email, failure)
            bounce = Bounce(severity, failure.code, now, "return-path", topic=token.topic)
            yield RecordBounce(token.subscriber_id, bounce, now)

    def _complaint(self, session: Session, incoming: Incoming, *, trusted: bool) -> Iterator[str]:
        """End all topics if a listed reporter signed it, else only its topic. Send no notice."""
        complaint, original, now = incoming.complaint, incoming.original, self.clock()
        if complaint is None or complaint.kind in NOT_COMPLAINTS:
            yield f"{InboundEffect.IGNORED}: not a complaint"
            return
        named = [complaint.mail_from, *complaint.feedback_ids]
        if original is not None:
            named += [original.return_path, *original.feedback_ids]
        keys, uris = self.settings.link_keys, original.list_unsubscribe if original else ()
        found = [
            *tokens.in_addresses(session, filter(None, named), keys),
            *tokens.in_links(session, uris, keys),
        ]
        context = ChangeContext(Source.COMPLAINT, now, now)
        changes = [
            Unsubscribe(each.subscriber_id, ALL if trusted else Target.of(each.topic), context)
            for each in dict.fromkeys(found)
        ]
        yield from (InboundEffect.COMPLAINT for _ in apply(session, changes, now))


def _effect(result: ChangeResult | BounceEffect) -> str:
    if isinstance(result, BounceEffect):
        return f"{InboundEffect.BOUNCE} {result}"
    return InboundEffect.UNSUBSCRIBED if result.changed else InboundEffect.DUPLICATE


def _severity_for(email: str | None, failure: Failure) -> BounceSeverity:
    """Return what a failed recipient means for the subscriber with this address (None: unknown).

    An alias or a list behind the address may lead to mailboxes that are not the subscriber's. The
    failure of such a mailbox is ignored if another one was reached, and at most soft otherwise. A
    plain forwarder names the subscriber as the original recipient: then the failure counts in full.
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


def _dedup_name(raw: bytes, recipients: Sequence[str]) -> str:
    """Return the deduplication key of a delivery."""
    return "\n".join((hashlib.sha256(raw).hexdigest(), *sorted(recipients)))
