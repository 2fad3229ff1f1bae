"""One path for one change and for many: the same result, and a fixed number of statements."""

import multiprocessing
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import subscribers, verification
from preference_center.core.apply import apply, apply_one
from preference_center.core.bounces import Bounce, RecordBounce
from preference_center.core.change import Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Change
from preference_center.core.erasure import Erase
from preference_center.core.errors import UndoRefusal
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.joining import StartTopic
from preference_center.core.subscriptions import Reduce
from preference_center.core.undo import Undo
from preference_center.core.vocab import Frequency, ImportStatus, Pause, Source
from preference_center.data.identity import RowIdentity
from preference_center.data.import_batch import Imported, ImportRecord
from preference_center.data.import_records import PreferenceRecord
from preference_center.store import Database, tables
from tests.support import citus, make
from tests.support.rollups import counted, rolled_up

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SLUGS = ("weekly-news", "offers")
# Each has a domain of their own, because an erasure deletes the counts of rare domains at the end
# of its batch.
PEOPLE = ("ada@example.org", "left@two.example", "new@three.example", "newer@four.example")

_SLUG = st.sampled_from(SLUGS)
_LATE = st.sampled_from([0 * DAY, 0 * DAY, HOUR, 9 * DAY])
_SEVERITY = st.sampled_from(
    [BounceSeverity.SOFT, BounceSeverity.PROBABLE, BounceSeverity.PERMANENT]
)
_STEP = st.one_of(
    st.tuples(
        st.just("unsubscribe"),
        st.sampled_from(make.TARGETS),
        st.sampled_from([Source.PAGE, Source.ONE_CLICK, Source.MAILTO, Source.COMPLAINT]),
        _LATE,
    ),
    st.tuples(st.just("reduce"), _SLUG, st.sampled_from([*Frequency, *Pause])),
    st.tuples(st.just("start"), _SLUG, st.booleans()),
    st.tuples(st.just("undo"), st.integers(1, 7), st.integers(0, 2)),
    st.tuples(
        st.just("bounce"),
        _SEVERITY,
        st.sampled_from(["return-path", "provider"]),
        st.integers(0, 20),
    ),
    st.tuples(st.just("erase")),
    st.tuples(st.just("import"), _SLUG, st.sampled_from(list(ImportStatus)), _LATE),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.sampled_from([MINUTE / 2, HOUR]), _STEP),
    min_size=2,
    max_size=9,
)


UNDONE_AFTER_ERASURE: list[tuple[str, timedelta, tuple[Any, ...]]] = [
    ("new@three.example", HOUR, ("unsubscribe", make.TARGETS[0], Source.PAGE, 0 * DAY)),
    ("new@three.example", HOUR, ("erase",)),
    ("new@three.example", HOUR, ("undo", 1, 0)),
]


def changes_of(steps: Sequence[tuple[str, timedelta, tuple[Any, ...]]]) -> list[Change[Any]]:
    """Return the changes, each recorded some time after the one before it."""
    at, changes = make.NOW, list[Change[Any]]()
    for email, later, (name, *values) in steps:
        at += later
        changes.append(_MAKERS[name](email, at, *values))
    return changes


def _unsubscribe(
    email: str, at: Any, target: Target, source: Source, late: timedelta
) -> Unsubscribe:
    context = make.context(
        source, at, occurred_at=at - late, campaign="47", notice_delay=2 * MINUTE, language="de"
    )
    return Unsubscribe(make.id_of(email), target, context)


def _reduce(email: str, at: Any, slug: str, choice: Frequency | Pause) -> Reduce:
    return Reduce(make.id_of(email), slug, choice, make.context(at=at, notice_delay=2 * MINUTE))


def _start(email: str, at: Any, slug: str, is_old: bool) -> StartTopic:
    asked_at = make.NOW - DAY if is_old else at
    return StartTopic(make.id_of(email), slug, asked_at, make.context(at=at, wording="Send it"))


def _undo(email: str, at: Any, first: int, more: int) -> Undo:
    context = make.context(at=at, wording="Puts it back", notice_delay=2 * MINUTE)
    return Undo(make.id_of(email), first, first + more, context)


def _bounce(
    email: str, at: Any, severity: BounceSeverity, authority: Any, days: int
) -> RecordBounce:
    return RecordBounce(
        make.id_of(email), Bounce(severity, "5.1.1", at - days * DAY, authority), at
    )


def _erase(email: str, at: Any) -> Erase:
    return Erase(make.id_of(email), make.context(Source.CLI, at))


def _import(email: str, at: Any, slug: str, status: ImportStatus, late: timedelta) -> ImportRecord:
    record = PreferenceRecord(
        identity=RowIdentity(make.id_of(email), email),
        topic=slug,
        status=status,
        frequency=Frequency.WEEKLY,
        paused_until=None,
        locale="ar",
        consent_at=None,
        consent_source="",
        consent_wording="I agree",
        basis="consent",
        acquired_from="the fair",
        changed_at=at - late,
        changed_by=Source.IMPORT,
    )
    return ImportRecord(make.id_of(email), record, at)


_MAKERS: dict[str, Callable[..., Change[Any]]] = {
    "unsubscribe": _unsubscribe,
    "reduce": _reduce,
    "start": _start,
    "undo": _undo,
    "bounce": _bounce,
    "erase": _erase,
    "import": _import,
}


@pytest.fixture
def filled(database: Database) -> Database:
    """Return a database with a reader of both topics, and one who has left both ways."""
    with database.transaction() as session:
        make.topic(session, "weekly-news", cadence="weekly")
        make.topic(session, "offers", policy="opt_out")
        make.subscriber(session, "ada@example.org", *SLUGS)
        make.subscriber(session, "left@two.example", *SLUGS)
        make.unsubscribe(session, "left@two.example", source="one-click")
        make.unsubscribe(session, "left@two.example", None)
    return database


_IS_ERASED = tables.SubscriberRow.erased_at.is_not(None)
_RANDOM = {"head", "digest", "hash", "salt", "id", "message_id"}
_COMPARED: tuple[Any, ...] = (
    tables.SubscriberRow,
    tables.SubscriptionRow,
    tables.SuppressionRow,
    tables.LedgerRow,
    tables.LedgerDetail,
    tables.OutboxRow,
    tables.FailedMailing,
    tables.BounceCount,
)


def _rows(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the tables say, without random values.

    Details of changes that were made after an erasure are left out: an erasure in the same batch
    deletes them too.
    """
    erased = set(session.scalars(select(tables.SubscriberRow.subscriber_id).where(_IS_ERASED)))
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table in _COMPARED:
        rows = [dict(row._mapping) for row in session.execute(select(table.__table__))]
        if table is tables.LedgerDetail:
            rows = [row for row in rows if row["subscriber_id"] not in erased]
        for row in rows:
            if table is tables.LedgerRow and row["subscriber_id"] in erased:
                row["campaign"] = row["wording"] = None
        values = [tuple(row[name] for name in row if name not in _RANDOM) for row in rows]
        found[table.__tablename__] = sorted(values, key=repr)
    return found


def _one_by_one(
    session: Session, changes: Sequence[Change[Any]]
) -> tuple[list[Any], list[tuple[int, UndoRefusal]]]:
    """Apply each change alone; return the results, and which were refused."""
    results, refused = list[Any](), list[tuple[int, UndoRefusal]]()
    for number, change in enumerate(changes):
        try:
            results.append(_compared(apply_one(session, change, make.NOW)))
        except UndoRefusal as refusal:  # It is raised before anything is written.
            refused.append((number, refusal))
    return results, refused


def _compared(result: Any) -> Any:
    """Return what must not depend on the batch; whether an import adds a person does."""
    return result.effect if isinstance(result, Imported) else result


@pytest.mark.integration
@given(steps=STEPS)
@example(steps=UNDONE_AFTER_ERASURE)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_batch_is_the_same_as_its_changes_one_by_one(
    filled: Database, steps: list[tuple[str, timedelta, tuple[Any, ...]]]
) -> None:
    changes = changes_of(steps)
    with filled.transaction(dry_run=True) as session:
        expected, refused = _one_by_one(session, changes)
        rows = _rows(session)
    for number, refusal in refused[:1]:
        with filled.transaction(dry_run=True) as session, pytest.raises(type(refusal)):
            apply(session, changes[: number + 1], make.NOW)
    numbers = {number for number, _ in refused}
    kept = [change for number, change in enumerate(changes) if number not in numbers]
    with filled.transaction(dry_run=True) as session:
        assert [_compared(each) for each in apply(session, kept, make.NOW)] == expected
        assert _rows(session) == rows
        assert set(verification.verify(session)) == {None}


# Statements.


def _emails(count: int) -> list[str]:
    return [f"p{number}@example.org" for number in range(count)]


def _unknown(session: Session, count: int) -> None:
    make.topic(session)


def _readers(session: Session, count: int) -> None:
    for email in _emails(count):
        make.subscriber(session, email)


def _have_left(session: Session, count: int) -> None:
    _readers(session, count)
    for email in _emails(count):
        make.unsubscribe(session, email, source="mailto")


@pytest.mark.parametrize("prepare", [_unknown, _readers, _have_left])
def test_the_number_of_statements_does_not_depend_on_the_number_of_changes(
    database: Database, prepare: Callable[[Session, int], None]
) -> None:
    counts = []
    with database.transaction() as session:
        prepare(session, 100)
    for number in (1, 100):
        changes = [
            _unsubscribe(email, make.NOW + HOUR, make.TARGETS[0], Source.ONE_CLICK, HOUR / 2)
            for email in _emails(number)
        ]
        watching, writing = citus.watched(database.engine), database.transaction(dry_run=True)
        with watching as statements, writing as session:
            session.connection()
            statements.clear()
            results = apply(session, changes, make.NOW + HOUR)
        assert {each.changed for each in results} == {prepare is not _have_left}
        roll_ups = sum("ledger_counts" in each for each in statements)
        assert roll_ups == (prepare is not _have_left), "only new ledger rows are counted"
        counts.append(len(statements))
    assert counts[0] == counts[1], counts
    assert counts[0] <= 16 + (citus.URL is not None)  # Citus locks in a statement of its own.


# Processes.

PROCESSES, BATCHES, SIZE = 4, 12, 25
OLD, NEW = [f"old{number}@example.org" for number in range(20)], _emails(200)


def _unsubscribe_many(url: str, process: int, known: Sequence[UUID]) -> None:
    """Apply batches about random people, half of them unknown so far."""
    database, chance = make.database(url), Random(process)
    for batch in range(BATCHES):
        target = Target.of(f"topic-{process}-{batch}")
        people = [*chance.sample(known, 5), *map(make.id_of, _sample(batch, chance))]
        context = make.context(Source.ONE_CLICK)
        changes = [Unsubscribe(person, target, context) for person in people]
        chance.shuffle(changes)
        with database.transaction() as session:
            assert all(each.changed for each in apply(session, changes, make.NOW))
    database.close()


def _sample(batch: int, chance: Random) -> list[str]:
    """Return new people, most of whom the other processes take up at the same time."""
    return chance.sample(NEW[batch * 10 : batch * 10 + 40], SIZE)


@pytest.mark.integration
@pytest.mark.parametrize("database_url", ["postgresql", "distributed"], indirect=True)
def test_processes_with_overlapping_batches_lose_no_change(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        for email in OLD:
            make.subscriber(session, email)
    known = list(map(make.id_of, OLD))
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        jobs = [(database_url, process, known) for process in range(PROCESSES)]
        pool.starmap(_unsubscribe_many, jobs, chunksize=1)
    with database.reading() as session:
        assert set(verification.verify(session)) == {None}
        assert rolled_up(session) == counted(session)
        for email in (*OLD, *NEW):
            person = subscribers.find(session, make.id_of(email))
            ended = {slug for slug in (person.subscriptions if person else ()) if "topic" in slug}
            assert ended == _expected(email, known), email


def _expected(email: str, known: Sequence[UUID]) -> set[str]:
    """Return the topics that the processes have ended for a subscriber."""
    ended = set()
    for process in range(PROCESSES):
        chance = Random(process)
        for batch in range(BATCHES):
            people = [*chance.sample(known, 5), *map(make.id_of, _sample(batch, chance))]
            if make.id_of(email) in people:
                ended.add(f"topic-{process}-{batch}")
            chance.shuffle(list(people))
    return ended
