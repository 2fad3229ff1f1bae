"""Apply the events of mail providers (M13, M14). Their signatures are already verified."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import (
    bounces,
    dedup,
    domain_hold,
    inbound_counts,
    quarantine,
)
from preference_center.core.apply import apply
from preference_center.core.bounces import Bounce, RecordBounce
from preference_center.core.change import ALL, ChangeContext, ChangeResult, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Change
from preference_center.core.inbound_vocab import BounceEffect, InboundEffect
from preference_center.core.vocab import Scope, Source
from preference_center.inbound.event_recipients import Affected, find_affected
from preference_center.links.cleaning import subscriber_id
from preference_center.links.mail_tokens import read_mail_token
from preference_center.links.signing import BadLink
from preference_center.providers.event import Event
from preference_center.settings.settings import Settings
from preference_center.store import Database, UnavailableError
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

BATCH_SIZE = 500  # events in one transaction
MAX_EVENT_AGE = timedelta(days=30)  # Providers report the last day; an older time is a mistake.


@dataclass(frozen=True)
class EventProcessor:
    """Processes the events of a request in batches, from any number of threads."""

    database: Database
    settings: Settings
    clock: Callable[[], datetime]

    def process_all(self, provider: str, events: Iterable[Event]) -> None:
        """Process each event. An unexpected failure does not stop later events; it is raised last.

        Raise UnavailableError if the database cannot be used. Events already processed are
        skipped as duplicates when the provider retries the request.
        """
        failed: Exception | None = None
        remaining = iter(events)
        while batch := list(islice(remaining, BATCH_SIZE)):
            try:
                self._process(provider, batch)
            except UnavailableError:
                raise
            except Exception:  # noqa: BLE001 (an unsubscribe beside it must not be lost)
                failed = self._process_each(provider, batch) or failed
        if failed is not None:
            raise failed

    def process(self, provider: str, event: Event) -> str:
        """Process one event, as `process_all` does, and return its effect."""
        return self._process(provider, [event])[0]

    def _process_each(self, provider: str, events: Iterable[Event]) -> Exception | None:
        """Process the events of a batch that failed one at a time; return the last failure."""
        failed: Exception | None = None
        for event in events:
            try:
                self.process(provider, event)
            except UnavailableError:
                raise
            except Exception as error:  # noqa: BLE001 (an unsubscribe after it must not be lost)
                log_unexpected(log, f"event of {provider}", error)
                failed = error
        return failed

    def _process(self, provider: str, events: Sequence[Event]) -> list[str]:
        """Process events in one transaction, and return the first effect of each."""
        now = self.clock()
        with self.database.transaction() as session:
            effects = self._effects(session, provider, events, now)
            inbound_counts.count_effects(session, provider, effects, now)
        first = [each[0] for each in effects]
        for effect in first:
            if effect != InboundEffect.DELIVERED:
                log.info("event of %s: %s", provider, effect)
        return first

    def _effects(
        self, session: Session, provider: str, events: Sequence[Event], now: datetime
    ) -> list[list[str]]:
        """Apply the events, and return the effects of each."""
        deliveries = [event for event in events if event.kind == "delivered"]
        self._record_deliveries(session, deliveries, now)
        others = [event.name for event in events if event.kind != "delivered"]
        new = dedup.record_new(session, provider, others, now)
        fresh = [each for each in events if each.name in new]
        affected = find_affected(session, fresh, self.settings)
        effects, changes = list[list[str]](), list[tuple[int, Affected]]()
        for event in events:
            if event.kind == "delivered":
                effects.append([InboundEffect.DELIVERED])
            elif event.name not in new:
                effects.append([InboundEffect.DUPLICATE])
            elif event.kind == "unknown":
                quarantine.keep(session, event.raw, "a provider's event of unknown form", now)
                effects.append([InboundEffect.QUARANTINED])
            else:
                found = affected[event.name]
                changes += [(len(effects), each) for each in found]
                effects.append([] if found else [InboundEffect.UNKNOWN_RECIPIENT])
            new.discard(event.name)  # A request may contain an event twice.
        made = apply(session, [self._change(each, now) for _, each in changes], now)
        for (number, each), result in zip(changes, made, strict=True):
            effects[number].append(_effect(each.event, result))
        return effects

    def _record_deliveries(self, session: Session, events: Iterable[Event], now: datetime) -> None:
        days = dict[UUID, date]()
        for event in events:
            day = _plausible(event.occurred_at, now).astimezone(UTC).date()
            if (reached := self._reached(event)) is not None:
                days[reached] = max(day, days.get(reached, day))
        bounces.record_deliveries(session, days)

    def _reached(self, event: Event) -> UUID | None:
        """Return the subscriber that an email reached, by its address or else by its token."""
        if event.address:
            return subscriber_id(event.address, self.settings.identity_key)
        try:
            return read_mail_token(event.token, self.settings.link_keys)[1]
        except BadLink:
            return None

    def _change(self, affected: Affected, now: datetime) -> Change[Any]:
        event = affected.event
        if event.kind == "bounce":
            return _bounce(affected, now)
        complaint = event.kind == "complaint"
        everything = complaint or event.everything
        if everything or self.settings.one_click_scope is Scope.ALL:
            target = ALL
        else:
            target = Target.of(affected.topic)
        source = Source.COMPLAINT if complaint else Source.PROVIDER
        context = ChangeContext(source, _plausible(event.occurred_at, now), now)
        return Unsubscribe(affected.subscriber_id, target, context)


def _bounce(affected: Affected, now: datetime) -> RecordBounce:
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


def _effect(event: Event, result: ChangeResult | BounceEffect) -> str:
    if isinstance(result, BounceEffect):
        return f"{InboundEffect.BOUNCE} {result}"
    if event.kind == "complaint":
        return InboundEffect.COMPLAINT
    return InboundEffect.UNSUBSCRIBED if result.changed else InboundEffect.DUPLICATE


def _plausible(at: datetime, now: datetime) -> datetime:
    return min(max(at, now - MAX_EVENT_AGE), now)
