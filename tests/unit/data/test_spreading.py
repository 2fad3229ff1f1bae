"""Batches that several processes work on: their order, errors, and the end of a process."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from preference_center.core.errors import UnknownTopicError
from preference_center.data import spreading
from preference_center.data.spreading import spread
from preference_center.store import Database, KeyCheckError, SchemaError, UnavailableError
from preference_center.store.engine import SilentError

PROCESSES = 3
SECONDS = 0.05  # of work on a batch, so that batches overlap

Batch = tuple[int, UUID]
Worked = tuple[int, float, float]  # the process, and when the work began and ended


@pytest.fixture
def unused(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'unused.db'}")
    yield database
    database.close()


def ids(batch: Batch) -> set[UUID]:
    return {batch[1]}


def slowly(_batch: Batch) -> Worked:
    began = time.monotonic()
    time.sleep(SECONDS)
    return os.getpid(), began, time.monotonic()


def run(
    database: Database, work: Callable[[Batch], Worked], batches: list[Batch]
) -> list[tuple[Batch, Worked]]:
    return list(spread(database, work, batches, ids, PROCESSES))


def test_results_come_in_the_order_of_the_batches(unused: Database) -> None:
    batches = [(number, uuid4()) for number in range(20)]
    assert [batch for batch, _ in run(unused, slowly, batches)] == batches


def test_the_first_batch_is_this_process_s_and_the_others_are_shared(unused: Database) -> None:
    found = run(unused, slowly, [(number, uuid4()) for number in range(20)])
    processes = [process for _, (process, _, _) in found]
    assert processes[0] == os.getpid()
    assert len(set(processes[1:])) == PROCESSES
    assert os.getpid() not in processes[1:]


def test_a_first_result_does_not_wait_for_a_second_batch(unused: Database) -> None:
    def batches() -> Iterator[Batch]:
        yield 0, uuid4()
        raise AssertionError

    first = next(iter(spread(unused, slowly, batches(), ids, PROCESSES)))
    assert first[0][0] == 0


def test_batches_about_the_same_subscriber_are_never_worked_on_at_once(unused: Database) -> None:
    one, other = uuid4(), uuid4()
    found = run(unused, slowly, [(number, one if number % 3 else other) for number in range(20)])
    for each in (one, other):
        times = [(began, ended) for (_, own), (_, began, ended) in found if own == each]
        assert all(ended <= began for (_, ended), (began, _) in pairwise(times))
    both = [(own, began, ended) for (_, own), (_, began, ended) in found]
    assert any(began < ended_before for (_, _, ended_before), (_, began, _) in pairwise(both))


def failing_at_five(batch: Batch) -> Worked:
    if batch[0] == 5:
        raise UnknownTopicError("there is no topic 'news'")
    return slowly(batch)


def test_an_error_is_raised_after_the_results_before_it(unused: Database) -> None:
    batches = ((each, uuid4()) for each in range(9))
    results = spread(unused, failing_at_five, batches, ids, PROCESSES)
    assert [batch[0] for batch, _ in islice(results, 5)] == [0, 1, 2, 3, 4]
    with pytest.raises(UnknownTopicError, match="there is no topic 'news'"):
        next(results)


def killed_at_five(batch: Batch) -> Worked:
    if batch[0] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return slowly(batch)


def test_a_killed_process_is_an_error(unused: Database) -> None:
    with pytest.raises(UnavailableError, match="killed"):
        run(unused, killed_at_five, [(each, uuid4()) for each in range(9)])


def test_no_process_is_left_when_the_caller_stops(unused: Database) -> None:
    results = spread(unused, slowly, ((each, uuid4()) for each in range(99)), ids, PROCESSES)
    processes = {next(results)[1][0] for _ in range(10)} - {os.getpid()}
    results.close()  # type: ignore[attr-defined]
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_sqlite_has_one_process(unused: Database) -> None:
    assert spreading.process_count(unused) == 1


@pytest.mark.parametrize(
    "error", [KeyCheckError("keys"), SchemaError("tables"), SilentError("silent")], ids=repr
)
def test_an_error_of_the_database_is_raised_as_it_is(unused: Database, error: Exception) -> None:
    def fail(batch: Batch) -> Worked:
        if batch[0]:
            raise error
        return slowly(batch)

    with pytest.raises(type(error), match=str(error)):
        run(unused, fail, [(each, uuid4()) for each in range(2)])
