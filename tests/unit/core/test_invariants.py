"""Whatever happens to a person, in any order, every channel says the same about them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from preference_center.core import (
    audience,
    erasure,
    ledger,
    preferences,
    recovery,
    snapshots,
    subscribers,
    subscriptions,
    topics,
)
from preference_center.core.change import Target
from preference_center.core.errors import UndoRefusal
from preference_center.core.vocab import SUPPRESSION_SCOPES, Frequency, Pause, Scope, Source
from preference_center.data import exports
from preference_center.data.import_records import Rules
from preference_center.data.imports import Import
from preference_center.data.tabular import RefusedRow, Row
from preference_center.store import Database
from preference_center.store.tables import Subscriber
from tests.support import make

SLUGS = ("weekly-news", "offers")
KEYS = [target.key for target in make.TARGETS]
DAY = timedelta(days=1)
GAPS = {"every": 0 * DAY, "weekly": 6.5 * DAY, "monthly": 27.5 * DAY}
_SLUG, _CAMPAIGN = st.sampled_from(SLUGS), st.sampled_from("ab")
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("stop"),
            st.sampled_from([*SLUGS, None]),
            st.sampled_from(["page", "one-click", "complaint"]),
        ),
        st.tuples(st.just("bounce")),
        st.tuples(st.just("undo"), st.integers(0, 5), st.integers(0, 2)),
        st.tuples(
            st.just("import"),
            _SLUG,
            st.sampled_from(["subscribed", "unsubscribed", "unconfirmed", "bounced", "complained"]),
        ),
        st.tuples(st.just("erase")),
        st.tuples(
            st.just("less"),
            _SLUG,
            st.sampled_from([*Frequency, *Pause]),
        ),
        st.tuples(st.just("cap"), _SLUG, st.sampled_from(list(Frequency))),
        st.tuples(st.just("resume"), _SLUG),
        st.tuples(st.just("join"), _SLUG),
        st.tuples(st.just("prove"), _SLUG),
        st.tuples(st.just("lift")),
        st.tuples(st.just("claim"), _SLUG, _CAMPAIGN),
        st.tuples(st.just("release"), _SLUG, _CAMPAIGN),
        st.tuples(st.just("wait"), st.sampled_from([1, 6, 6.5, 13, 27.5, 40])),
    ),
    min_size=4,
    max_size=14,
)


class _Life:
    """One person to whom things happen, and what must be true after each of them."""

    def __init__(self, database: Database) -> None:
        self.database, self.email, self.at = database, f"{uuid4().hex}@example.org", make.NOW
        with database.transaction() as session:
            for slug in {*SLUGS} - {topic.slug for topic in topics.list_topics(session)}:
                make.topic(session, slug, policy="opt_out" if slug == "offers" else "opt_in")
            make.reader(session, self.email, "weekly-news")
        self.before: dict[int, dict[str, Any]] = {}  # ledger row -> what stood before it
        self.claims: dict[tuple[str, str], datetime] = {}
        self.look()

    def look(self) -> None:
        """Look through every channel, and remember what was seen."""
        with self.database.reading() as session:
            person = subscribers.find(session, make.person(self.email))
            assert person is not None
            self.now, self.seq = snapshots.capture(person, make.TARGETS), person.seq
            self._doors_agree(session, person)
            _ledger_agrees(session, person)
        self.before[self.seq + 1] = self.now

    def happens(self, step: tuple[Any, ...]) -> None:
        was, seq = self.now, self.seq
        refused = getattr(self, f"_{step[0]}")(*step[1:])
        self.look()
        for number in range(seq + 1, self.seq + 1):
            self.before[number] = was
        if self.now == was and step[0] != "erase":
            assert self.seq == seq, "what changed nothing has a ledger row"
        if step[0] == "erase":
            assert self.now["all"] is not None
        elif step[0] in ("join", "prove"):
            self._nothing_else_came_back(was, step[1])
            assert step[0] == "prove" or _ended(was) <= _ended(self.now), "the link was older"
        elif step[0] == "lift":
            assert _ended(was) - _ended(self.now) <= {"address"}
        elif step[0] != "undo":
            assert _ended(was) <= _ended(self.now), "a stop was undone"
        elif refused:
            assert self.now == was
        else:
            earlier = [was, *(self.before[number] for number in range(2, seq + 1))]
            assert all(self.now[key] in [each[key] for each in earlier] for key in KEYS)
        if step[0] == "less":
            assert all(_is_no_more(self.now[key], was[key]) for key in KEYS[:2])

    def _nothing_else_came_back(self, was: dict[str, Any], slug: str) -> None:
        """Check that joining ended every stop that it lifted, but that of what was joined."""
        joined = Target.of(slug).key
        assert _ended(was) - {"all", "address", joined} <= _ended(self.now)
        if _ended(was) & {"all", "address"} - _ended(self.now):
            assert {*KEYS} - _ended(self.now) == {"all", "address", joined}

    def _stop(self, slug: str | None, source: Any) -> None:
        with self.database.transaction() as session:
            make.stop(session, self.email, slug, source=source, at=self.at)

    def _bounce(self) -> None:
        with self.database.transaction() as session:
            make.stop(session, self.email, None, Scope.ADDRESS, source="bounce", at=self.at)

    def _undo(self, back: int, more: int) -> bool:
        first = max(2, self.seq - back)
        try:
            with self.database.transaction() as session:
                make.undo(session, first, min(self.seq, first + more), self.email, at=self.at)
        except UndoRefusal:
            return True
        return False

    def _import(self, slug: str, status: str) -> None:
        refused: list[RefusedRow] = []
        job = Import(self.database, Rules(make.IDENTITY_KEY), lambda: self.at, create_topics=True)
        cells = {"email": self.email, "topic": slug, "status": status}
        job.run([Row(1, cells)], refused.append)
        assert refused == []

    def _erase(self) -> None:
        with self.database.transaction() as session:
            erasure.erase(session, make.person(self.email), Source.CLI, self.at)
        self.claims.clear()

    def _less(self, slug: str, choice: Frequency | Pause) -> None:
        with self.database.transaction() as session:
            make.less(session, choice, self.email, slug, at=self.at)

    def _cap(self, slug: str, frequency: Frequency) -> None:
        with self.database.transaction() as session:
            topic, context = topics.get(session, slug), make.context(at=self.at)
            subscriptions.set_frequency(session, self._lock(session), topic, frequency, context)

    def _resume(self, slug: str) -> None:
        with self.database.transaction() as session:
            topic, context = topics.get(session, slug), make.context(at=self.at)
            subscriptions.resume(session, self._lock(session), topic, context)

    def _join(self, slug: str) -> None:
        with self.database.transaction() as session:
            make.join(session, self.email, slug, make.NOW - DAY, at=self.at)

    def _prove(self, slug: str) -> None:
        with self.database.transaction() as session:
            make.join(session, self.email, slug, at=self.at)

    def _lift(self) -> None:
        with self.database.transaction() as session:
            ever = recovery.BounceFilter("example.org", make.NOW - 999 * DAY, self.at + DAY)
            context = make.context(Source.CLI, self.at)
            for kind in SUPPRESSION_SCOPES:
                recovery.remove_suppressions(
                    session, kind, [make.person(self.email)], ever, context
                )

    def _claim(self, slug: str, campaign: str) -> None:
        with self.database.transaction() as session:
            person, topic = self._lock(session), topics.get(session, slug)
            wanted = self._verdict(_standing(session, person, self.at).topics[slug], campaign)
            ids = [person.subscriber_id]
            (found,) = audience.claim(session, topic, campaign, ids, self.at).values()
            assert (found.verdict, found.until) == wanted
        if found.verdict == "allow":
            self.claims.setdefault((slug, campaign), self.at)

    def _release(self, slug: str, campaign: str) -> None:
        with self.database.transaction() as session:
            topic, ids = topics.get(session, slug), [make.person(self.email)]
            given_back = audience.release(session, topic, campaign, ids, self.at)
        assert given_back == (self.claims.pop((slug, campaign), None) is not None)

    def _wait(self, days: float) -> None:
        self.at += days * DAY

    def _lock(self, session: Session) -> Subscriber:
        return subscribers.lock(session, make.person(self.email), self.at)

    def _verdict(
        self, topic: preferences.TopicPreference, campaign: str
    ) -> tuple[str, datetime | None]:
        """Return what the audience must say, by what a page shows and what was claimed."""
        if not topic.received:
            return "deny", None
        if topic.paused_until is not None:
            return "defer", topic.paused_until
        others = {key: at for key, at in self.claims.items() if key[1] != campaign}
        sent = [at for key, at in others.items() if key[0] == topic.slug]
        again = max(sent) + GAPS[topic.frequency] if sent else self.at
        return ("defer", again) if again > self.at else ("allow", None)

    def _doors_agree(self, session: Session, person: Subscriber) -> None:
        rows = exports.rows(session, exports.KINDS["preferences"], exports.Filter())
        exported = {row["topic"]: row for row in rows if row["id"] == str(person.subscriber_id)}
        standing = _standing(session, person, self.at)
        for slug in SLUGS:
            people, shown = {person.subscriber_id: ""}, standing.topics[slug]
            topic = topics.get(session, slug)
            for campaign in "abc":
                (found,) = audience.check(session, topic, campaign, people, self.at).values()
                assert (found.verdict, found.until) == self._verdict(shown, campaign)
            if slug in exported:
                assert shown.received == (exported[slug]["status"] == "subscribed")
                assert shown.frequency == exported[slug]["frequency"]
                until = exported[slug]["paused_until"]
                ahead = until and datetime.fromisoformat(until) > self.at
                assert (shown.paused_until.isoformat() if shown.paused_until else "") == (
                    until if ahead else ""
                )


def _ended(state: dict[str, Any]) -> set[str]:
    """Return what is stopped."""
    return {
        key
        for key, value in state.items()
        if value is not None and value.get("status", "unsubscribed") == "unsubscribed"
    }


def _is_no_more(now: Any, was: Any) -> bool:
    """Tell whether a subscription gives no more than it did, or nothing was known of it."""
    if now is None or was is None:
        return True
    order = list(Frequency).index
    assert (now["status"], was["status"]) != ("subscribed", "unsubscribed")
    return order(now["frequency"]) >= order(was["frequency"]) and (now["paused_until"] or "") >= (
        was["paused_until"] or ""
    )


def _standing(
    session: Session, person: Subscriber, at: datetime
) -> preferences.SubscriberPreferences:
    return preferences.read(person, topics.list_topics(session), "en", at)


def _ledger_agrees(session: Session, person: Subscriber) -> None:
    changes = ledger.load(session, person.subscriber_id, 1)
    told: dict[str, Any] = {}
    for change in changes:
        told.update(change.after or {})
    assert [change.row.seq for change in changes] == list(range(1, person.seq + 1))
    assert person.erased_at or told == snapshots.capture(person, map(Target.from_key, told))
    assert not [problem for problem in ledger.verify(session) if problem]


@given(steps=STEPS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_door_says_the_same_after_anything(
    database: Database, steps: list[tuple[Any, ...]]
) -> None:
    life = _Life(database)
    for step in steps:
        life.happens(step)
