"""After any sequence of changes, all channels agree on a subscriber's state."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
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
    topics,
    verification,
)
from preference_center.core.change import Target
from preference_center.core.errors import UndoRefusal
from preference_center.core.state import Subscriber
from preference_center.core.vocab import (
    SUPPRESSION_SCOPES,
    Frequency,
    Pause,
    Scope,
    Source,
)
from preference_center.data import exports
from preference_center.data.import_records import Rules
from preference_center.data.imports import Import
from preference_center.data.tabular import RefusedRow, Row
from preference_center.store import Database
from tests.support import make

pytestmark = pytest.mark.integration

SLUGS = ("weekly-news", "offers")
KEYS = [target.key for target in make.TARGETS]
DAY = timedelta(days=1)
GAPS = {"every": 0 * DAY, "weekly": 6.5 * DAY, "monthly": 27.5 * DAY}
_SLUG, _CAMPAIGN = st.sampled_from(SLUGS), st.sampled_from("ab")
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("unsubscribe"),
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
        st.tuples(st.just("join_by_old_link"), _SLUG),
        st.tuples(st.just("join_by_new_link"), _SLUG),
        st.tuples(st.just("lift")),
        st.tuples(st.just("claim"), _SLUG, _CAMPAIGN),
        st.tuples(st.just("release"), _SLUG, _CAMPAIGN),
        st.tuples(st.just("wait"), st.sampled_from([1, 6, 6.5, 13, 27.5, 40])),
    ),
    min_size=4,
    max_size=14,
)


class _Model:
    """A subscriber to which steps are applied, and the invariants that hold after each step."""

    def __init__(self, database: Database) -> None:
        self.database, self.email, self.at = database, f"{uuid4().hex}@example.org", make.NOW
        with database.transaction() as session:
            for slug in {*SLUGS} - {topic.slug for topic in topics.list_topics(session)}:
                make.topic(session, slug, policy="opt_out" if slug == "offers" else "opt_in")
            make.subscriber(session, self.email, "weekly-news")
        self.before: dict[int, dict[str, Any]] = {}  # ledger row -> state before it
        self.claims: dict[tuple[str, str], datetime] = {}
        self.observe()

    def observe(self) -> None:
        """Read the state through every channel, and remember it."""
        with self.database.reading() as session:
            person = make.found(session, self.email)
            self.now, self.seq = snapshots.capture(person, make.TARGETS), person.seq
            self._check_channels(session, person)
            _check_ledger(session, person)
        self.before[self.seq + 1] = self.now

    def apply(self, step: tuple[Any, ...]) -> None:
        before, seq = self.now, self.seq
        refused = getattr(self, f"_{step[0]}")(*step[1:])
        self.observe()
        for number in range(seq + 1, self.seq + 1):
            self.before[number] = before
        if self.now == before and step[0] != "erase":
            assert self.seq == seq, "a step without effect has a ledger row"
        if step[0] == "erase":
            assert self.now["all"] is not None
        elif step[0] in ("join_by_old_link", "join_by_new_link"):
            self._check_only_this_topic_started(before, step[1])
            assert step[0] == "join_by_new_link" or _ended(before) <= _ended(self.now), (
                "an old link lifted an unsubscribe"
            )
        elif step[0] == "lift":
            assert _ended(before) - _ended(self.now) <= {"address"}
        elif step[0] != "undo":
            assert _ended(before) <= _ended(self.now), "an unsubscribe was undone"
        elif refused:
            assert self.now == before
        else:
            earlier = [before, *(self.before[number] for number in range(2, seq + 1))]
            assert all(self.now[key] in [each[key] for each in earlier] for key in KEYS)
        if step[0] == "less":
            assert all(_is_not_more(self.now[key], before[key]) for key in KEYS[:2])

    def _check_only_this_topic_started(self, before: dict[str, Any], slug: str) -> None:
        """Check that joining started one topic, and ended the others if it lifted a suppression."""
        joined = Target.of(slug).key
        assert _ended(before) - {"all", "address", joined} <= _ended(self.now)
        if _ended(before) & {"all", "address"} - _ended(self.now):
            assert {*KEYS} - _ended(self.now) == {"all", "address", joined}

    def _unsubscribe(self, slug: str | None, source: Any) -> None:
        with self.database.transaction() as session:
            make.unsubscribe(session, self.email, slug, source=source, at=self.at)

    def _bounce(self) -> None:
        with self.database.transaction() as session:
            make.unsubscribe(session, self.email, None, Scope.ADDRESS, source="bounce", at=self.at)

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
            erasure.erase(session, [make.id_of(self.email)], Source.CLI, self.at)
        self.claims.clear()

    def _less(self, slug: str, choice: Frequency | Pause) -> None:
        with self.database.transaction() as session:
            make.reduce(session, choice, self.email, slug, at=self.at)

    def _cap(self, slug: str, frequency: Frequency) -> None:
        with self.database.transaction() as session:
            make.set_frequency(session, frequency, self.email, slug, at=self.at)

    def _resume(self, slug: str) -> None:
        with self.database.transaction() as session:
            make.resume(session, self.email, slug, at=self.at)

    def _join_by_old_link(self, slug: str) -> None:
        with self.database.transaction() as session:
            make.start_topic(session, self.email, slug, make.NOW - DAY, at=self.at)

    def _join_by_new_link(self, slug: str) -> None:
        with self.database.transaction() as session:
            make.start_topic(session, self.email, slug, at=self.at)

    def _lift(self) -> None:
        with self.database.transaction() as session:
            all_bounces = recovery.BounceFilter("example.org", make.NOW - 999 * DAY, self.at + DAY)
            context = make.context(Source.CLI, self.at)
            for kind in SUPPRESSION_SCOPES:
                recovery.remove_suppressions(
                    session, kind, [make.id_of(self.email)], all_bounces, context
                )

    def _claim(self, slug: str, campaign: str) -> None:
        with self.database.transaction() as session:
            person, topic = make.found(session, self.email), topics.get(session, slug)
            expected = self._verdict(_preferences(session, person, self.at).topics[slug], campaign)
            ids = [person.subscriber_id]
            (found,) = audience.claim(session, topic, campaign, ids, self.at).values()
            assert (found.decision, found.until) == expected
        if found.decision == "allow":
            self.claims.setdefault((slug, campaign), self.at)

    def _release(self, slug: str, campaign: str) -> None:
        with self.database.transaction() as session:
            topic, ids = topics.get(session, slug), [make.id_of(self.email)]
            released = audience.release(session, topic, campaign, ids, self.at)
        assert released == (self.claims.pop((slug, campaign), None) is not None)

    def _wait(self, days: float) -> None:
        self.at += days * DAY

    def _verdict(
        self, topic: preferences.TopicPreference, campaign: str
    ) -> tuple[str, datetime | None]:
        """Return the expected verdict, given the preferences that a page shows and the claims."""
        if not topic.received:
            return "deny", None
        if topic.paused_until is not None:
            return "defer", topic.paused_until
        others = {key: at for key, at in self.claims.items() if key[1] != campaign}
        sent = [at for key, at in others.items() if key[0] == topic.slug]
        next_at = max(sent) + GAPS[topic.frequency] if sent else self.at
        return ("defer", next_at) if next_at > self.at else ("allow", None)

    def _check_channels(self, session: Session, person: Subscriber) -> None:
        session.flush()
        file, kind = io.BytesIO(), exports.KINDS["preferences"]
        exports.Export(kind, exports.Filter(), "csv").write(session, file)
        rows = csv.DictReader(io.StringIO(file.getvalue().decode(), newline=""))
        exported = {row["topic"]: row for row in rows if row["id"] == str(person.subscriber_id)}
        current = _preferences(session, person, self.at)
        for slug in SLUGS:
            people, shown = {person.subscriber_id: ""}, current.topics[slug]
            topic = topics.get(session, slug)
            for campaign in "abc":
                (found,) = audience.check(session, topic, campaign, people, self.at).values()
                assert (found.decision, found.until) == self._verdict(shown, campaign)
            if slug in exported:
                assert shown.received == (exported[slug]["status"] == "subscribed")
                assert shown.frequency == exported[slug]["frequency"]
                until = exported[slug]["paused_until"]
                lasts = until and datetime.fromisoformat(until) > self.at
                assert (shown.paused_until.isoformat() if shown.paused_until else "") == (
                    until if lasts else ""
                )


def _ended(state: dict[str, Any]) -> set[str]:
    """Return the keys of the targets that are unsubscribed or suppressed."""
    return {
        key
        for key, value in state.items()
        if value is not None and value.get("status", "unsubscribed") == "unsubscribed"
    }


def _is_not_more(now: Any, before: Any) -> bool:
    """Return True if a subscription gives no more than before, or either state is unknown."""
    if now is None or before is None:
        return True
    order = list(Frequency).index
    assert (now["status"], before["status"]) != ("subscribed", "unsubscribed")
    return order(now["frequency"]) >= order(before["frequency"]) and (
        now["paused_until"] or ""
    ) >= (before["paused_until"] or "")


def _preferences(
    session: Session, person: Subscriber, at: datetime
) -> preferences.SubscriberPreferences:
    return preferences.read(person, topics.list_topics(session), "en", at)


def _check_ledger(session: Session, person: Subscriber) -> None:
    changes = ledger.load(session, person.subscriber_id, 1)
    latest: dict[str, Any] = {}
    for change in changes:
        latest.update(change.after or {})
    assert [change.seq for change in changes] == list(range(1, person.seq + 1))
    assert person.erased_at or latest == snapshots.capture(person, map(Target.from_key, latest))
    assert not [problem for problem in verification.verify(session) if problem]


@given(steps=STEPS)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_all_channels_agree_after_any_sequence_of_changes(
    database: Database, steps: list[tuple[Any, ...]]
) -> None:
    model = _Model(database)
    for step in steps:
        model.apply(step)
