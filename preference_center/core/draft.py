"""One subscriber while changes are made: the state, and the rows that will record the changes.

A change decides by reading and modifying a draft, and nothing else. `core.work` loads drafts and
writes them, many at once.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import outbox
from preference_center.core.bounce_history import BounceHistory
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.event_names import name_of
from preference_center.core.ledger import LedgerEntry, digest_of_wording
from preference_center.core.outbox import Notice
from preference_center.core.snapshots import Snapshot, capture
from preference_center.core.state import Loaded, Subscriber
from preference_center.core.vocab import Event, OutboxKind
from preference_center.store import seals
from preference_center.store.tables import Topic

Result_co = TypeVar("Result_co", covariant=True)


@dataclass(slots=True)
class Draft:
    """A subscriber whose state is being changed in a transaction.

    Attributes:
        subscriber: the state, which changes modify.
        topics: the topics that the changes need, by slug.
        key: the key that seals ledger rows.
        loaded: the rows of the state as they were loaded.
        entries: the ledger rows that a change needs, if any does, and those that were added.
        rows: the ledger rows to write, as tuples in the order of the columns.
        details: their details, likewise.
        events: their announcements in the feed, likewise.
        wordings: the texts that the rows refer to.
        notice: the email that confirms the changes, or None.
        announcements: emails about some of the changes only, due at once.
        requests: emails that the subscriber asked for: kind and topic.
        language: the language that the subscriber chose for these emails, or None.
        bounces: what is known of earlier bounces, if a change needs it.
        mailings: when emails were claimed, with topic and campaign, if a change needs them.
        sign_ups: the ids of sign-ups that were open, and whether each is confirmed now.
        erased_email: an address that was erased, "" if it was unknown, else None.
        erased_seq: the ledger row of the newest erasure among these changes, or 0.
        announced_erasure: the ledger row of an erasure that readers of the feed and webhooks are to
            acknowledge, or None.
    """

    subscriber: Subscriber
    topics: Mapping[str, Topic]
    key: bytes
    loaded: Loaded
    entries: list[LedgerEntry] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    details: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    wordings: set[str] = field(default_factory=set)
    notice: Notice | None = None
    announcements: list[Notice] = field(default_factory=list)
    requests: list[tuple[OutboxKind, str]] = field(default_factory=list)
    language: str | None = None
    bounces: BounceHistory | None = None
    mailings: list[tuple[datetime, str, str]] = field(default_factory=list)
    sign_ups: dict[UUID, bool] = field(default_factory=dict)
    erased_email: str | None = None
    erased_seq: int = 0
    announced_erasure: int | None = None

    @property
    def is_on_record(self) -> bool:
        """Return True if the subscriber was on record before these changes."""
        return self.loaded.own is not None

    @property
    def needs_subscriber(self) -> bool:
        """Return True if something is to be written that needs the subscriber on record."""
        bounced = self.bounces is not None and self.bounces.added
        return bool(self.rows or bounced or self.subscriber.email or self.subscriber.locale)

    @property
    def rows_after_erasure(self) -> list[tuple[Any, ...]]:
        """Return the ledger rows to write that are newer than an erasure among these changes."""
        return [row for row in self.rows if 0 < self.erased_seq < row[1]]

    def capture(self, target: Target) -> Snapshot:
        """Return the state of a target, to pass to `record` after a change."""
        return capture(self.subscriber, (target,))

    def record(
        self, event: Event, target: Target, context: ChangeContext, before: Snapshot
    ) -> ChangeResult:
        """Add the ledger row of a change, and extend the email that confirms the changes.

        `before` is the snapshot captured before the change.
        """
        seq = self.append(event, target, context, before, self.capture(target))
        if self.subscriber.erased_at is None:
            self.subscriber.locale = self.subscriber.locale or context.language
        self.language = context.chosen_language or self.language
        if context.notice_delay is not None and self._wants_notices(target):
            notice = outbox.notice_of(seq, context)
            self.notice = self.notice.extended(notice) if self.notice is not None else notice
        return ChangeResult(changed=True, first_seq=seq, last_seq=seq)

    def append(
        self,
        event: Event,
        target: Target,
        context: ChangeContext,
        before: Snapshot,
        after: Snapshot,
    ) -> int:
        """Add a row to the end of the subscriber's ledger, and return its number."""
        subscriber, stated = self.subscriber, context.stated_source
        seq, wording = subscriber.seq + 1, digest_of_wording(context.wording)
        if context.wording:
            self.wordings.add(context.wording)
        texts = (
            seals.canonical_json(before),
            seals.canonical_json({**after, seals.STATED_SOURCE: stated} if stated else after),
        )
        salt = secrets.token_bytes(16)
        digest = seals.digest(salt, target.topic, context.campaign, wording, *texts)
        about = (subscriber.subscriber_id, seq, event, target.scope)
        times = (context.occurred_at, context.recorded_at)
        seal = seals.seal(self.key, subscriber.head, *about, context.source, *times, digest)
        origin = (target.topic, context.source, context.campaign)
        self.rows.append((*about, *origin, *times, wording, digest, seal))
        self.details.append((subscriber.subscriber_id, seq, salt, *texts))
        name = name_of(event, target, before, after)
        self.events.append((subscriber.subscriber_id, seq, name, context.recorded_at, None))
        entry = LedgerEntry(seq, event, target.scope, *origin, *times, before, after, stated)
        self.entries.append(entry)
        subscriber.seq, subscriber.head = seq, seal
        return seq

    def unchanged(self) -> ChangeResult:
        """Return the result of a change that had nothing left to do."""
        seq = self.subscriber.seq
        return ChangeResult(changed=False, first_seq=seq, last_seq=seq)

    def since(self, first: int) -> ChangeResult:
        """Return the result of all changes from ledger row `first` on."""
        seq = self.subscriber.seq
        return ChangeResult(changed=seq >= first, first_seq=first, last_seq=seq)

    def _wants_notices(self, target: Target) -> bool:
        if self.subscriber.email is None:
            return False
        return target.topic is None or self.topics[target.topic].change_notices


@dataclass(frozen=True)
class Change(ABC, Generic[Result_co]):
    """Something to be changed for one subscriber, as a value that `apply` makes.

    `needs_all_topics` says whether the decision needs every topic, not only those of `topics`.
    """

    subscriber_id: UUID
    needs_all_topics: ClassVar[bool] = False

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the slugs of topics, which are created if they do not exist."""
        return ()

    def first_row(self, subscriber: Subscriber) -> int | None:
        """Return the first ledger row that the decision needs, or None if it needs none."""
        return None

    @abstractmethod
    def make(self, draft: Draft) -> Result_co:
        """Make the change in a draft, and return its result. The topics that it needs exist."""

    @classmethod
    def load(cls, session: Session, made: Sequence[tuple[Self, Draft]], now: datetime) -> None:
        """Load into the drafts what else changes of this kind need. `now` is when they are made."""

    @classmethod
    def store(cls, session: Session, made: Sequence[tuple[Self, Draft]], now: datetime) -> None:
        """Write what else changes of this kind have added to their drafts."""
