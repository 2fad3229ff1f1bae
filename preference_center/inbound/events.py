"""What each event of a mail provider does (M13, M14): it is proved to be the provider's own.

One transaction for each: whoever holds two people at once, in the order of a list that somebody
else wrote, would sooner or later wait for another who holds them the other way round.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import (
    bounces,
    consent,
    domain_hold,
    inbound_counts,
    quarantine,
    subscribers,
    topics,
)
from preference_center.core.vocab import BounceSeverity
from preference_center.links.addresses import subscriber_id
from preference_center.links.minter import read_mail_token
from preference_center.links.signing import BadLink
from preference_center.providers.event import Event
from preference_center.settings.settings import Settings
from preference_center.store import Database, UnavailableError
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

MAX_EVENT_AGE = timedelta(
    days=30
)  # providers tell of the last day; a time before this is a mistake


@dataclass(frozen=True)
class EventProcessor:
    """Takes in events, one at a time, from any number of threads."""

    database: Database
    settings: Settings
    clock: Callable[[], datetime]

    def take_all(self, provider: str, events: Iterable[Event]) -> None:
        """Take each event; one that fails unexpectedly stops no other, and is raised at the end.

        What was done is known when the provider posts all of them again.
        """
        failed: Exception | None = None
        deliveries: list[Event] = []
        for event in events:
            if event.kind == "delivered":
                deliveries.append(event)
                continue
            try:
                self.take(provider, event)
            except UnavailableError:
                raise
            except Exception as error:  # noqa: BLE001 (a stop behind it must not be lost)
                log_unexpected(log, f"event of {provider}", error)
                failed = error
        if deliveries:
            self._take_deliveries(provider, deliveries)
        if failed is not None:
            raise failed

    def _take_deliveries(self, provider: str, events: list[Event]) -> None:
        """Note who was reached, all at once; a repeat changes nothing but the count."""
        now, days = self.clock(), dict[UUID, date]()
        for event in events:
            day = _within_reason(event.occurred_at, now).astimezone(UTC).date()
            if (reached := self._reached(event)) is not None:
                days[reached] = max(day, days.get(reached, day))
        with self.database.transaction() as session:
            bounces.record_deliveries(session, days)
            inbound_counts.add(
                session, {inbound_counts.key(provider, "delivered", now): len(events)}
            )

    def _reached(self, event: Event) -> UUID | None:
        """Return whom an email reached, or None: the address says who, else the token."""
        if event.address:
            return subscriber_id(event.address, self.settings.identity_key)
        try:
            return read_mail_token(event.token, self.settings.link_keys)[1]
        except BadLink:
            return None

    def take(self, provider: str, event: Event) -> str:
        """Do what an event says, once, and return in a word what that was.

        Raise UnavailableError where the database is away: nothing was done.
        """
        now = self.clock()
        with self.database.transaction() as session:
            effects = ["again"]
            if inbound_counts.record_if_new(session, provider, event.name, now):
                effects = self._effects(session, event, now)
            inbound_counts.count(
                session, (inbound_counts.key(provider, effect, now) for effect in effects)
            )
        log.info("event of %s: %s", provider, effects[0])
        return effects[0]

    def _effects(self, session: Session, event: Event, now: datetime) -> list[str]:
        if event.kind == "unread":
            quarantine.keep(session, event.raw, "a provider's event of another form", now)
            return ["kept"]
        people = self._whose(session, event)
        subscribers.lock_all(session, (each.subscriber_id for each in people), now)
        return [self._do(session, each, now) for each in people] or ["about nobody"]

    def _do(self, session: Session, target: "Target", now: datetime) -> str:
        event, person, topic = target.event, target.subscriber_id, target.topic
        at = _within_reason(event.occurred_at, now)
        if event.kind == "bounce":
            if event.severity is BounceSeverity.IGNORED:
                return "bounce ignored"
            bounce = bounces.Bounce(
                event.severity,
                event.code,
                at,
                event.authority,
                domain_hold.domain_of(event.address),
                topic,
            )
            return f"bounce {bounces.record(session, person, bounce, now)}"
        complaint = event.kind == "complaint"
        everything = complaint or event.everything or self.settings.one_click_scope == "all"
        context = consent.ChangeContext("complaint" if complaint else "api", at, now)
        result = consent.leave(session, person, None if everything else topic, context)
        return "complaint" if complaint else "stopped" if result.changed else "again"

    def _whose(self, session: Session, event: Event) -> list["Target"]:
        """Return whom an event is about.

        The address says who, and the token says of which topic, where it is that person's. A token
        without an address is enough. Where the two differ:

        - A bounce is the address's alone. Where the provider did not send to that address, it is a
          forwarder's, and counts as soft for the token's subscriber.
        - A complaint or an unsubscribe is the address's alone where it is on record, or where the
          provider sent to it (a cc). Else it may be redacted or a forwarder's: then it is meant for
          the token's subscriber as well.
        """
        key = self.settings.identity_key
        known = subscriber_id(event.address, key) if event.address else None
        try:
            _, person, code = read_mail_token(event.token, self.settings.link_keys)
        except BadLink:
            return [] if known is None else [Target(known, None, event)]
        marked = Target(person, topics.slug_of(session, code), event)
        if known in (None, person):
            return [marked]
        named = Target(known, None, event)
        if event.kind == "bounce":
            forwarded = event.sent_to_address is False
            return [_soft_at_most(marked), named] if forwarded else [named]
        if event.sent_to_address or subscribers.find(session, known) is not None:
            return [named]
        return [marked, named]


@dataclass(frozen=True)
class Target:
    """A subscriber whom an event is about, and the topic of the email, or None for all of them."""

    subscriber_id: UUID
    topic: str | None
    event: Event


def _soft_at_most(target: Target) -> Target:
    """Return a bounce that counts as soft, or as nothing if it does already."""
    if target.event.severity is BounceSeverity.IGNORED:
        return target
    return replace(target, event=replace(target.event, severity=BounceSeverity.SOFT))


def _within_reason(at: datetime, now: datetime) -> datetime:
    return min(max(at, now - MAX_EVENT_AGE), now)
