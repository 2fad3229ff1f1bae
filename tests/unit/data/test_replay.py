"""A replay of the ledger restores unsubscribes and erasures that a restored backup lost."""

import io
import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from preference_center.core import (
    domain_hold,
    erasure,
    ledger,
    preferences,
    recovery,
    snapshots,
    subscribers,
    topics,
    verification,
)
from preference_center.core.apply import apply_one
from preference_center.core.change import Target
from preference_center.core.errors import UndoRefusal
from preference_center.core.joining import AskAgain
from preference_center.core.vocab import SUPPRESSION_SCOPES, NotSaved, Scope, Source
from preference_center.data import exports
from preference_center.data.replay import Replay
from preference_center.data.tabular import RefusedRow, read_csv, read_json_lines
from preference_center.store import Database
from preference_center.store.tables import Base, ClaimCount, LedgerRow, SubscriberRow
from tests.support import make

HOUR = timedelta(hours=1)
LATER = make.NOW + 100 * HOUR
SLUGS = ("weekly-news", "offers")
ADA = "ada@example.org"

Backup = dict[str, list[dict[str, Any]]]


def back_up(database: Database) -> Backup:
    """Return every row of every table."""
    with database.reading() as session:
        return {
            table.name: [
                dict(row._mapping)
                for row in session.execute(select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
        }


def restore(database: Database, backup: Backup) -> None:
    """Replace the contents of the database with those of a backup."""
    with database.transaction() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
        for table in Base.metadata.sorted_tables:
            if backup[table.name]:
                session.execute(table.insert(), backup[table.name])


def export(database: Database, file_format: str = "jsonl", **selection: Any) -> bytes:
    file, kind = io.BytesIO(), exports.KINDS["ledger"]
    with database.reading() as session:
        exports.Export(kind, exports.Filter(**selection), file_format).write(session, file)
    return file.getvalue()


def replay(
    database: Database, content: bytes, now: datetime = LATER, **options: Any
) -> tuple[dict[str, int], list[RefusedRow]]:
    """Replay JSON Lines and return the nonzero counts and the problems."""
    problems: list[RefusedRow] = []
    job = Replay(database, lambda: now, **options)
    counts = job.run(read_json_lines(io.BytesIO(content)), problems.append)
    return {name: count for name, count in counts.items() if count}, problems


def ended(database: Database, email: str = ADA) -> set[str]:
    with database.reading() as session:
        subscriber = subscribers.find(session, make.id_of(email))
        assert subscriber is not None
        state = snapshots.capture(subscriber, make.TARGETS)
    return {
        key
        for key, value in state.items()
        if value is not None and value.get("status", "unsubscribed") == "unsubscribed"
    }


def state_of(database: Database, key: str, email: str = ADA) -> Any:
    with database.reading() as session:
        subscriber = subscribers.find(session, make.id_of(email))
        assert subscriber is not None
        return snapshots.capture(subscriber, [Target.from_key(key)])[key]


def has_complained(database: Database, email: str = ADA) -> bool:
    with database.reading() as session:
        subscriber = subscribers.find(session, make.id_of(email))
        assert subscriber is not None
        return preferences.complained_at(subscriber) is not None


def confirm_link_refusal(database: Database, email: str = ADA) -> NotSaved | None:
    """Return why a page would not email a confirm link, or None; save nothing."""
    with database.transaction(dry_run=True) as session:
        return apply_one(session, AskAgain(make.id_of(email), "weekly-news", smtp=True), LATER)


def is_intact(database: Database) -> bool:
    with database.reading() as session:
        return not [problem for problem in verification.verify(session) if problem]


@pytest.fixture
def filled(database: Database) -> Database:
    with database.transaction() as session:
        for slug in SLUGS:
            make.topic(session, slug)
        for email in (ADA, "ben@example.org"):
            make.subscriber(session, email, *SLUGS)
    return database


@pytest.mark.parametrize(
    "details",
    [
        {"slug": "offers", "source": "one-click", "campaign": "2026-47"},
        {"slug": None, "source": "page"},
        {"slug": None, "source": "complaint"},
        {"slug": None, "scope": "address", "source": "bounce"},
    ],
)
def test_a_lost_unsubscribe_is_restored_unchanged(
    filled: Database, details: dict[str, Any]
) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, at=make.NOW + HOUR, **details)
    key = "topic:offers" if details["slug"] else details.get("scope", "all")
    before, file = state_of(filled, key), export(filled)
    restore(filled, backup)
    assert ended(filled) == set()
    assert replay(filled, file) == ({"unsubscribed": 1}, [])
    assert state_of(filled, key) == before
    assert ended(filled, "ben@example.org") == set()
    assert is_intact(filled)
    with filled.reading() as session:
        row = ledger.load(session, make.id_of(), 1)[-1]
        assert (row.source, row.occurred_at) == ("import", make.NOW + HOUR)
        assert (row.recorded_at, row.campaign) == (LATER, details.get("campaign"))
    after = back_up(filled)
    assert replay(filled, file, LATER + HOUR)[0] == {"unchanged": 1}
    assert back_up(filled) == after


def test_a_lost_erasure_is_restored(filled: Database) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug="offers", at=make.NOW)
    with filled.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW + HOUR)
    file = export(filled)
    restore(filled, backup)
    with filled.transaction() as session:
        domain_hold.count_claims(session, [ADA], make.NOW)
    counts, problems = replay(filled, file)
    assert (counts["erased"], problems) == (1, [])
    with filled.reading() as session:
        assert session.query(ClaimCount).count() == 0
        ada = subscribers.find(session, make.id_of())
        assert ada is not None
        assert (ada.email, ada.subscriptions) == (None, {})
        assert ada.erased_at == make.NOW + HOUR
        assert set(ada.suppressions) == {"all"}
        changes = ledger.load(session, make.id_of(), 1)
        assert {(each.topic, each.after is None) for each in changes} == {(None, True)}
    assert is_intact(filled)
    after = back_up(filled)
    assert replay(filled, file, LATER + HOUR)[0].keys() == {"unchanged"}
    assert back_up(filled) == after


def test_a_restarted_subscription_is_not_ended(filled: Database) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        change = make.unsubscribe(session, slug="offers", at=make.NOW)
        make.undo(session, change.last_seq, change.last_seq, at=make.NOW + HOUR)
        make.unsubscribe(session, "ben@example.org", slug="offers", at=make.NOW)
        make.start_topic(session, "ben@example.org", "offers", at=make.NOW + HOUR)
    file = export(filled)
    restore(filled, backup)
    assert replay(filled, file) == ({}, [])
    assert ended(filled) == ended(filled, "ben@example.org") == set()


def test_an_undo_that_brought_back_an_unsubscribe_counts_as_one(filled: Database) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug="offers", at=make.NOW)
        joined = make.start_topic(session, slug="offers", at=make.NOW + HOUR)
        make.undo(session, joined.last_seq, joined.last_seq, at=make.NOW + 2 * HOUR)
    file = export(filled)
    restore(filled, backup)
    replay(filled, file)
    assert ended(filled) == {"topic:offers"}


def test_only_topics_joined_after_a_global_unsubscribe_stay(filled: Database) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug=None, at=make.NOW)
        make.start_topic(session, slug="offers", at=make.NOW + HOUR)
    file = export(filled)
    restore(filled, backup)
    replay(filled, file)
    assert ended(filled) == {"topic:weekly-news"}


def test_a_replay_restores_no_consent(filled: Database) -> None:
    with filled.transaction() as session:
        make.unsubscribe(session, slug="offers", at=make.NOW)
    backup = back_up(filled)
    with filled.transaction() as session:
        make.start_topic(session, slug="offers", at=make.NOW + HOUR)
    file = export(filled)
    restore(filled, backup)
    assert replay(filled, file) == ({}, [])
    assert ended(filled) == {"topic:offers"}


def test_a_change_that_the_database_has_is_not_applied_again(filled: Database) -> None:
    """A file from before the removal of a suppression does not bring it back."""
    with filled.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce", at=make.NOW)
    file = export(filled)
    with filled.transaction() as session:
        ever = recovery.BounceFilter("example.org", make.NOW - HOUR, make.NOW + HOUR)
        context = make.context(Source.CLI, make.NOW + HOUR)
        assert (
            recovery.remove_suppressions(session, Scope.ADDRESS, [make.id_of()], ever, context) == 1
        )
    assert replay(filled, file) == ({"unchanged": 1}, [])
    assert ended(filled) == set()


def test_a_choice_made_after_the_restore_is_kept_as_newer(filled: Database) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug="offers", at=make.NOW)
    file = export(filled)
    restore(filled, backup)
    with filled.transaction() as session:
        make.unsubscribe(session, slug="offers", at=make.NOW + HOUR)
        make.start_topic(session, slug="offers", at=make.NOW + 2 * HOUR)
    assert replay(filled, file) == ({"newer": 1}, [])
    assert ended(filled) == set()


def test_an_erasure_is_restored_despite_choices_after_the_restore(filled: Database) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    file = export(filled)
    restore(filled, backup)
    with filled.transaction() as session:
        make.unsubscribe(session, slug=None, at=make.NOW + HOUR)
        make.start_topic(session, slug="offers", at=make.NOW + 2 * HOUR)
    replay(filled, file)
    with filled.reading() as session:
        ada = subscribers.find(session, make.id_of())
        assert ada is not None
        assert (ada.erased_at, set(ada.suppressions)) == (make.NOW, {"all"})
    assert is_intact(filled)


def test_a_lost_complaint_prevents_undoing_an_earlier_unsubscribe(
    filled: Database,
) -> None:
    with filled.transaction() as session:
        change = make.unsubscribe(session, slug=None, at=make.NOW)
    backup = back_up(filled)
    with filled.transaction() as session:
        make.undo(session, change.last_seq, change.last_seq, at=make.NOW + HOUR)
        make.unsubscribe(session, slug=None, source="complaint", at=make.NOW + 2 * HOUR)
    file = export(filled)
    restore(filled, backup)
    replay(filled, file)
    with pytest.raises(UndoRefusal), filled.transaction() as session:
        make.undo(session, change.last_seq, change.last_seq, at=LATER + HOUR)
    after = back_up(filled)
    replay(filled, file, LATER + 2 * HOUR)
    assert back_up(filled) == after


COMPLAINT: dict[str, Any] = {"source": "complaint", "at": make.NOW + 2 * HOUR}


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_a_lost_complaint_outweighs_a_repeated_unsubscribe(
    filled: Database, slug: str | None
) -> None:
    with filled.transaction() as session:
        make.unsubscribe(session, slug=slug, at=make.NOW)
        make.unsubscribe(session, slug=slug, source="one-click", at=make.NOW + HOUR)
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug=slug, **COMPLAINT)
    file = export(filled)
    restore(filled, backup)
    assert has_complained(filled) is False
    replay(filled, file)
    assert has_complained(filled) is True
    assert confirm_link_refusal(filled) is NotSaved.COMPLAINED
    after = back_up(filled)
    assert replay(filled, file, LATER + HOUR)[0] == {"unchanged": 1}
    assert back_up(filled) == after
    assert is_intact(filled)


def test_a_lost_address_suppression_outweighs_a_repeated_bounce(filled: Database) -> None:
    address: dict[str, Any] = {"slug": None, "scope": "address"}
    with filled.transaction() as session:
        make.unsubscribe(session, **address, source="bounce", at=make.NOW)
        make.unsubscribe(session, **address, source="bounce", campaign="b", at=make.NOW + HOUR)
        assert make.found(session).suppressions[Scope.ADDRESS].repeated_at is not None
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, **address, source="cli", at=make.NOW + 2 * HOUR)
    file = export(filled)
    restore(filled, backup)
    assert confirm_link_refusal(filled) is None
    replay(filled, file)
    assert confirm_link_refusal(filled) is NotSaved.NO_EMAIL


@pytest.mark.parametrize("in_one_go", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize(
    ("grave", "light"),
    [
        ({"slug": "offers", "source": "complaint"}, {"slug": "offers"}),
        ({"slug": None, "source": "complaint"}, {"slug": None, "source": "one-click"}),
        (
            {"slug": None, "scope": "address", "source": "cli"},
            {"slug": None, "scope": "address", "source": "bounce"},
        ),
    ],
)
def test_the_graver_unsubscribe_survives_two_losses(
    filled: Database,
    grave: dict[str, Any],
    light: dict[str, Any],
    reverse: bool,
    in_one_go: bool,
) -> None:
    """After an unrepaired loss, a lighter unsubscribe is recorded for the same target."""
    backup = back_up(filled)
    files = []
    for hours, details in enumerate((grave, light)):
        restore(filled, backup)
        with filled.transaction() as session:
            make.unsubscribe(session, **details, at=make.NOW + hours * HOUR)
        files.append(export(filled))
    restore(filled, backup)
    files = files[::-1] if reverse else files
    for file in [b"".join(files)] if in_one_go else files:
        replay(filled, file)
    key = "topic:offers" if grave["slug"] else grave.get("scope", "all")
    assert state_of(filled, key)["source"] == grave["source"]
    assert is_intact(filled)


def test_a_complaint_before_a_newer_subscription_is_not_restored(filled: Database) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug="offers", source="complaint", at=make.NOW)
        make.start_topic(session, slug="offers", at=make.NOW + HOUR)
        make.unsubscribe(session, slug="offers", at=make.NOW + 2 * HOUR)
    file = export(filled)
    restore(filled, backup)
    replay(filled, file)
    assert state_of(filled, "topic:offers")["source"] == "page"


def test_an_unknown_subscriber_and_topic_are_created(database: Database) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, "eve@example.org", "town-letter", at=make.NOW)
    file = export(database)
    everything = back_up(database)
    restore(database, {name: [] for name in everything} | {"key_checks": everything["key_checks"]})
    made: list[str] = []
    refused: list[RefusedRow] = []
    job = Replay(database, lambda: LATER)
    job.run(read_json_lines(io.BytesIO(file)), refused.append, on_new_topic=made.append)
    assert (made, refused) == (["town-letter"], [])
    with database.reading() as session:
        assert topics.get(session, "town-letter").visibility == "hidden"
        assert make.events(session, "eve@example.org") == [("unsubscribed", "town-letter")]


def test_a_dry_run_saves_nothing(filled: Database) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, at=make.NOW)
    file = export(filled)
    restore(filled, backup)
    assert replay(filled, file, dry_run=True) == ({"unsubscribed": 1}, [])
    assert back_up(filled) == backup


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_a_replay_accepts_both_formats_any_order_and_repeats(
    filled: Database, file_format: str
) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug="offers", at=make.NOW)
        make.start_topic(session, slug="offers", at=make.NOW + HOUR)
        make.unsubscribe(session, slug="weekly-news", at=make.NOW + HOUR)
    file = export(filled, file_format)
    restore(filled, backup)
    head, *lines = file.splitlines(keepends=True)
    lines = [*reversed(lines), *lines]
    stream = io.BytesIO(b"".join([head, *lines]))
    rows = read_csv(stream) if file_format == "csv" else read_json_lines(stream)
    refused: list[RefusedRow] = []
    Replay(filled, lambda: LATER).run(rows, refused.append)
    assert refused == []
    assert ended(filled) == {"topic:weekly-news"}


def test_the_export_of_a_replay_gives_the_same_result(filled: Database) -> None:
    """After a second loss, only the rows of the first replay record the complaint."""
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug=None, source="complaint", at=make.NOW)
    before = state_of(filled, "all")
    for now in (LATER, LATER + HOUR):
        file = export(filled)
        restore(filled, backup)
        replay(filled, file, now)
    assert state_of(filled, "all") == before


CELLS: dict[str, Any] = {
    "seq": "x",
    "topic": "Offers!",
    "scope": "",
    "occurred_at": "yesterday",
    "recorded_at": "9999-01-01T00:00:00+00:00",
    "hash": "x",
}


@pytest.mark.parametrize("cell", CELLS)
def test_an_unsubscribe_with_an_unreadable_cell_is_applied(filled: Database, cell: str) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug="offers", at=make.NOW)
        make.start_topic(session, slug="weekly-news", at=make.NOW)
    rows = map(json.loads, export(filled).splitlines())
    row = next(each for each in rows if each["event"] == "unsubscribed")
    damaged = json.dumps({**row, cell: CELLS[cell]}).encode()
    file = b"\n".join([b"{not json", damaged, b'{"id": "x", "event": "unsubscribed"}'])
    restore(filled, backup)
    counts, problems = replay(filled, file)
    assert counts == {"unsubscribed": 1}
    assert [problem.line for problem in problems] == [1, 2, 3]
    assert ended(filled) == {"all" if cell in ("topic", "scope") else "topic:offers"}
    assert cell in problems[1].why


def test_an_unreadable_resubscription_supersedes_nothing(
    filled: Database,
) -> None:
    backup = back_up(filled)
    with filled.transaction() as session:
        make.unsubscribe(session, slug="offers", at=make.NOW)
        make.start_topic(session, slug="offers", at=make.NOW + HOUR)
    rows = [json.loads(line) for line in export(filled).splitlines()]
    for row in rows:
        if row["event"] == "resubscribed":
            row["seq"] = "four"
    lines = [json.dumps(row).encode() + b"\n" for row in rows]
    restore(filled, backup)
    counts, problems = replay(filled, b"".join(lines))
    assert (counts, len(problems)) == ({"unsubscribed": 1}, 1)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("unsubscribe"),
            st.sampled_from([*SLUGS, None]),
            st.sampled_from(["page", "one-click", "complaint", "mailto"]),
        ),
        st.tuples(st.just("bounce")),
        st.tuples(st.just("undo"), st.integers(0, 4), st.integers(0, 1)),
        st.tuples(st.just("join"), st.sampled_from(SLUGS)),
        st.tuples(st.just("remove")),
        st.tuples(st.just("erase")),
        st.tuples(st.just("export")),
    ),
    max_size=8,
)


def _apply(database: Database, at: datetime, step: tuple[Any, ...]) -> None:
    with database.transaction() as session:
        match step:
            case ("unsubscribe", slug, source):
                make.unsubscribe(session, slug=slug, source=source, at=at)
            case ("bounce",):
                make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce", at=at)
            case ("undo", back, more):
                seq = session.get_one(SubscriberRow, make.id_of()).seq
                first = max(2, seq - back)
                make.undo(session, first, min(seq, first + more), at=at)
            case ("join", slug):
                make.start_topic(session, slug=slug, at=at)
            case ("remove",):
                ever = recovery.BounceFilter("example.org", make.NOW - HOUR, at + HOUR)
                for kind in SUPPRESSION_SCOPES:
                    context = make.context(Source.CLI, at)
                    recovery.remove_suppressions(session, kind, [make.id_of()], ever, context)
            case ("erase",):
                erasure.erase(session, [make.id_of()], Source.CLI, at)


def _apply_all(database: Database, since: datetime, steps: list[tuple[Any, ...]]) -> list[bytes]:
    """Apply the steps, an hour apart; return the exports on the way and a final one."""
    files = []
    for hours, step in enumerate(steps, 1):
        with suppress(UndoRefusal):
            _apply(database, since + hours * HOUR, step)
        if step[0] == "export":
            files.append(export(database, since=since))
    return [*files, export(database, since=since)]


@pytest.mark.integration
@given(earlier=STEPS, lost=STEPS, reverse=st.booleans())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_replay_ends_everything_that_had_ended(
    filled: Database, earlier: list[Any], lost: list[Any], reverse: bool
) -> None:
    """A target that ended before the backup and restarted after it may stay ended."""
    start = back_up(filled)
    _apply_all(filled, make.NOW, earlier)
    in_backup, backup = ended(filled), back_up(filled)
    files = _apply_all(filled, make.NOW + 20 * HOUR, lost)
    before, complained_before = ended(filled), has_complained(filled)
    with filled.reading() as session:
        erased_at = session.get_one(SubscriberRow, make.id_of()).erased_at
    content = b"".join(reversed(files) if reverse else files)
    restore(filled, backup)
    _, problems = replay(filled, content)
    assert problems == []
    if erased_at is None:
        assert before <= ended(filled) <= before | in_backup
        assert has_complained(filled) or not complained_before
    else:
        assert "all" in ended(filled)
    with filled.reading() as session:
        ada = session.get_one(SubscriberRow, make.id_of())
        assert (ada.erased_at, ada.email) == (erased_at, None if erased_at else ADA)
        rows = session.scalars(select(LedgerRow).where(LedgerRow.recorded_at == LATER))
        assert {row.event for row in rows} <= {"unsubscribed", "erased"}
    assert is_intact(filled)
    after = back_up(filled)
    replay(filled, content, LATER + HOUR)
    assert back_up(filled) == after
    restore(filled, start)


@pytest.mark.parametrize(
    ("unsubscribe", "join", "ended"),
    [
        ((6, 1), (5, 2), 1),  # the clock of the host that recorded the join is ahead
        ((5, 2), (6, 1), 1),  # or that of the host that recorded the unsubscribe: in doubt
        ((5, 1), (6, 2), 0),
        ((6, 2), (5, 1), 1),
    ],
)
def test_consent_ends_if_the_order_is_in_doubt(
    filled: Database, unsubscribe: tuple[int, int], join: tuple[int, int], ended: int
) -> None:
    events = (("unsubscribed", "unsubscribed", *unsubscribe), ("resubscribed", "subscribed", *join))
    rows = [
        {
            "id": str(make.id_of()),
            "seq": str(seq),
            "event": event,
            "scope": "topic",
            "topic": "offers",
            "source": "page",
            "occurred_at": (make.NOW + seconds * timedelta(seconds=1)).isoformat(),
            "recorded_at": (make.NOW + seconds * timedelta(seconds=1)).isoformat(),
            "status": status,
            "hash": f"{seq:064}",
        }
        for event, status, seq, seconds in events
    ]
    for order in (rows, rows[::-1]):
        file = "\n".join(map(json.dumps, order)).encode()
        counts, problems = replay(filled, file, dry_run=True)
        assert (counts.get("unsubscribed", 0), problems) == (ended, [])
