"""Writes with an `Idempotency-Key`: each is made once, whatever fails in between."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session

from preference_center.core import api_keys, idempotency
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.errors import KeyInUseError, KeyReusedError
from preference_center.core.idempotency import KeyedRequest, Lease, StoredAnswer
from preference_center.store import Database, UnavailableError
from preference_center.store.tables import IdempotentRequest
from tests.support import make

ENGINES = ("sqlite", "postgresql", "distributed")
ANSWER = StoredAnswer(200, '{"changed":true}')
LEASE, SECOND = idempotency.LEASE, timedelta(seconds=1)


@pytest.fixture
def request_(database: Database) -> KeyedRequest:
    with database.transaction() as session:
        scopes = [ApiScope.SUBSCRIBERS_WRITE]
        key = api_keys.create(session, "shop", ApiKeyKind.LIVE, scopes, make.NOW)[0]
    return KeyedRequest(key.id, "POST /subscribers", "order-17", bytes(32))


def begin(
    database: Database, request: KeyedRequest, after: timedelta = timedelta(0)
) -> Lease | StoredAnswer:
    with database.transaction() as session:
        return idempotency.begin(session, request, make.NOW + after)


def take(database: Database, request: KeyedRequest, after: timedelta = timedelta(0)) -> Lease:
    lease = begin(database, request, after)
    assert isinstance(lease, Lease)
    return lease


def finish(database: Database, lease: Lease, about: UUID | None = None) -> None:
    with database.transaction() as session:
        idempotency.finish(session, lease, ANSWER, about)


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_the_same_request_gets_the_same_answer(database: Database, request_: KeyedRequest) -> None:
    finish(database, take(database, request_))
    assert begin(database, request_) == ANSWER


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_request_that_is_being_made_is_refused_for_a_minute(
    database: Database, request_: KeyedRequest
) -> None:
    take(database, request_)
    for after in (timedelta(0), LEASE - SECOND):
        with pytest.raises(KeyInUseError):
            begin(database, request_, after)
    take(database, request_, LEASE)


def test_another_request_with_the_key_is_refused(
    database: Database, request_: KeyedRequest
) -> None:
    other = replace(request_, digest=b"\1" * 32)
    lease = take(database, request_)
    with pytest.raises(KeyReusedError):
        begin(database, other)
    finish(database, lease)
    with pytest.raises(KeyReusedError):
        begin(database, other, 2 * LEASE)


def test_a_key_belongs_to_its_api_key_and_route(database: Database, request_: KeyedRequest) -> None:
    with database.transaction() as session:
        key = api_keys.create(session, "crm", ApiKeyKind.LIVE, [ApiScope.LINKS], make.NOW)[0]
    finish(database, take(database, request_))
    take(database, replace(request_, route="POST /suppressions"))
    take(database, replace(request_, api_key=key.id))


def test_a_request_whose_lease_was_taken_over_changes_nothing(
    database: Database, request_: KeyedRequest
) -> None:
    slow = take(database, request_)
    fast = take(database, request_, LEASE)
    with pytest.raises(KeyInUseError):
        finish(database, slow)
    finish(database, fast)
    with pytest.raises(KeyInUseError):
        finish(database, slow)
    with database.transaction() as session:
        idempotency.abandon(session, slow)
    assert begin(database, request_) == ANSWER


def test_an_abandoned_request_can_be_made_at_once(
    database: Database, request_: KeyedRequest
) -> None:
    lease = take(database, request_)
    with database.transaction() as session:
        idempotency.abandon(session, lease)
    take(database, replace(request_, digest=b"\1" * 32))


def test_an_answer_that_was_committed_is_not_abandoned(
    database: Database, request_: KeyedRequest
) -> None:
    """A COMMIT whose result was lost looks like a failure to the process that sent it."""
    lease = take(database, request_)
    finish(database, lease)
    with database.transaction() as session:
        idempotency.abandon(session, lease)
    assert begin(database, request_) == ANSWER


def test_a_key_is_free_again_after_a_day(database: Database, request_: KeyedRequest) -> None:
    finish(database, take(database, request_))
    other = replace(request_, digest=b"\1" * 32)
    with pytest.raises(KeyReusedError):
        begin(database, other, idempotency.KEPT_FOR - SECOND)
    take(database, other, idempotency.KEPT_FOR)


def test_the_answers_about_a_subscriber_can_be_forgotten(
    database: Database, request_: KeyedRequest
) -> None:
    other = replace(request_, key="order-18")
    finish(database, take(database, request_), make.id_of())
    finish(database, take(database, other), uuid4())
    with database.transaction() as session:
        idempotency.forget(session, [make.id_of()])
        assert [each.key for each in session.query(IdempotentRequest)] == ["order-18"]


# Each worker adds a topic per number: making a request twice would show as two topics.
NUMBERS, WORKERS = 16, 3


def _make_once(session: Session, lease: Lease, number: int) -> None:
    make.topic(session, f"made-{number}-{uuid4().hex[:8]}")
    idempotency.finish(session, lease, ANSWER, None)


def _make_all(url: str, request: KeyedRequest, worker: int) -> list[str]:
    """Make every request, abandoning some of them, and return what happened to each."""
    database = make.database(url)
    happened = [_attempt(database, request, number, worker) for number in range(NUMBERS)]
    database.close()
    return happened


def _attempt(database: Database, request: KeyedRequest, number: int, worker: int) -> str:
    try:
        lease = begin(database, replace(request, key=str(number)))
    except (KeyInUseError, UnavailableError):
        return "refused"  # SQLite may be busy with the other processes.
    if isinstance(lease, StoredAnswer):
        return "replayed"
    with database.transaction() as session:
        if number % WORKERS == worker:
            idempotency.abandon(session, lease)
            return "abandoned"
        _make_once(session, lease, number)
    return "made"


def _in_threads(url: str, request: KeyedRequest) -> list[list[str]]:
    with ThreadPoolExecutor(WORKERS) as threads:
        return list(threads.map(lambda worker: _make_all(url, request, worker), range(WORKERS)))


def _in_processes(url: str, request: KeyedRequest) -> list[list[str]]:
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        return pool.starmap(_make_all, [(url, request, worker) for worker in range(WORKERS)])


@pytest.mark.integration
@pytest.mark.parametrize("run", [_in_threads, _in_processes])
@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_concurrent_requests_are_made_once(
    database: Database,
    database_url: str,
    request_: KeyedRequest,
    run: Callable[[str, KeyedRequest], list[list[str]]],
) -> None:
    happened = run(database_url, request_)
    with database.reading() as session:
        made = sorted(row.key for row in session.query(IdempotentRequest) if row.status)
    for number in range(NUMBERS):
        outcomes = [each[number] for each in happened]
        assert outcomes.count("made") == (1 if str(number) in made else 0)
    assert sum(each.count("made") for each in happened) == len(made)
    assert len(made) >= NUMBERS // 2
