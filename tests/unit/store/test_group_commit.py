"""Threads share transactions: each caller gets its own result, and only once it is committed."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from preference_center.store import Database, SilentError, UnavailableError
from preference_center.store.group_commit import CommitTimeoutError, GroupCommit
from preference_center.store.tables import Topic
from tests.support import make
from tests.support.processes import wait_for

FIRST = "first"
SLUGS = [f"topic-{number}" for number in range(20)]
Check = Callable[[Sequence[str]], None]


class Commits:
    """Adds topics. The transaction of `FIRST` waits for `release`, so that other calls collect.

    `check` is called with the items of each later transaction, and may raise an error.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.transactions: list[list[str]] = []
        self.check: Check = lambda _: None
        self.release = Event()
        self.shared = GroupCommit(database, self._run)
        self._threads = ThreadPoolExecutor(len(SLUGS) + 1)

    def submit(self, slug: str, timeout: float | None = None) -> "Future[str]":
        """Submit one item in a thread of its own."""
        return self._threads.submit(self.shared.submit, slug, timeout)

    def submit_together(self, slugs: Sequence[str]) -> list["Future[str]"]:
        """Submit items that share one transaction, while that of `FIRST` runs."""
        self.occupy()
        submitted = [self.submit(slug) for slug in slugs]
        wait_for(lambda: self.shared._waiting.qsize() == len(slugs), "calls that wait")
        self.release.set()
        return submitted

    def occupy(self) -> None:
        """Begin the transaction of `FIRST`, which does not end before `release`."""
        self.submit(FIRST)
        wait_for(lambda: self.transactions, "a transaction that runs")

    def saved(self) -> set[str]:
        with self.database.reading() as session:
            return set(session.scalars(select(Topic.slug))) - {FIRST}

    def close(self) -> None:
        self.release.set()
        self._threads.shutdown()

    def _run(self, session: Session, slugs: Sequence[str]) -> list[str]:
        self.transactions.append(list(slugs))
        if slugs == [FIRST]:
            self.release.wait()
        for slug in slugs:
            make.topic(session, slug)
        session.flush()
        if slugs != [FIRST]:
            self.check(slugs)
        return [f"{slug} is added" for slug in slugs]


@pytest.fixture
def commits(database: Database) -> Iterator[Commits]:
    commits = Commits(database)
    yield commits
    commits.close()


def refusing(slug: str, error: Exception) -> Check:
    """Return a check that raises an error in each transaction with this item."""

    def check(slugs: Sequence[str]) -> None:
        if slug in slugs:
            raise error

    return check


def test_a_single_call_is_committed_when_it_returns(commits: Commits) -> None:
    assert commits.shared.submit("alone") == "alone is added"
    assert commits.saved() == {"alone"}


def test_calls_that_wait_share_a_transaction_and_get_their_own_results(commits: Commits) -> None:
    submitted = commits.submit_together(SLUGS)
    assert [each.result() for each in submitted] == [f"{slug} is added" for slug in SLUGS]
    assert len(commits.transactions) == 2
    assert sorted(commits.transactions[1]) == sorted(SLUGS)
    assert commits.saved() == set(SLUGS)


def test_a_failing_item_fails_alone(commits: Commits) -> None:
    commits.check = refusing("topic-3", ValueError("not this one"))
    submitted = dict(zip(SLUGS, commits.submit_together(SLUGS), strict=True))
    with pytest.raises(ValueError, match="not this one"):
        submitted.pop("topic-3").result()
    assert all(each.result() == f"{slug} is added" for slug, each in submitted.items())
    assert commits.saved() == set(SLUGS) - {"topic-3"}
    assert len(commits.transactions) == 2 + len(SLUGS)


def test_a_silent_database_is_not_asked_again_for_each_item(commits: Commits) -> None:
    commits.check = refusing("topic-3", SilentError("no answer"))
    for each in commits.submit_together(SLUGS):
        with pytest.raises(SilentError):
            each.result()
    assert len(commits.transactions) == 2
    assert commits.saved() == set()


def test_nothing_is_acknowledged_if_the_commit_fails(
    commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk full"))

    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", fail)
        with pytest.raises(UnavailableError):
            commits.shared.submit("alone")
    assert commits.saved() == set()
    assert commits.shared.submit("alone") == "alone is added"


def test_a_call_that_has_timed_out_before_its_turn_is_never_run(commits: Commits) -> None:
    commits.occupy()
    with pytest.raises(CommitTimeoutError):
        commits.shared.submit("late", 0.05)
    commits.release.set()
    commits.shared.submit("alone")
    assert commits.saved() == {"alone"}
    assert ["late"] not in commits.transactions


def test_a_call_that_has_timed_out_is_not_retried_after_a_shared_failure(commits: Commits) -> None:
    failed, go_on = Event(), Event()

    def check(slugs: Sequence[str]) -> None:
        if len(slugs) > 1:
            failed.set()
            go_on.wait()
            raise ValueError

    commits.check = check
    commits.occupy()
    late, other = commits.submit("late", 1), commits.submit("other")
    wait_for(lambda: commits.shared._waiting.qsize() == 2, "calls that wait")
    commits.release.set()
    assert failed.wait(10)
    with pytest.raises(CommitTimeoutError):
        late.result()
    go_on.set()
    assert other.result() == "other is added"
    assert commits.saved() == {"other"}


def test_calls_fail_at_once_while_a_transaction_is_slow(commits: Commits) -> None:
    commits.occupy()
    with pytest.raises(CommitTimeoutError):
        commits.shared.submit("waiting", 0.05)
    queued = commits.shared._waiting.qsize()
    with pytest.raises(CommitTimeoutError):
        commits.shared.submit("refused", 0.01)
    assert commits.shared._waiting.qsize() == queued
    commits.release.set()
    assert commits.shared.submit("alone", 5) == "alone is added"


def test_a_call_that_times_out_in_its_turn_may_be_committed_later(commits: Commits) -> None:
    running = commits.submit(FIRST, 0.5)
    wait_for(lambda: commits.transactions, "a transaction that runs")
    with pytest.raises(CommitTimeoutError):
        running.result()
    commits.release.set()
    commits.shared.submit("alone")
    with commits.database.reading() as session:
        assert FIRST in set(session.scalars(select(Topic.slug)))


def test_calls_of_an_event_loop_share_a_transaction_and_get_their_own_results(
    commits: Commits,
) -> None:
    async def submit_together() -> list[str]:
        commits.occupy()
        submitted = [asyncio.create_task(commits.shared.submit_async(slug)) for slug in SLUGS]
        await asyncio.sleep(0)  # until each has put its call
        commits.release.set()
        return await asyncio.gather(*submitted)

    assert asyncio.run(submit_together()) == [f"{slug} is added" for slug in SLUGS]
    assert commits.transactions[1:] == [SLUGS]
    assert commits.saved() == set(SLUGS)


def test_a_call_of_an_event_loop_that_has_timed_out_is_never_run(commits: Commits) -> None:
    commits.occupy()
    with pytest.raises(CommitTimeoutError):
        asyncio.run(commits.shared.submit_async("late", 0.05))
    with pytest.raises(CommitTimeoutError):
        asyncio.run(commits.shared.submit_async("refused", 0.01))
    commits.release.set()
    commits.shared.submit("alone")
    assert commits.saved() == {"alone"}
