"""Why subscribers leave: how often each reason was given, and what they wrote."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.figures.period import Period
from preference_center.core.figures.rates import ranked
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.vocab import OWN_SOURCES, Event, ReasonCode
from preference_center.store import encryption, figure_queries
from preference_center.store.encryption import UndecipherableError
from preference_center.store.figure_queries import NotePlace

NOTES = 50  # on one page


@dataclass(frozen=True)
class TopicReasons:
    """How often each reason was given for leaving one topic, or everything if `topic` is "".

    `left` is how many were asked: those who left by a page, one-click or email.
    """

    topic: str
    counts: Counter[ReasonCode]
    left: int

    @property
    def answers(self) -> int:
        return self.counts.total()

    @property
    def ranked(self) -> list[tuple[ReasonCode, int]]:
        """Return the reasons that were given, the most frequent first."""
        return ranked(self.counts, ReasonCode)

    @property
    def answer_rate(self) -> float | None:
        """Return the share of those asked that answered, or None if there is none."""
        return min(self.answers / self.left, 1.0) if self.left else None


@dataclass(frozen=True)
class Reasons:
    """The reasons of a period by topic, those for leaving everything last, and topics' names."""

    topics: list[TopicReasons]
    names: Mapping[str, str]

    @property
    def total(self) -> TopicReasons:
        """Return the sum of all topics."""
        counts = Counter[ReasonCode]()
        for each in self.topics:
            counts.update(each.counts)
        return TopicReasons("", counts, sum(each.left for each in self.topics))


@dataclass(frozen=True)
class Note:
    """What a subscriber wrote, without the subscriber. `week` is the Monday of its week."""

    week: date
    topic: str
    code: ReasonCode
    text: str


@dataclass(frozen=True)
class NoteFilter:
    """Selects notes; None means all. `topic` is "" for those who left everything."""

    topic: str | None = None
    code: ReasonCode | None = None


@dataclass(frozen=True)
class NotePage:
    """Notes, the newest week first, the place of the next page, or None, and topics' names."""

    notes: Sequence[Note]
    following: str | None
    names: Mapping[str, str]


def load(session: Session, period: Period, asked: Mapping[str, int] | None = None) -> Reasons:
    """Return how often each reason was given, by topic.

    `asked` is how many were asked by topic, "" for everything; it is read if it is not known.
    """
    counts: Mapping[str, Counter[ReasonCode]] = defaultdict(Counter)
    for topic, code, number in session.execute(figure_queries.reason_counts(period.since)):
        counts[topic or ""][ReasonCode(code)] += int(number)
    left = Counter(_asked(session, period) if asked is None else asked)
    slugs = sorted({*counts, *left}, key=lambda slug: (slug == "", slug))
    return Reasons(
        [TopicReasons(slug, counts[slug], left[slug]) for slug in slugs], topics.names(session)
    )


def _asked(session: Session, period: Period) -> dict[str, int]:
    wanted = figure_queries.changes_by_topic(Event.UNSUBSCRIBED, OWN_SOURCES, period.first)
    return {topic: int(number) for topic, number in session.execute(wanted)}


def read_notes(
    session: Session, period: Period, wanted: NoteFilter, after: str | None, *, by: UUID
) -> NotePage:
    """Return a page of the notes of a period, and record that a member has read them.

    `after` is where the page before ended. Notes may name persons, so reading them is an action.
    """
    begin = _place(session, after)
    query = figure_queries.notes(period.since, wanted.topic, wanted.code, begin, NOTES + 1)
    found = session.execute(query).all()
    people = [row.id for row in found[:NOTES] if row.seq]  # Others no longer have a subscriber.
    details = _details(period, wanted)
    audit.record_views(session, by, AuditAction.NOTES_READ, period.now, people, details)
    shown = [Note(row.week, row.topic or "", row.code, row.note) for row in found[:NOTES]]
    last = found[NOTES - 1] if len(found) > NOTES else None
    following = NotePlace(last.week, last.id, last.seq) if last else None
    # Encrypted, because it names the subscriber who wrote the last note.
    hidden = encryption.encrypt(session, str(following)) if following else None
    return NotePage(shown, hidden, topics.names(session))


def _place(session: Session, after: str | None) -> NotePlace | None:
    """Return where a page begins, or None, also if `after` says no place."""
    try:
        return NotePlace.read(encryption.decrypt(session, after or ""))
    except UndecipherableError:
        return None


def _details(period: Period, wanted: NoteFilter) -> dict[str, Any]:
    named = {"topic": wanted.topic, "reason": wanted.code and wanted.code.value}
    return {"days": period.span.days} | {name: each for name, each in named.items() if each}
