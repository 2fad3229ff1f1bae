"""Plays the story on a real database, as senders and subscribers would, and logs what happens.

Mailings use the code of the `audience` command. Each line of the log is one event in plain JSON,
for `tally` to process.
"""

import heapq
import json
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, TextIO
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import erasure, subscriptions
from preference_center.core.apply import apply_one
from preference_center.core.change import ADDRESS, ChangeContext, ChangeResult, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Change
from preference_center.core.errors import UndoRefusal
from preference_center.core.joining import StartTopic
from preference_center.core.subscriptions import Reduce
from preference_center.core.undo import Undo
from preference_center.core.vocab import Frequency, Pause, Source
from preference_center.data import campaign_csv
from preference_center.data.import_records import Rules
from preference_center.data.imports import Import
from preference_center.data.tabular import RefusedRow, Row
from preference_center.store import Database
from tests.integration.half_year.story import (
    DAY,
    MINUTE,
    START,
    TOPICS,
    Act,
    Beginning,
    Letter,
    acts,
    beginnings,
    letters,
)
from tests.support import make

_SECOND = timedelta(seconds=1)
_PERIOD_DAYS = {"weekly": 7, "monthly": 28}


class Stage:
    """The half-year of `people` subscribers, drawn at random from `seed` and written to `log`."""

    def __init__(self, database: Database, log: TextIO, people: int, seed: int = 1) -> None:
        self.database, self.log, self.people, self.rng = database, log, people, Random(seed)
        self.now = START - DAY
        self.outcomes: dict[int, list[ChangeResult]] = defaultdict(list)
        self.sent: dict[str, set[int]] = defaultdict(set)
        self._events: list[tuple[datetime, int, Act | Letter]] = []
        self._numbers = count()
        self._ids = [make.id_of(_email(person)) for person in range(people)]

    def play(self) -> None:
        """Play the whole story."""
        self._begin()
        mailings = letters(self.rng)
        events: list[Act | Letter] = [*mailings, *acts(self.people, mailings, self.rng)]
        for each in events:
            self._plan(each)
        while self._events:
            at, _, event = heapq.heappop(self._events)
            self.now = max(self.now + _SECOND, at)
            if isinstance(event, Act):
                self._act(event)
            else:
                self._mail(event)

    def _plan(self, event: Act | Letter) -> None:
        heapq.heappush(self._events, (event.at, next(self._numbers), event))

    def _log_event(self, do: str, **values: Any) -> None:
        event = {"do": do, "at": self.now, **values}
        self.log.write(json.dumps(event, default=_plain, separators=(",", ":")) + "\n")

    def _begin(self) -> None:
        with self.database.transaction() as session:
            for slug, (policy, cadence, _) in TOPICS.items():
                make.topic(session, slug, policy=policy, cadence=cadence)
                period = _PERIOD_DAYS.get(cadence)
                self._log_event("topic", slug=slug, policy=policy, start=START, period_days=period)
        known = list(beginnings(self.people, self.rng))
        refused: list[RefusedRow] = []
        job = Import(self.database, Rules(make.IDENTITY_KEY), lambda: self.now)
        job.run((Row(line, _cells(each)) for line, each in enumerate(known)), refused.append)
        assert refused == []
        for each in known:
            self._log_event("begins", **asdict(each))

    def _act(self, event: Act) -> None:
        outcomes = self.outcomes[event.person]
        if event.act == "undo" and len(outcomes) < int(event.choice):
            return
        event = replace(event, at=self.now)
        late = event.occurred_at is not None and event.occurred_at < self.now - MINUTE
        context = ChangeContext(
            Source.PAGE, event.occurred_at if event.occurred_at and late else self.now, self.now
        )
        result = self._do(event, context)
        if result.changed and event.act not in ("undo", "bounce", "erase"):
            outcomes.append(result)
        values = {**asdict(event), "occurred_at": context.occurred_at, "changed": result.changed}
        self._log_event("act", **values)

    def _do(self, event: Act, context: ChangeContext) -> ChangeResult:
        unchanged = ChangeResult(changed=False, first_seq=0, last_seq=0)
        with self.database.transaction() as session:
            if event.act == "erase":
                erasure.erase(session, [self._ids[event.person]], Source.CLI, self.now)
                return unchanged
            try:
                return self._change(session, event, context)
            except UndoRefusal:
                return unchanged

    def _change(self, session: Session, event: Act, context: ChangeContext) -> ChangeResult:
        subscriber_id, slug = self._ids[event.person], event.topic or "letter"
        match event.act:
            case "cap" | "resume":
                return self._ask_for_more(session, event, slug, context)
            case "leave" | "leave all":
                target = Target.of(event.topic if event.act == "leave" else None)
                change: Change[ChangeResult] = Unsubscribe(subscriber_id, target, context)
            case "bounce":
                bounced = replace(context, source=Source.BOUNCE)
                change = Unsubscribe(subscriber_id, ADDRESS, bounced)
            case "less":
                change = Reduce(subscriber_id, slug, _choice(event.choice), context)
            case "join":
                change = StartTopic(subscriber_id, slug, self.now, context)
            case _:
                made = self.outcomes[event.person][-int(event.choice)]
                change = Undo(subscriber_id, made.first_seq, made.last_seq, context)
        return apply_one(session, change, self.now)

    def _ask_for_more(
        self, session: Session, event: Act, slug: str, context: ChangeContext
    ) -> ChangeResult:
        with make.drafted(session, _email(event.person), self.now) as draft:
            if event.act == "resume":
                result = subscriptions.resume(draft, slug, context)
            else:
                frequency = Frequency(event.choice)
                result = subscriptions.set_frequency(draft, slug, frequency, context)
        return result

    def _mail(self, letter: Letter) -> None:
        match letter.fate:
            case "at once":
                self._at_once(letter, f"{letter.campaign}-too")
            case "twice at once":
                self._at_once(letter, letter.campaign)
            case "crashed":
                self._send(letter, crash_after=self.rng.randrange(self.people))
            case "cancelled":
                self._send(letter, send_first=0)
                self._release(letter, list(range(self.people)))
            case "half cancelled":
                self._send(letter, send_first=self.people // 2)
                sent = self.sent[letter.campaign]
                self._release(letter, [each for each in range(self.people) if each not in sent])
            case _:
                self._send(letter)
        if letter.fate in ("crashed", "cancelled", "half cancelled"):
            self._plan(replace(letter, at=letter.retry_at, fate="sent"))

    def _send(
        self, letter: Letter, crash_after: int | None = None, send_first: int | None = None
    ) -> None:
        """Check everyone, and send to the allowed subscribers batch by batch."""
        order = self._order()
        answers = self._check(letter.topic, letter.campaign, order)
        read = self.people if crash_after is None else crash_after
        for start in range(0, read, campaign_csv.BATCH_SIZE):
            batch = order[start : start + campaign_csv.BATCH_SIZE]
            self.now += _SECOND
            received = [next(answers) for _ in batch[: read - start]]
            self._log_event(
                "checked",
                topic=letter.topic,
                campaign=letter.campaign,
                people=batch,
                answers=received,
            )
            if send_first is None or start < send_first:
                self._sent(letter.topic, letter.campaign, batch, received)
            self._meanwhile(letter)

    def _meanwhile(self, letter: Letter) -> None:
        """Perform some of the acts during this mailing now, and the others later in it."""
        for _ in range(1 + self.people // 500):
            at, _, event = self._events[0]
            if isinstance(event, Letter) or at > letter.at + 2 * MINUTE:
                return
            heapq.heappop(self._events)
            self.now += _SECOND
            self._act(event)

    def _at_once(self, letter: Letter, other: str) -> None:
        """Check the audience of two mailings of a topic concurrently, each in its own order."""
        campaigns, orders = (letter.campaign, other), (self._order(), self._order())
        with ThreadPoolExecutor(2) as threads:
            both = list(
                threads.map(
                    lambda campaign, order: list(self._check(letter.topic, campaign, order)),
                    campaigns,
                    orders,
                )
            )
        checks = [
            {
                "at": self.now,
                "topic": letter.topic,
                "campaign": campaign,
                "people": order,
                "answers": answers,
            }
            for campaign, order, answers in zip(campaigns, orders, both, strict=True)
        ]
        self._log_event("checked at once", checks=checks)
        for campaign, order, answers in zip(campaigns, orders, both, strict=True):
            self._sent(letter.topic, campaign, order, answers)

    def _check(self, topic: str, campaign: str, order: list[int]) -> Iterator[str]:
        """Yield each answer of a claiming audience check as one line."""
        merged = self._mailing(topic, campaign).verdicts(
            self._rows(order), self.database, lambda: self.now, claim=True
        )
        for row in merged:
            assert not isinstance(row, RefusedRow)
            yield " ".join(filter(None, (row["verdict"], row["reason"], row["until"])))

    def _sent(self, topic: str, campaign: str, people: list[int], answers: list[str]) -> None:
        before = self.sent[campaign]
        read = zip(people, answers, strict=False)
        sent = [each for each, answer in read if answer == "allow" and each not in before]
        before.update(sent)
        self._log_event("sent", topic=topic, campaign=campaign, people=sent)

    def _release(self, letter: Letter, people: list[int]) -> None:
        released = self._mailing(letter.topic, letter.campaign).release(
            self._rows(people), self.database, lambda: self.now
        )
        released_count = sum(each for each in released if not isinstance(each, RefusedRow))
        self._log_event(
            "released",
            topic=letter.topic,
            campaign=letter.campaign,
            people=people,
            released_count=released_count,
        )

    def _mailing(self, topic: str, campaign: str) -> campaign_csv.CampaignFile:
        return campaign_csv.CampaignFile(make.minter(), topic, campaign, self.now.date())

    def _order(self) -> list[int]:
        return self.rng.sample(range(self.people), self.people)

    def _rows(self, people: list[int]) -> Iterator[Row]:
        for line, person in enumerate(people):
            by_id = person % 8 == 7
            yield Row(line, {"id": str(self._ids[person])} if by_id else {"email": _email(person)})


def _email(person: int) -> str:
    return f"p{person}@example.org"


def _cells(each: Beginning) -> dict[str, str]:
    return {
        "email": _email(each.person),
        "topic": each.topic,
        "status": each.status,
        "frequency": each.frequency,
        "paused_until": each.paused_until.isoformat() if each.paused_until else "",
    }


def _plain(value: datetime | UUID) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _choice(choice: str) -> Frequency | Pause:
    return Pause(choice) if choice in tuple(Pause) else Frequency(choice)
