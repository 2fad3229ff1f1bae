"""What each event of a mail provider does (M13, M14): it is proved to be the provider's own.

One transaction for each: whoever holds two people at once, in the order of a list that somebody
else wrote, would sooner or later wait for another who holds them the other way round.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.addresses import fingerprint, normalise
from preference_center.core import consent, deliveries, inbound, topics
from preference_center.links import read_mail_token
from preference_center.providers.event import Event
from preference_center.settings import Settings
from preference_center.signed import BadLink
from preference_center.store import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taker:
    """Takes in events, one at a time, from any number of threads."""

    database: Database
    settings: Settings
    clock: Callable[[], datetime]

    def take(self, provider: str, event: Event) -> str:
        """Do what an event says, once, and return in a word what that was.

        Raise UnavailableError where the database is away: nothing was done.
        """
        now = self.clock()
        with self.database.transaction() as session:
            if inbound.is_new(session, provider, event.id, now):
                effect = self._effect(session, event, now)
            else:
                effect = "again"
            inbound.count(session, [inbound.key(provider, effect, now)])
        log.info("event of %s: %s", provider, effect)
        return effect

    def _effect(self, session: Session, event: Event, now: datetime) -> str:
        person, topic = self._whose(session, event)
        if person is None:
            return "about nobody"
        at = min(event.occurred_at, now)
        if event.kind == "bounce":
            _, sign, domain = normalise(event.address).rpartition("@")
            failed = deliveries.Failed(event.permanent, event.code, at, "provider", sign and domain)
            return f"bounce {deliveries.record(session, person, failed, now)}"
        complaint = event.kind == "complaint"
        everything = complaint or self.settings.one_click_scope == "all"
        act = consent.Act("complaint" if complaint else "api", at, now)
        outcome = consent.leave(session, person, None if everything else topic, act)
        return "complaint" if complaint else "stopped" if outcome.changed else "again"

    def _whose(self, session: Session, event: Event) -> tuple[UUID | None, str | None]:
        """Return whom an event is about, and the topic of the mail, or None for all of them.

        The address says who, since that is what the provider knows; the token says of which topic,
        where it is that person's. A token alone will do.
        """
        known = fingerprint(event.address, self.settings.identity_key) if event.address else None
        try:
            _, person, code = read_mail_token(event.token, self.settings.link_keys)
        except BadLink:
            return known, None
        if known not in (None, person):
            return known, None
        return person, topics.slug_of(session, code)
