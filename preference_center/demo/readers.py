"""What readers do with the mails they get: mostly nothing, and each act through core.

Acts lead to others, days or weeks later: a reason, an undo, leaving all the same, coming back.
"""

import random
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import accumulate, count
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import joining, reasons, subscriptions, undo
from preference_center.core.change import ADDRESS, ALL, ChangeContext, ChangeResult, Target
from preference_center.core.consent import end_consent
from preference_center.core.errors import UndoRefusal
from preference_center.core.page_views import Key, hour_of
from preference_center.core.vocab import Frequency, Pause, Scope, Source
from preference_center.demo.wordings import JOINING, NOTES, WHY
from preference_center.store.tables import Subscriber, Topic

# Of a thousand mails of each topic, how many lead to what.
_HABITS: dict[str, dict[Source | Frequency | Pause | Scope, float]] = {
    "weekly-news": {
        Source.ONE_CLICK: 0.8,
        Source.PAGE: 1.0,
        Scope.ALL: 0.2,
        Frequency.MONTHLY: 2.2,
        Pause.TWO_WEEKS: 0.6,
        Pause.ONE_MONTH: 0.5,
        Pause.THREE_MONTHS: 0.5,
        Source.COMPLAINT: 0.05,
        Source.BOUNCE: 0.2,
    },
    "product-news": {
        Source.ONE_CLICK: 0.9,
        Source.PAGE: 0.8,
        Scope.ALL: 0.2,
        Pause.ONE_MONTH: 1.2,
        Pause.THREE_MONTHS: 2.2,
        Source.COMPLAINT: 0.05,
        Source.BOUNCE: 0.2,
    },
    "offers": {
        Source.ONE_CLICK: 1.4,
        Source.PAGE: 1.8,
        Scope.ALL: 0.4,
        Frequency.WEEKLY: 3.6,
        Frequency.MONTHLY: 2.4,
        Pause.TWO_WEEKS: 1.0,
        Pause.ONE_MONTH: 0.8,
        Pause.THREE_MONTHS: 0.6,
        Source.COMPLAINT: 0.1,
        Source.BOUNCE: 0.2,
    },
}
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

Deed = Callable[[datetime], None]


class Diary:
    """What is still to happen, in its order."""

    def __init__(self) -> None:
        self._planned: list[tuple[datetime, int, Deed]] = []
        self._numbers = count()

    def plan(self, at: datetime, deed: Deed) -> None:
        heappush(self._planned, (at, next(self._numbers), deed))

    def run_until(self, end: datetime) -> None:
        """Do what was planned before `end`, and what that leads to."""
        while self._planned and self._planned[0][0] < end:
            at, _, deed = heappop(self._planned)
            deed(at)


class Readers:
    """Everybody who gets mail. The caller holds the locks of all of them."""

    def __init__(
        self, session: Session, topics: Mapping[str, Topic], diary: Diary, chance: random.Random
    ) -> None:
        self.page_views: Counter[Key] = Counter()
        self._session = session
        self._topics = topics
        self._diary = diary
        self._chance = chance
        self._latest: dict[str, str] = {}  # each topic's latest campaign
        self._habits = {
            slug: (list(accumulate(habits.values())), list(habits))
            for slug, habits in _HABITS.items()
        }

    def get(self, people: Sequence[Subscriber], slug: str, campaign: str, at: datetime) -> None:
        """Let people get a mail, look at its pages, and do something about it within days."""
        self._latest[slug] = campaign
        thresholds, names = self._habits[slug]
        for person in people:
            found = bisect(thresholds, self._chance.random() * 1000)
            if found < len(names):
                deed = partial(self._do, names[found], person, slug, campaign)
                self._diary.plan(at + _HOUR / 20 + self._hours(14), deed)
        # Gateways that scan links look at once, people in the days after.
        for often, hours in ((0.004, 0.5), (self._chance.uniform(0.006, 0.012), 14)):
            for _ in range(round(len(people) * often)):
                self._diary.plan(at + self._hours(hours), partial(self._look, slug, campaign))

    def _do(
        self,
        what: Source | Frequency | Pause | Scope,
        person: Subscriber,
        slug: str,
        campaign: str,
        at: datetime,
    ) -> None:
        context = ChangeContext(Source.PAGE, at, at, campaign)
        if isinstance(what, Frequency | Pause):
            self._ask_for_less(person, slug, what, context)
        elif what is Scope.ALL:
            self._look(slug, campaign, at)
            self._leave(person, None, slug, context)
        elif what is Source.ONE_CLICK:
            self._leave(person, slug, slug, replace(context, source=Source.ONE_CLICK))
        elif what is Source.PAGE:
            self._leave_on_page(person, slug, campaign, at)
        elif what is Source.COMPLAINT:
            end_consent(self._session, person, ALL, replace(context, source=what))
        elif what is Source.BOUNCE:
            end_consent(self._session, person, ADDRESS, replace(context, source=what))

    def _look(self, slug: str, campaign: str, at: datetime) -> None:
        self.page_views[hour_of(at), slug, campaign] += 1

    def _leave_on_page(self, person: Subscriber, slug: str, campaign: str, at: datetime) -> None:
        self._look(slug, campaign, at)
        self._leave(person, slug, slug, ChangeContext(Source.PAGE, at, at, campaign))

    def _leave(
        self, person: Subscriber, slug: str | None, about: str, context: ChangeContext
    ) -> None:
        """End a topic, or everything; `about` is the topic of the mail that led to it."""
        result = end_consent(self._session, person, Target.of(slug), context)
        if not result.changed:
            return
        # Who left by the mail program is asked in the confirmation, which few answer.
        asked, likely = (
            (_HOUR / 30, 0.45) if context.source is Source.PAGE else (self._hours(6), 0.12)
        )
        self._maybe(likely, context.recorded_at + asked, self._tell_why, person, about, result)
        self._maybe(0.06, context.recorded_at + self._hours(8), self._undo, person, result)
        back = _DAY * self._chance.uniform(10, 80)
        self._maybe(0.1, context.recorded_at + back, self._come_back, person, about)

    def _ask_for_less(
        self, person: Subscriber, slug: str, choice: Frequency | Pause, context: ChangeContext
    ) -> None:
        self._look(slug, context.campaign or "", context.recorded_at)
        result = subscriptions.reduce_or_pause(
            self._session, person, self._topics[slug], choice, context
        )
        if not result.changed:
            return
        soon, later = self._chance.uniform(3, 30), self._chance.uniform(31, 90)
        self._maybe(0.05, context.recorded_at + self._hours(8), self._undo, person, result)
        self._maybe(0.09, context.recorded_at + _DAY * soon, self._leave_all_the_same, person, slug)
        self._maybe(
            0.06, context.recorded_at + _DAY * later, self._leave_all_the_same, person, slug
        )
        more = self._resume if isinstance(choice, Pause) else self._want_every_mail
        self._maybe(0.06, context.recorded_at + _DAY * soon, more, person, slug)

    def _leave_all_the_same(self, person: Subscriber, slug: str, at: datetime) -> None:
        self._leave_on_page(person, slug, self._latest[slug], at)

    def _tell_why(self, person: Subscriber, slug: str, result: ChangeResult, at: datetime) -> None:
        likely = WHY[slug]
        (code,) = self._chance.choices(list(likely), list(likely.values()))
        note = self._chance.choice(NOTES[code]) if self._chance.random() < 0.4 else ""
        reasons.record(self._session, person.subscriber_id, result.last_seq, code, note, at)

    def _undo(self, person: Subscriber, result: ChangeResult, at: datetime) -> None:
        with suppress(UndoRefusal):
            context = ChangeContext(Source.PAGE, at, at)
            undo.undo(self._session, person, result.first_seq, result.last_seq, context)

    def _come_back(self, person: Subscriber, slug: str, at: datetime) -> None:
        topic = self._topics[slug]
        context = ChangeContext(Source.PAGE, at, at, wording=JOINING.format(topic.texts["en"].name))
        joining.join(self._session, person, topic, context, asked_at=at)

    def _resume(self, person: Subscriber, slug: str, at: datetime) -> None:
        subscriptions.resume(
            self._session, person, self._topics[slug], ChangeContext(Source.PAGE, at, at)
        )

    def _want_every_mail(self, person: Subscriber, slug: str, at: datetime) -> None:
        context = ChangeContext(Source.PAGE, at, at)
        subscriptions.set_frequency(
            self._session, person, self._topics[slug], Frequency.EVERY, context
        )

    def _hours(self, average: float) -> timedelta:
        return _HOUR * self._chance.expovariate(1 / average)

    def _maybe(self, likely: float, at: datetime, deed: Any, *arguments: object) -> None:
        if self._chance.random() < likely:
            self._diary.plan(at, partial(deed, *arguments))
