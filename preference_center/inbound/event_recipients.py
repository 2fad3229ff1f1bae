"""Find the subscribers that the events of a mail provider are about."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import subscribers, topics
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.links.cleaning import subscriber_id
from preference_center.links.mail_tokens import read_mail_token
from preference_center.links.signing import BadLink
from preference_center.providers.event import Event
from preference_center.settings.settings import Settings


@dataclass(frozen=True)
class Affected:
    """A subscriber that an event is about, and the topic of the email, or None for all topics."""

    subscriber_id: UUID
    topic: str | None
    event: Event


def find_affected(
    session: Session, events: Sequence[Event], settings: Settings
) -> dict[str, list[Affected]]:
    """Return the subscribers that each event is about, by the name of the event."""
    named = {event.name: _named(event, settings) for event in events}
    codes = {each.code for each in named.values() if each.code is not None}
    slugs = topics.slugs_of(session, codes)
    doubtful = {each.by_address for each in named.values() if each.differs}
    on_record = subscribers.emails(session, [each for each in doubtful if each is not None])
    return {
        event.name: _affected_by(event, named[event.name], slugs, on_record) for event in events
    }


@dataclass(frozen=True)
class _Named:
    """The subscribers whom the address and the token of an event name, and the token's topic."""

    by_address: UUID | None
    by_token: UUID | None
    code: bytes | None

    @property
    def differs(self) -> bool:
        """Return True if the two name different subscribers."""
        return None not in (self.by_address, self.by_token) and self.by_address != self.by_token


def _named(event: Event, settings: Settings) -> _Named:
    by_address = subscriber_id(event.address, settings.identity_key) if event.address else None
    try:
        _, by_token, code = read_mail_token(event.token, settings.link_keys)
    except BadLink:
        return _Named(by_address, None, None)
    return _Named(by_address, by_token, code)


def _affected_by(
    event: Event, named: _Named, slugs: Mapping[bytes, str], on_record: Container[UUID]
) -> list[Affected]:
    """Return the subscribers that an event is about.

    The address identifies the subscriber; the token also says which topic, if it belongs to that
    subscriber. A token without an address is enough. If the two differ:

    - A bounce counts for the address only. If the provider did not send to that address, the
      address belongs to a forwarder, and the bounce counts as soft for the token's subscriber.
    - A complaint or an unsubscribe counts for the address only, if the address is on record or if
      the provider sent to it (a cc). Otherwise the address may be redacted or a forwarder's, so
      the event counts for the token's subscriber as well.
    """
    found = []
    if named.by_address is not None:
        found.append(Affected(named.by_address, None, event))
    if named.by_token is None:
        return found
    topic = slugs.get(named.code) if named.code is not None else None
    marked = Affected(named.by_token, topic, event)
    if not named.differs:
        return [marked]
    if event.kind == "bounce":
        forwarded = event.sent_to_address is False
        return [_soft_at_most(marked), *found] if forwarded else found
    if event.sent_to_address or named.by_address in on_record:
        return found
    return [marked, *found]


def _soft_at_most(affected: Affected) -> Affected:
    """Return a bounce with severity SOFT, or unchanged if it is IGNORED."""
    if affected.event.severity is BounceSeverity.IGNORED:
        return affected
    return replace(affected, event=replace(affected.event, severity=BounceSeverity.SOFT))
