"""The file of a spool: what it stores, in which order it is replayed, and when it refuses."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from preference_center.core.change import ADDRESS
from preference_center.core.vocab import Source
from preference_center.inbound import spool as module
from preference_center.inbound.spool import Spool
from preference_center.inbound.spool_file import (
    DamagedSpoolError,
    SpoolError,
    SpoolFullError,
    create_file,
)
from preference_center.inbound.spool_rows import SpooledUnsubscribe
from preference_center.store import UnavailableError
from tests.support import make
from tests.support.processes import wait_for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "one.spool"
    create_file(path)
    return path


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    spool = Spool(path)
    yield spool
    spool.close()


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", 4)


def entries(count: int, **changes: Any) -> list[SpooledUnsubscribe]:
    return [make.spooled(f"{number}@example.org", **changes) for number in range(count)]


def replayed(spool: Spool) -> list[SpooledUnsubscribe]:
    found: list[SpooledUnsubscribe] = []
    assert spool.replay(found.extend) == len(found)
    return found


def limit_pages(spool: Spool, count: int) -> None:
    """Let the file grow no further, as a full disk would."""
    spool._connection.execute(f"PRAGMA max_page_count={count}")


@pytest.mark.parametrize(
    "entry",
    [
        make.spooled(campaign="2026-47", notice_delay=timedelta(minutes=2)),
        make.spooled(slug=None, notice_delay=timedelta(0)),
        make.spooled(source=Source.PAGE),
        SpooledUnsubscribe(
            subscriber_id=make.id_of(),
            target=ADDRESS,
            source=Source.ONE_CLICK,
            acknowledged_at=make.NOW + timedelta(microseconds=7),
        ),
    ],
)
def test_what_is_read_is_what_was_written(path: Path, entry: SpooledUnsubscribe) -> None:
    spool = Spool(path)
    spool.write([entry])
    spool.close()
    again = Spool(path)
    assert replayed(again) == [entry]
    again.close()


def test_a_row_contains_no_address(path: Path, spool: Spool) -> None:
    spool.write([make.spooled("canary@example.org")])
    files = path.parent.glob(f"{path.name}*")
    assert not any(b"canary" in file.read_bytes() for file in files)


def test_rows_are_replayed_once_and_in_order(spool: Spool) -> None:
    written = entries(11)
    for entry in written:
        spool.write([entry])
    assert replayed(spool) == written
    assert replayed(spool) == []


def test_rows_written_during_a_replay_are_replayed_too(spool: Spool) -> None:
    first, second = entries(1), entries(5)
    spool.write(first)
    seen: list[SpooledUnsubscribe] = []

    def apply(batch: Sequence[SpooledUnsubscribe]) -> None:
        if not seen:
            spool.write(second)
        seen.extend(batch)

    assert spool.replay(apply) == 6
    assert seen == first + second


def test_rows_stay_while_the_database_is_unavailable(spool: Spool) -> None:
    written = entries(6)
    spool.write(written)
    seen: list[SpooledUnsubscribe] = []

    def apply(batch: Sequence[SpooledUnsubscribe]) -> None:
        if seen:
            raise UnavailableError("down")
        seen.extend(batch)

    with pytest.raises(UnavailableError, match="down"):
        spool.replay(apply)
    assert spool.state().rows == 2
    assert seen + replayed(spool) == written


def test_a_row_that_fails_stays_and_blocks_no_other(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    written = entries(10, campaign="canary")
    spool.write(written)
    seen: list[SpooledUnsubscribe] = []

    def apply(batch: Sequence[SpooledUnsubscribe]) -> None:
        if written[5] in batch:
            raise ValueError(batch)
        seen.extend(batch)

    with pytest.raises(SpoolError, match="could not be applied, and stay: 1"):
        spool.replay(apply)
    assert seen == written[:5] + written[6:]
    assert "canary" not in caplog.text
    assert replayed(spool) == [written[5]]


def test_a_row_of_a_later_version_stays(path: Path, spool: Spool) -> None:
    spool.write(entries(2))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE unsubscribes SET scope = 'planet' WHERE position = 1")
    connection.close()
    with pytest.raises(SpoolError, match="stay: 1"):
        spool.replay(lambda _: None)
    assert spool.state().rows == 1


def test_the_state_counts_rows_and_names_the_oldest(spool: Spool) -> None:
    assert (spool.state().rows, spool.state().oldest_at) == (0, None)
    spool.write([make.spooled(acknowledged_at=make.NOW)])
    spool.write([make.spooled(acknowledged_at=make.NOW + timedelta(hours=1))])
    assert (spool.state().rows, spool.state().oldest_at) == (2, make.NOW)
    replayed(spool)
    assert (spool.state().rows, spool.state().oldest_at) == (0, None)


def test_a_full_spool_refuses_all_of_a_write_and_takes_more_once_there_is_room(
    path: Path,
) -> None:
    spool = Spool(path, max_rows=3)
    spool.write(entries(2))
    assert spool.state().accepts
    with pytest.raises(SpoolFullError, match=r"full \(2 rows\)"):
        spool.write(entries(2))
    spool.write(entries(1))
    assert not spool.state().accepts
    assert len(replayed(spool)) == 3
    assert spool.state().accepts
    spool.write(entries(1))
    spool.close()


def test_a_full_disk_is_an_error_that_stores_nothing(spool: Spool) -> None:
    spool.write(entries(1))
    limit_pages(spool, 2)
    with pytest.raises(SpoolError, match="database or disk is full"):
        spool.write(entries(200))
    assert not spool.state().accepts
    limit_pages(spool, 1000)
    spool.write(entries(1))
    assert spool.state().accepts
    assert len(replayed(spool)) == 2


def test_a_spool_accepts_again_once_its_disk_can_be_written_to(spool: Spool) -> None:
    limit_pages(spool, 2)
    with pytest.raises(SpoolError):
        spool.write(entries(200))
    spool._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(SpoolError):
        spool.check_disk()
    assert not spool.state().accepts
    spool._connection.execute("PRAGMA query_only = 0")
    spool.check_disk()
    assert spool.state().accepts


def test_a_closed_spool_refuses(spool: Spool) -> None:
    assert spool.close_if_empty()
    with pytest.raises(SpoolError):
        spool.write(entries(1))


def test_a_spool_with_rows_is_not_closed(spool: Spool) -> None:
    spool.write(entries(1))
    assert not spool.close_if_empty()
    assert len(replayed(spool)) == 1


def write_at_once(spool: Spool, written: Sequence[SpooledUnsubscribe]) -> list[type | None]:
    """Write entries in threads, after the first one in one commit; return the types of errors."""

    def write(entry: SpooledUnsubscribe) -> None:
        try:
            spool.write([entry])
            errors.append(None)
        except BaseException as error:  # noqa: BLE001 (the thread must report it)
            errors.append(type(error))

    errors: list[type | None] = []
    threads = [threading.Thread(target=write, args=(entry,)) for entry in written]
    with spool._lock:
        threads[0].start()
        wait_for(lambda: spool._writing, "a thread that writes")
        for thread in threads[1:]:
            thread.start()
        wait_for(lambda: len(spool._queue) == len(threads) - 1, "the others to wait")
    for thread in threads:
        thread.join()
    return errors


def test_threads_that_wait_share_a_commit(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    transact = spool._transact

    def counted(statement: str, rows: Sequence[Any]) -> None:
        commits.append(len(rows))
        transact(statement, rows)

    monkeypatch.setattr(spool, "_transact", counted)
    written = entries(8)
    assert write_at_once(spool, written) == [None] * 8
    assert commits == [1, 7]
    assert {entry.id for entry in replayed(spool)} == {entry.id for entry in written}


def test_an_interrupted_write_is_an_error_for_every_thread_that_shares_it(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(spool, "_transact", interrupt)
    errors = write_at_once(spool, entries(4))
    assert errors.count(KeyboardInterrupt) == errors.count(SpoolError) == 2
    monkeypatch.undo()
    spool.write(entries(1))
    assert spool.state().rows == 1


def test_every_commit_is_synced(spool: Spool) -> None:
    assert spool._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert spool._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_concurrent_writes_are_all_stored(spool: Spool) -> None:
    written = entries(400)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda entry: spool.write([entry]), written))
    assert {entry.id for entry in replayed(spool)} == {entry.id for entry in written}


def test_only_writes_that_succeed_are_stored_when_the_spool_fills_up(path: Path) -> None:
    spool, acknowledged = Spool(path, max_rows=100), []

    def write(entry: SpooledUnsubscribe) -> None:
        with suppress(SpoolFullError):
            spool.write([entry])
            acknowledged.append(entry.id)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(write, entries(300)))
    assert sorted(acknowledged) == sorted(entry.id for entry in replayed(spool))
    spool.close()


def cut_in_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def overwrite_a_page(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(4096) + content[8192:])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"garbage" * 1000),
        cut_in_half,
        overwrite_a_page,
    ],
    ids=["empty", "garbage", "truncated", "zeros"],
)
def test_a_damaged_file_is_recognized(path: Path, damage: Callable[[Path], None]) -> None:
    spool = Spool(path)
    spool.write(entries(500))
    spool.close()
    damage(path)
    with pytest.raises(DamagedSpoolError):
        Spool(path)


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="No such file"):
        Spool(tmp_path / "missing.spool")
    assert list(tmp_path.iterdir()) == []
