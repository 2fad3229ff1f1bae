"""Make many changes in one transaction: load as sets, decide one by one, write as sets.

One change is a batch of one. The cost in statements does not depend on the number of changes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import ledger, topics, work
from preference_center.core.draft import Change, Draft
from preference_center.store import Database
from preference_center.store.group_commit import GroupCommit
from preference_center.store.tables import Topic

_Result = TypeVar("_Result")
_Made = list[tuple[Change[Any], Draft]]


def apply(session: Session, changes: Sequence[Change[_Result]], now: datetime) -> list[_Result]:
    """Make the changes in their order, and return the result of each.

    Creates the topics and subscribers that are not on record yet, so that any valid link can be
    used to unsubscribe. Raise what a change raises; the caller rolls all of them back.
    """
    known, results = _load_topics(session, changes, now), dict[int, _Result]()
    remaining = dict(enumerate(changes))
    ids = {each.subscriber_id for each in changes}
    # New subscribers come first: a transaction that has locked others must not wait for one that
    # inserts the same new subscriber, because that one may wait for the locks.
    if new := ids - work.on_record(session, ids):
        first = {n: each for n, each in remaining.items() if each.subscriber_id in new}
        lost = _make(session, first, work.new_drafts(session, new, known, now), now, results)
        kept = new - lost
        remaining = {n: each for n, each in remaining.items() if each.subscriber_id not in kept}
        ids = {each.subscriber_id for each in remaining.values()}
    if ids:
        _make(session, remaining, work.load(session, ids, known), now, results)
    return [results[number] for number in range(len(changes))]


def share_commits(
    database: Database,
    clock: Callable[[], datetime],
    observe: Callable[[int, float], object] | None = None,
) -> GroupCommit[Change[_Result], _Result]:
    """Return a GroupCommit that makes changes submitted at the same time in one transaction.

    `observe` is called with the size of each transaction and how many seconds it took.
    """

    def run(session: Session, changes: Sequence[Change[_Result]]) -> list[_Result]:
        return apply(session, changes, clock())

    return GroupCommit(database, run, observe)


def _make(
    session: Session,
    changes: Mapping[int, Change[_Result]],
    drafts: Mapping[UUID, Draft],
    now: datetime,
    results: dict[int, _Result],
) -> set[UUID]:
    """Make changes to drafts, write these, and add the result of each change to `results`.

    Return the new subscribers whom another transaction has recorded since. Nothing of their changes
    is written.
    """
    made: _Made = [(each, drafts[each.subscriber_id]) for each in changes.values()]
    _load_more(session, made, now)
    for number, change in changes.items():
        results[number] = change.make(drafts[change.subscriber_id])
    lost = work.write(session, drafts.values(), now)
    kept = [(change, draft) for change, draft in made if change.subscriber_id not in lost]
    for kind, each in _by_kind(kept).items():
        kind.store(session, each, now)
    work.delete_erased(session, (draft for _, draft in kept))
    return lost


def apply_one(session: Session, change: Change[_Result], now: datetime) -> _Result:
    """Make one change, as `apply` does."""
    return apply(session, [change], now)[0]


def _load_topics(
    session: Session, changes: Iterable[Change[Any]], now: datetime
) -> dict[str, Topic]:
    """Return the topics that the changes need, by slug. Create those that do not exist."""
    named = topics.ensure(session, {slug for change in changes for slug in change.topics}, now)
    if any(change.needs_all_topics for change in changes):
        return {topic.slug: topic for topic in topics.list_topics(session)}
    return named


def _load_more(session: Session, made: _Made, now: datetime) -> None:
    """Load the ledger rows and the other facts that the decisions need."""
    firsts = dict[UUID, int]()
    for change, draft in made:
        first = change.first_row(draft.subscriber)
        if first is not None:
            firsts[change.subscriber_id] = min(first, firsts.get(change.subscriber_id, first))
    entries = ledger.load_all(session, firsts)
    for _, draft in made:
        draft.entries = entries.get(draft.subscriber.subscriber_id, [])
    for kind, each in _by_kind(made).items():
        kind.load(session, each, now)


def _by_kind(made: _Made) -> dict[type[Change[Any]], _Made]:
    kinds: dict[type[Change[Any]], _Made] = {}
    for change, draft in made:
        kinds.setdefault(type(change), []).append((change, draft))
    return kinds
