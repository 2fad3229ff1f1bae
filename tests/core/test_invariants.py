"""Whatever happens to a person, in any order, every door says the same about them."""

from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from preference_center import exports
from preference_center.core import (
    audience,
    erasure,
    ledger,
    preferences,
    snapshots,
    subscribers,
    topics,
)
from preference_center.core.errors import UndoRefusal
from preference_center.imports import Import
from preference_center.rows import RefusedRow, Row
from preference_center.store import Database
from preference_center.store.tables import Subscriber
from tests import make

SLUGS = ("weekly-news", "offers")
KEYS = [*map(snapshots.subscription_key, SLUGS), "all", "address"]
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
            st.sampled_from(SLUGS),
            st.sampled_from(["subscribed", "unsubscribed", "unconfirmed", "bounced", "complained"]),
        ),
        st.tuples(st.just("erase")),
    ),
    max_size=8,
)


class _Life:
    """One person to whom things happen, and what must be true after each of them."""

    def __init__(self, database: Database) -> None:
        self.database, self.email = database, f"{uuid4().hex}@example.org"
        with database.transaction() as session:
            for slug in {*SLUGS} - {topic.slug for topic in topics.everything(session)}:
                make.topic(session, slug, policy="opt_out" if slug == "offers" else "opt_in")
            make.reader(session, self.email, "weekly-news")
        self.before: dict[int, dict[str, Any]] = {}  # ledger row -> what stood before it
        self.look()

    def look(self) -> None:
        """Look through every door, and remember what was seen."""
        with self.database.reading() as session:
            person = subscribers.find(session, make.person(self.email))
            assert person is not None
            self.now, self.seq = snapshots.take(person, KEYS), person.seq
            _doors_agree(session, person)
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
        elif step[0] != "undo":
            assert _ended(was) <= _ended(self.now), "a stop was undone"
        elif refused:
            assert self.now == was
        else:
            earlier = [was, *(self.before[number] for number in range(2, seq + 1))]
            assert all(self.now[key] in [each[key] for each in earlier] for key in KEYS)
            assert self.now["address"] == was["address"], "an address that bounced came back"

    def _stop(self, slug: str | None, source: Any) -> None:
        with self.database.transaction() as session:
            make.stop(session, self.email, slug, source=source)

    def _bounce(self) -> None:
        with self.database.transaction() as session:
            make.stop(session, self.email, None, "address", source="bounce")

    def _undo(self, back: int, more: int) -> bool:
        first = max(2, self.seq - back)
        try:
            with self.database.transaction() as session:
                make.undo(session, first, min(self.seq, first + more), self.email)
        except UndoRefusal:
            return True
        return False

    def _import(self, slug: str, status: str) -> None:
        refused: list[RefusedRow] = []
        job = Import(self.database, make.IDENTITY_KEY, lambda: make.NOW)
        cells = {"email": self.email, "topic": slug, "status": status}
        job.run([Row(1, cells)], refused.append)
        assert refused == []

    def _erase(self) -> None:
        with self.database.transaction() as session:
            erasure.erase(session, make.person(self.email), "cli", make.NOW)


def _ended(state: dict[str, Any]) -> set[str]:
    """Return what is stopped."""
    return {
        key
        for key, value in state.items()
        if value is not None and value.get("status", "unsubscribed") == "unsubscribed"
    }


def _doors_agree(session: Session, person: Subscriber) -> None:
    rows = exports.rows(session, exports.KINDS["preferences"], exports.Filter())
    exported = {
        row["topic"]: row["status"] for row in rows if row["id"] == str(person.subscriber_id)
    }
    standing = preferences.standing(person, topics.everything(session), "en")
    for slug in SLUGS:
        people = {person.subscriber_id: ""}
        verdict = audience.check(session, topics.get(session, slug), people, make.NOW)
        allowed = verdict[person.subscriber_id].verdict == "allow"
        assert allowed == standing.topics[slug].received
        assert slug not in exported or allowed == (exported[slug] == "subscribed")


def _ledger_agrees(session: Session, person: Subscriber) -> None:
    changes = ledger.changes(session, person.subscriber_id, 1)
    told: dict[str, Any] = {}
    for change in changes:
        told.update(change.after or {})
    assert [change.row.seq for change in changes] == list(range(1, person.seq + 1))
    assert person.erased_at or told == snapshots.take(person, told)
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
