"""After any sequence of requests, presses and stops, a person gets what a small model says."""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from preference_center.core import erasure, preferences, sign_ups, subscribers, topics, verification
from preference_center.core.apply import apply_one
from preference_center.core.lifting import LiftOwnStop
from preference_center.core.sign_ups import SignUp
from preference_center.core.vocab import Scope, Source
from preference_center.store import Database
from tests.support import make
from tests.support.signing_up import press, request

pytestmark = pytest.mark.integration

SLUGS = ("weekly-news", "offers", "notices")  # Everyone gets `notices` who has not left it.
ALL, ADDRESS = "all", "address"
_SOME = st.sets(st.sampled_from(SLUGS), min_size=1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("request"), _SOME),
        st.tuples(st.just("press"), st.integers(0, 3)),
        st.tuples(st.just("press"), st.integers(0, 3)),
        st.tuples(st.just("leave"), st.sampled_from(SLUGS)),
        st.tuples(st.just("stop"), st.just(ALL), st.sampled_from([Source.PAGE, Source.COMPLAINT])),
        st.tuples(
            st.just("stop"),
            st.just(ADDRESS),
            st.sampled_from([Source.BOUNCE, Source.PAGE, Source.API]),
        ),
        st.tuples(st.just("erase")),
        st.tuples(st.just("lift")),
        st.tuples(st.just("wait"), st.sampled_from([1, 3, 7])),
    ),
    min_size=4,
    max_size=14,
)


@dataclass
class _Request:
    """A request of the model: the steps at which it was made and pressed."""

    row: SignUp
    slugs: frozenset[str]
    stopped: bool = False
    used: bool = False


@dataclass
class _Model:
    """What a person has chosen, in the simplest words that predict what they get."""

    chosen: dict[str, bool] = field(default_factory=dict)
    stops: dict[str, Source] = field(default_factory=dict)
    erased: bool = False
    explicit: bool = False
    requests: list[_Request] = field(default_factory=list)

    @property
    def received(self) -> set[str]:
        if self.stops or self.erased:
            return set()
        silence = () if self.explicit else ("notices",)
        return {slug for slug in SLUGS if self.chosen.get(slug, slug in silence)}

    def stop(self, slugs: set[str]) -> None:
        """Let the requests of these topics, or all for an empty set, no longer work."""
        for each in self.requests:
            each.stopped |= not slugs or bool(each.slugs & slugs)

    def leave(self, slug: str) -> None:
        if not self.erased:
            self.chosen[slug] = False
            self.stop({slug})

    def stop_all(self, kind: str, source: Source) -> None:
        """A program that repeats itself is not counted; anything else is a stop."""
        if self.stops.get(kind) is not source or source is not Source.API:
            self.stop(set())
        held = self.stops.get(kind)
        outweighs = {(ADDRESS, Source.BOUNCE): held is None, (ALL, Source.COMPLAINT): True}
        if held in (None, Source.BOUNCE) or outweighs.get((kind, source), False):
            self.stops[kind] = source

    def press(self, wanted: _Request, age: timedelta) -> bool:
        """Return True if the press starts something."""
        blocked = self.stops.get(ADDRESS) not in (None, Source.BOUNCE)
        given = {slug for slug in self.received if self.chosen.get(slug)}
        works = not (blocked or wanted.used or wanted.stopped or wanted.slugs <= given)
        if not works or age >= timedelta(days=7):
            return False
        if self.stops:
            self.chosen |= {slug: False for slug in SLUGS if slug not in wanted.slugs}
        else:
            silent = self.received - given - wanted.slugs
            self.chosen |= dict.fromkeys(silent, False)
        self.chosen |= dict.fromkeys(wanted.slugs, True)
        self.stops, self.erased, self.explicit, wanted.used = {}, False, True, True
        return True


class _Person:
    """A person of the database and of the model, to whom the same steps happen."""

    def __init__(self, database: Database) -> None:
        self.database, self.email, self.at = database, f"{uuid4().hex}@example.org", make.NOW
        self.model = _Model()
        with database.transaction() as session:
            for slug in {*SLUGS} - topics.slugs(session):
                make.topic(session, slug, policy="opt_out" if slug == "notices" else "opt_in")

    def apply(self, step: tuple[Any, ...]) -> None:
        self.at += timedelta(minutes=2)
        with self.database.transaction() as session:
            getattr(self, f"_{step[0]}")(session, *step[1:])
        with self.database.reading() as session:
            assert self.received(session) == self.model.received, step

    def received(self, session: Session) -> set[str]:
        found = subscribers.find(session, make.id_of(self.email))
        known = topics.list_topics(session)
        return {
            each.slug for each in known if each.slug in SLUGS and preferences.receives(found, each)
        }

    def _subscribe(self, session: Session, slug: str) -> None:
        make.subscriber(session, self.email, slug)
        self.model.chosen[slug] = True

    def _request(self, session: Session, slugs: set[str]) -> None:
        row = request(session, self.email, *sorted(slugs), at=self.at)
        self.model.requests.append(_Request(row, frozenset(slugs)))

    def _press(self, session: Session, number: int) -> None:
        if not self.model.requests:
            return
        wanted = self.model.requests[-1 - number % len(self.model.requests)]
        expected = self.model.press(wanted, self.at - wanted.row.requested_at)
        assert press(session, wanted.row, self.at).changed is expected

    def _leave(self, session: Session, slug: str) -> None:
        make.unsubscribe(session, self.email, slug, at=self.at)
        self.model.leave(slug)

    def _stop(self, session: Session, kind: str, source: Source) -> None:
        make.unsubscribe(session, self.email, None, Scope(kind), source=source, at=self.at)
        self.model.stop_all(kind, source)

    def _erase(self, session: Session) -> None:
        if erasure.erase(session, [make.id_of(self.email)], Source.CLI, self.at):
            self.model.stop(set())
            self.model.chosen.clear()
            self.model.stops.setdefault(ALL, Source.CLI)
            self.model.erased, self.model.explicit = True, False

    def _lift(self, session: Session) -> None:
        context = make.context(Source.CLI, self.at)
        change = LiftOwnStop(make.id_of(self.email), context)
        own = self.model.stops.get(ADDRESS) is Source.PAGE
        assert apply_one(session, change, self.at) is own
        if own:
            self.model.stop(set())
            self.model.stops.setdefault(ALL, Source.CLI)
            del self.model.stops[ADDRESS]

    def _wait(self, _: Session, days: int) -> None:
        self.at += timedelta(days=days)


@given(steps=STEPS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_person_gets_what_they_have_asked_for_last(
    database: Database, steps: list[tuple[Any, ...]]
) -> None:
    person = _Person(database)
    for step in [("request", {"weekly-news"}), *steps]:
        person.apply(step)
    _check_ledger(database)


ONE: list[tuple[Any, ...]] = [
    ("wait", 0),
    ("leave", "weekly-news"),
    ("leave", "offers"),
    ("stop", ALL, Source.PAGE),
    ("stop", ALL, Source.COMPLAINT),
    ("stop", ADDRESS, Source.BOUNCE),
    ("stop", ADDRESS, Source.PAGE),
    ("stop", ADDRESS, Source.API),
    ("erase",),
    ("lift",),
]


@pytest.mark.parametrize("is_known", [True, False])
def test_each_stop_before_and_after_a_request_is_honoured(
    database: Database, is_known: bool
) -> None:
    for before, after in product(ONE, ONE):
        person = _Person(database)
        if is_known:
            person.apply(("subscribe", "weekly-news"))
        for step in (before, ("request", {"weekly-news"}), after, ("press", 0), ("press", 0)):
            person.apply(step)
    _check_ledger(database)


def _check_ledger(database: Database) -> None:
    with database.reading() as session:
        assert not [problem for problem in verification.verify(session) if problem]


def test_a_request_is_found_while_it_can_be_confirmed(database: Database) -> None:
    person = _Person(database)
    person.apply(("request", {"offers"}))
    with database.reading() as session:
        found = sign_ups.newest(session, make.id_of(person.email), person.at, person.at)
    assert found == person.model.requests[0].row
