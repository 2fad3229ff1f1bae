"""Process inbound email: unsubscribes by mailto, bounces and complaints (M11 to M14).

The effect of a message is committed before the message is acknowledged, and a message that
arrives again has no further effect. Messages that cannot be processed are quarantined. Everything
is counted. Messages that arrive at the same time share a transaction.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import dedup, inbound_counts, quarantine
from preference_center.core.apply import apply
from preference_center.core.change import ALL, ChangeContext, ChangeResult, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Change
from preference_center.core.inbound_vocab import BounceEffect, InboundEffect
from preference_center.core.vocab import Scope, Source
from preference_center.inbound import tokens
from preference_center.inbound.message import (
    Known,
    Message,
    bounces,
    complaints,
    load_known,
    tokens_of_complaint,
)
from preference_center.inbound.tokens import MailToken
from preference_center.mail.arf import NOT_COMPLAINTS
from preference_center.mail.incoming import Incoming, read
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.store.group_commit import GroupCommit

log = logging.getLogger(__name__)

CHANNEL = "mail"
MAX_MESSAGE_BYTES = 33_554_432  # A bounce may contain the whole email that it is about.
_AUTOMATIC = f"{InboundEffect.IGNORED}: an automatic message"


def _is_signed_by(raw: bytes, domains: Iterable[str]) -> bool:
    from preference_center.mail import dkim_check  # Imports dnspython, which few messages need.

    return dkim_check.is_signed_by(raw, domains)


class MailProcessor:
    """Processes messages from any number of threads.

    `is_signed_by` says whether one of some domains has signed a message.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Callable[[], datetime],
        is_signed_by: Callable[[bytes, Iterable[str]], bool] = _is_signed_by,
    ) -> None:
        self.clock = clock
        self._settings, self._is_signed_by = settings, is_signed_by
        self._commits = GroupCommit(database, self._process)

    def process(self, raw: bytes, recipients: Sequence[str] = ()) -> str:
        """Process a message and return its effect.

        `recipients` are those of its envelope, if they are known. Raise UnavailableError if the
        database cannot be used: nothing was done, and the message must be delivered again.
        """
        effect = self._commits.submit(self._read(raw, recipients))
        log.info("inbound email: %s", effect)
        return effect

    def _read(self, raw: bytes, recipients: Sequence[str]) -> Message:
        incoming, keys = read(raw), self._settings.link_keys
        if incoming.complaint is None:
            named = recipients or incoming.recipients
            return Message(raw, recipients, incoming, [*tokens.in_addresses(named, keys)], False)
        trusted = self._is_signed_by(raw, self._settings.complaint_reporters)
        return Message(raw, recipients, incoming, tokens_of_complaint(incoming, keys), trusted)

    def _process(self, session: Session, messages: Sequence[Message]) -> list[str]:
        """Process messages, and return the first effect of each."""
        now = self.clock()
        new = dedup.record_new(session, CHANNEL, [each.name for each in messages], now)
        known = load_known(session, messages)
        effects = [[InboundEffect.DUPLICATE.value] for _ in messages]
        changes: list[tuple[int, Change[Any]]] = []
        for number, message in enumerate(messages):
            if message.name in new:
                asked = list(self._changes(message, known, now))
                changes += [(number, each) for each in asked]
                effects[number] = [] if asked else [self._without_effect(session, message, now)]
            new.discard(message.name)  # The same delivery may arrive on two connections.
        made = apply(session, [change for _, change in changes], now)
        for (number, _), result in zip(changes, made, strict=True):
            effects[number].append(_effect(messages[number].incoming, result))
        inbound_counts.count_effects(session, CHANNEL, effects, now)
        return [each[0] for each in effects]

    def _changes(
        self, message: Message, known: Known, now: datetime
    ) -> Iterator[Change[ChangeResult | BounceEffect]]:
        """Yield what a message asks for."""
        incoming = message.incoming
        if incoming.complaint is not None:
            if incoming.complaint.kind not in NOT_COMPLAINTS:
                yield from complaints(message, known, now)
            return
        for token in message.tokens:
            if token.kind == "u":
                yield self._unsubscribe(token, known.topic(token), incoming, now)
            else:
                yield from bounces(token, known, incoming, now)

    def _unsubscribe(
        self, token: MailToken, topic: str | None, incoming: Incoming, now: datetime
    ) -> Unsubscribe:
        """Return the unsubscribe of a mailto token. An automatic email gets no reply."""
        delay = None if incoming.automatic else self._settings.notice_delay(Source.MAILTO)
        context = ChangeContext(
            Source.MAILTO,
            occurred_at=now,
            recorded_at=now,
            notice_delay=delay,
            in_reply_to=incoming.message_id,
        )
        everything = self._settings.one_click_scope is Scope.ALL
        return Unsubscribe(token.subscriber_id, ALL if everything else Target.of(topic), context)

    def _without_effect(self, session: Session, message: Message, now: datetime) -> str:
        """Quarantine a message that asks for nothing, unless it is an automatic one.

        A mail system's report about one of our emails is quarantined in any case.
        """
        incoming = message.incoming
        if incoming.complaint is not None and incoming.complaint.kind in NOT_COMPLAINTS:
            return f"{InboundEffect.IGNORED}: not a complaint"
        named = message.recipients or incoming.recipients
        why = self._why_not(incoming, named)
        about_ours = any(tokens.is_return_path(each, self._settings.link_keys) for each in named)
        if incoming.unread_report and about_ours:
            why = "a report that is not understood"
        elif incoming.challenge and about_ours:
            return _AUTOMATIC
        elif incoming.automatic and incoming.complaint is None:
            return f"{InboundEffect.IGNORED}: {why}"
        quarantine.keep(session, message.raw, why, now)
        return f"{InboundEffect.QUARANTINED}: {why}"

    def _why_not(self, incoming: Incoming, recipients: Iterable[str]) -> str:
        """Return why a message had no effect, in words that identify no one."""
        if incoming.complaint is not None:
            return "a complaint about an email that is not ours"
        if any(tokens.is_forged(each, self._settings.link_keys) for each in recipients):
            return "a token that we did not sign"
        if incoming.automatic:
            return "an automatic message"
        return incoming.trouble or "not understood"


def _effect(incoming: Incoming, result: ChangeResult | BounceEffect) -> str:
    if isinstance(result, BounceEffect):
        return f"{InboundEffect.BOUNCE} {result}"
    if incoming.complaint is not None:
        return InboundEffect.COMPLAINT
    return InboundEffect.UNSUBSCRIBED if result.changed else InboundEffect.DUPLICATE
