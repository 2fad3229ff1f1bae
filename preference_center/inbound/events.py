"""Apply the events of mail providers (M13, M14). Their signatures are already verified.

One transaction per event: locking several subscribers in provider-supplied order could deadlock.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import (
    bounces,
    dedup,
    domain_hold,
    inbound_counts,
    quarantine,
    subscribers,
    topics,
)
from preference_center.core.apply import apply
from preference_center.core.bounces import Bounce, RecordBounce
from preference_center.core.change import ALL, ChangeContext, ChangeResult, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.vocab import BounceSeverity, InboundEffect, Scope, Source
from preference_center.links.cleaning import subscriber_id
from preference_center.links.mail_tokens import read_mail_token
from preference_center.links.signing import BadLink
from preference_center.providers.event import Event
from preference_center.settings.settings import Settings
from preference_center.store import Database, UnavailableError
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

MAX_EVENT_AGE = timedelta(days=30)  # Providers report the last day; an older time is a mistake.


@dataclass(frozen=True)
class EventProcessor:
    """Processes events one at a time, from any number of threads."""

    database: Database
    settings: Settings
    clock: Callable[[], datetime]

    def process_all(self, provider: str, events: Iterable[Event]) -> None:
        """Process each event. An unexpected failure does not stop later events; it is raised last.

        Events already processed are skipped as duplicates when the provider retries the batch.
        """
        failed: Exception | None = None
        deliveries: list[Event] = []
        for event in events:
            if event.kind == "delivered":
                deliveries.append(event)
                continue
            try:
                self.process(provider, event)
            except UnavailableError:
                raise
            except Exception as error:  # noqa: BLE001 (an unsubscribe after it must not be lost)
                log_unexpected(log, f"event of {provider}", error)
                failed = error
        if deliveries:
            self._record_deliveries(provider, deliveries)
        if failed is not None:
            raise failed

    def _record_deliveries(self, provider: str, events: list[Event]) -> None:
        """Record all deliveries in one statement; a repeat changes only the count."""
        now, days = self.clock(), dict[UUID, date]()
        for event in events:
            day = _plausible(event.occurred_at, now).astimezone(UTC).date()
            if (reached := self._reached(event)) is not None:
                days[reached] = max(day, days.get(reached, day))
        key = inbound_counts.key(provider, InboundEffect.DELIVERED, now)
        with self.database.transaction() as session:
            bounces.record_deliveries(session, days)
            inbound_counts.add(session, {key: len(events)})

    def _reached(self, event: Event) -> UUID | None:
        """Return the subscriber that an email reached, by its address or else by its token."""
        if event.address:
            return subscriber_id(event.address, self.settings.identity_key)
        try:
            return read_mail_token(event.token, self.settings.link_keys)[1]
        except BadLink:
            return None

    def process(self, provider: str, event: Event) -> str:
        """Process an event once, and return its effect.

        Raise UnavailableError if the database cannot be used: nothing was done.
        """
        now = self.clock()
        with self.database.transaction() as session:
            effects = [InboundEffect.DUPLICATE.value]
            if dedup.record_if_new(session, provider, event.name, now):
                effects = list(self._effects(session, event, now))
            keys = (inbound_counts.key(provider, effect, now) for effect in effects)
            inbound_counts.count(session, keys)
        log.info("event of %s: %s", provider, effects[0])
        return effects[0]

    def _effects(self, session: Session, event: Event, now: datetime) -> Iterator[str]:
        if event.kind == "unknown":
            quarantine.keep(session, event.raw, "a provider's event of unknown form", now)
            yield InboundEffect.QUARANTINED
            return
        affected = self._affected(session, event)
        if not affected:
            yield InboundEffect.UNKNOWN_RECIPIENT
        if event.kind == "bounce":
            for effect in apply(session, [_bounce(each, now) for each in affected], now):
                yield f"{InboundEffect.BOUNCE} {effect}"
            return
        for result in apply(session, [self._unsubscribe(each, now) for each in affected], now):
            yield _effect(event, result)

    def _unsubscribe(self, affected: "_Affected", now: datetime) -> Unsubscribe:
        event = affected.event
        complaint = event.kind == "complaint"
        everything = complaint or event.everything
        if everything or self.settings.one_click_scope is Scope.ALL:
            target = ALL
        else:
            target = Target.of(affected.topic)
        source = Source.COMPLAINT if complaint else Source.PROVIDER
        context = ChangeContext(source, _plausible(event.occurred_at, now), now)
        return Unsubscribe(affected.subscriber_id, target, context)

    def _affected(self, session: Session, event: Event) -> list["_Affected"]:
        """Return the subscribers that an event is about.

        The address identifies the subscriber; the token also says which topic, if it belongs to
        that subscriber. A token without an address is enough. If the two differ:

        - A bounce counts for the address only. If the provider did not send to that address, the
          address belongs to a forwarder, and the bounce counts as soft for the token's subscriber.
        - A complaint or an unsubscribe counts for the address only, if the address is on record or
          if the provider sent to it (a cc). Otherwise the address may be redacted or a forwarder's,
          so the event counts for the token's subscriber as well.
        """
        key = self.settings.identity_key
        known = subscriber_id(event.address, key) if event.address else None
        try:
            _, by_token, code = read_mail_token(event.token, self.settings.link_keys)
        except BadLink:
            return [] if known is None else [_Affected(known, None, event)]
        marked = _Affected(by_token, topics.slug_of(session, code), event)
        if known in (None, by_token):
            return [marked]
        named = _Affected(known, None, event)
        if event.kind == "bounce":
            forwarded = event.sent_to_address is False
            return [_soft_at_most(marked), named] if forwarded else [named]
        if event.sent_to_address or subscribers.find(session, known) is not None:
            return [named]
        return [marked, named]


@dataclass(frozen=True)
class _Affected:
    """A subscriber that an event is about, and the topic of the email, or None for all topics."""

    subscriber_id: UUID
    topic: str | None
    event: Event


def _bounce(affected: _Affected, now: datetime) -> RecordBounce:
    event = affected.event
    bounce = Bounce(
        severity=event.severity,
        code=event.code,
        occurred_at=_plausible(event.occurred_at, now),
        authority=event.authority,
        domain=domain_hold.domain_of(event.address),
        topic=affected.topic,
    )
    return RecordBounce(affected.subscriber_id, bounce, now)


def _effect(event: Event, result: ChangeResult) -> InboundEffect:
    if event.kind == "complaint":
        return InboundEffect.COMPLAINT
    return InboundEffect.UNSUBSCRIBED if result.changed else InboundEffect.DUPLICATE


def _soft_at_most(affected: _Affected) -> _Affected:
    """Return a bounce with severity SOFT, or unchanged if it is IGNORED."""
    if affected.event.severity is BounceSeverity.IGNORED:
        return affected
    return replace(affected, event=replace(affected.event, severity=BounceSeverity.SOFT))


def _plausible(at: datetime, now: datetime) -> datetime:
    return min(max(at, now - MAX_EVENT_AGE), now)
