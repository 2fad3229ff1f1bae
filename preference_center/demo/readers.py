"""How the demo's readers react to emails. Every reaction goes through `core`.

A reaction can lead to others, days or weeks later: a reason, an undo, unsubscribing after asking
for less, or subscribing again. Changes wait until many can be made at once.
"""

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import accumulate, count
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import page_views, reasons, subscriptions
from preference_center.core.apply import apply
from preference_center.core.change import ADDRESS, ALL, ChangeContext, ChangeResult, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Change, Draft
from preference_center.core.errors import UndoRefusal
from preference_center.core.joining import StartTopic
from preference_center.core.subscriptions import Reduce
from preference_center.core.undo import Undo
from preference_center.core.vocab import Frequency, Pause, Scope, Source
from preference_center.demo.reactions import REACTIONS, Reaction
from preference_center.demo.wordings import JOINING, NOTES, REASON_WEIGHTS
from preference_center.store.tables import Topic

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

Action = Callable[[datetime], None]
_FollowUp = Callable[[ChangeResult], None]


@dataclass(frozen=True)
class _GetMore(Change[ChangeResult]):
    """The end of a pause or of a cap, for `apply`."""

    topic: str
    resumes: bool
    context: ChangeContext

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)

    def make(self, draft: Draft) -> ChangeResult:
        if self.resumes:
            return subscriptions.resume(draft, self.topic, self.context)
        return subscriptions.set_frequency(draft, self.topic, Frequency.EVERY, self.context)


@dataclass(frozen=True)
class _TryUndo(Undo):
    """An undo that changes nothing if it is refused."""

    def make(self, draft: Draft) -> ChangeResult:
        try:
            return super().make(draft)
        except UndoRefusal:
            return draft.unchanged()


_ReaderChange = Unsubscribe | Reduce | Undo | StartTopic | _GetMore


class Schedule:
    """Actions that are still to happen, in order of their time."""

    def __init__(self) -> None:
        self._planned: list[tuple[datetime, int, Action]] = []
        self._numbers = count()

    def plan(self, at: datetime, action: Action) -> None:
        """Plan an action, which is called with its time."""
        heappush(self._planned, (at, next(self._numbers), action))

    def run_until(self, end: datetime) -> None:
        """Run all actions planned before `end`, including those that they plan."""
        while self._planned and self._planned[0][0] < end:
            at, _, action = heappop(self._planned)
            action(at)


class Readers:
    """All readers of the demo. Call `make_changes` before their preferences are read."""

    def __init__(
        self, session: Session, topics: Mapping[str, Topic], schedule: Schedule, chance: Random
    ) -> None:
        self.page_views: Counter[page_views.Key] = Counter()
        self._session = session
        self._topics = topics
        self._schedule = schedule
        self._chance = chance
        self._latest: dict[str, str] = {}  # The latest campaign of each topic.
        self._waiting: dict[UUID, tuple[_ReaderChange, _FollowUp]] = {}
        self._reactions = {
            slug: (list(accumulate(reactions.values())), list(reactions))
            for slug, reactions in REACTIONS.items()
        }

    def receive(self, readers: Sequence[UUID], slug: str, campaign: str, at: datetime) -> None:
        """Plan what `readers` do within days of an email: page views, and some reactions."""
        self._latest[slug] = campaign
        thresholds, reactions = self._reactions[slug]
        for reader in readers:
            found = bisect(thresholds, self._chance.random() * 1000)
            if found < len(reactions):
                action = partial(self._react, reactions[found], reader, slug, campaign)
                self._schedule.plan(at + _HOUR / 20 + self._hours(14), action)
        # Security gateways open links at once, people within days.
        for share, hours in ((0.004, 0.5), (self._chance.uniform(0.006, 0.012), 14)):
            for _ in range(round(len(readers) * share)):
                view = partial(self._view_page, slug, campaign)
                self._schedule.plan(at + self._hours(hours), view)

    def make_changes(self) -> bool:
        """Make the changes that wait, and plan what follows them; return whether there were any."""
        changes = list(self._waiting.values())
        self._waiting.clear()
        if not changes:
            return False
        latest = max(change.context.recorded_at for change, _ in changes)
        results = apply(self._session, [change for change, _ in changes], latest)
        for (_, follow_up), result in zip(changes, results, strict=True):
            follow_up(result)
        return True

    def _react(
        self, reaction: Reaction, reader: UUID, slug: str, campaign: str, at: datetime
    ) -> None:
        context = ChangeContext(Source.PAGE, at, at, campaign)
        if isinstance(reaction, Frequency | Pause):
            self._reduce(reader, slug, reaction, context)
        elif reaction is Scope.ALL:
            self._view_page(slug, campaign, at)
            self._leave(reader, None, slug, context)
        elif reaction is Source.ONE_CLICK:
            self._leave(reader, slug, slug, replace(context, source=reaction))
        elif reaction is Source.PAGE:
            self._leave_on_page(reader, slug, campaign, at)
        elif reaction is Source.COMPLAINT:
            self._change(Unsubscribe(reader, ALL, replace(context, source=reaction)))
        elif reaction is Source.BOUNCE:
            self._change(Unsubscribe(reader, ADDRESS, replace(context, source=reaction)))

    def _view_page(self, slug: str, campaign: str, at: datetime) -> None:
        self.page_views[page_views.key(at, slug, campaign)] += 1

    def _leave_on_page(self, reader: UUID, slug: str, campaign: str, at: datetime) -> None:
        self._view_page(slug, campaign, at)
        self._leave(reader, slug, slug, ChangeContext(Source.PAGE, at, at, campaign))

    def _leave(self, reader: UUID, slug: str | None, about: str, context: ChangeContext) -> None:
        """Unsubscribe from a topic, or from everything; `about` is the topic of the email."""
        follow_up = partial(self._after_leaving, reader, about, context)
        self._change(Unsubscribe(reader, Target.of(slug), context), follow_up)

    def _after_leaving(
        self, reader: UUID, about: str, context: ChangeContext, result: ChangeResult
    ) -> None:
        if not result.changed:
            return
        # After one-click, only the change notice asks for a reason, and few readers answer it.
        on_page = context.source is Source.PAGE
        wait, share = (_HOUR / 30, 0.45) if on_page else (self._hours(6), 0.12)
        self._maybe(share, context.recorded_at + wait, self._give_reason, reader, about, result)
        self._maybe(0.06, context.recorded_at + self._hours(8), self._undo, reader, result)
        back = _DAY * self._chance.uniform(10, 80)
        self._maybe(0.15, context.recorded_at + back, self._come_back, reader, about)

    def _reduce(
        self, reader: UUID, slug: str, choice: Frequency | Pause, context: ChangeContext
    ) -> None:
        self._view_page(slug, context.campaign or "", context.recorded_at)
        follow_up = partial(self._after_less, reader, slug, choice, context)
        self._change(Reduce(reader, slug, choice, context), follow_up)

    def _after_less(
        self,
        reader: UUID,
        slug: str,
        choice: Frequency | Pause,
        context: ChangeContext,
        result: ChangeResult,
    ) -> None:
        if not result.changed:
            return
        at = context.recorded_at
        soon, later = _DAY * self._chance.uniform(3, 30), _DAY * self._chance.uniform(31, 90)
        self._maybe(0.05, at + self._hours(8), self._undo, reader, result)
        self._maybe(0.09, at + soon, self._leave_after_less, reader, slug)
        self._maybe(0.06, at + later, self._leave_after_less, reader, slug)
        self._maybe(0.06, at + soon, self._get_more, reader, slug, isinstance(choice, Pause))

    def _leave_after_less(self, reader: UUID, slug: str, at: datetime) -> None:
        self._leave_on_page(reader, slug, self._latest[slug], at)

    def _give_reason(self, reader: UUID, slug: str, result: ChangeResult, at: datetime) -> None:
        weights = REASON_WEIGHTS[slug]
        (code,) = self._chance.choices(list(weights), list(weights.values()))
        note = self._chance.choice(NOTES[code]) if self._chance.random() < 0.4 else ""
        reasons.record(self._session, reader, result.last_seq, code, note, at)

    def _undo(self, reader: UUID, result: ChangeResult, at: datetime) -> None:
        context = ChangeContext(Source.PAGE, at, at)
        self._change(_TryUndo(reader, result.first_seq, result.last_seq, context))

    def _come_back(self, reader: UUID, slug: str, at: datetime) -> None:
        topic = self._topics[slug]
        context = ChangeContext(Source.PAGE, at, at, wording=JOINING.format(topic.texts["en"].name))
        self._change(StartTopic(reader, slug, at, context))

    def _get_more(self, reader: UUID, slug: str, resumes: bool, at: datetime) -> None:
        context = ChangeContext(Source.PAGE, at, at)
        self._change(_GetMore(reader, slug, resumes, context))

    def _change(self, change: _ReaderChange, follow_up: _FollowUp = lambda _: None) -> None:
        """Let a change wait for the others, but not for an earlier one by the same reader.

        That one may lead to something else before this one.
        """
        if change.subscriber_id not in self._waiting:
            self._waiting[change.subscriber_id] = change, follow_up
            return
        self.make_changes()
        again = partial(self._change_at, change, follow_up)
        self._schedule.plan(change.context.recorded_at, again)

    def _change_at(self, change: _ReaderChange, follow_up: _FollowUp, _at: datetime) -> None:
        self._change(change, follow_up)

    def _hours(self, average: float) -> timedelta:
        return _HOUR * self._chance.expovariate(1 / average)

    def _maybe(self, share: float, at: datetime, action: Any, *arguments: object) -> None:
        """Plan an action for this share of readers."""
        if self._chance.random() < share:
            self._schedule.plan(at, partial(action, *arguments))
