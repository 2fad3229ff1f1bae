"""Processes that spool and replay are killed at random moments: what was acknowledged is there."""

import multiprocessing
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from preference_center.inbound import spool_folder
from preference_center.store import Database
from preference_center.store.tables import LedgerRow, PageView
from tests.support import spooling

WRITERS = 8
MAX_REPLAYS = 300
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.support.spooling"])


def killed_after(seconds: float, program: Callable[..., None], *arguments: Any) -> bytes:
    """Run a program, kill it some time after it has sent something, and return what it sent."""
    reader, writer = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=program, args=(*arguments, writer))
    process.start()
    writer.close()
    sent = os.read(reader.fileno(), 1)
    time.sleep(seconds)
    process.kill()
    while data := os.read(reader.fileno(), 65536):
        sent += data
    process.join()
    return sent


def test_an_acknowledged_unsubscribe_is_applied_once_whatever_is_killed(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    folder, chance = tmp_path / "spool", random.Random()
    folder.mkdir()
    acknowledged: list[UUID] = []
    for _ in range(WRITERS):
        sent = killed_after(chance.uniform(0, 0.05), spooling.write, folder)
        acknowledged += (UUID(bytes=sent[at : at + 16]) for at in range(0, len(sent), 16))
    assert len(spool_folder.list_files(folder)) == WRITERS
    replays = 0
    while spool_folder.process_ids(folder):
        killed_after(chance.uniform(0, 0.4), spooling.replay, folder, database_url)
        replays += 1
        assert replays < MAX_REPLAYS
    with database.reading() as session:
        recorded = list(session.scalars(select(LedgerRow.subscriber_id)))
        applied = session.scalar(select(func.sum(PageView.count)))
    assert len(acknowledged) > WRITERS
    assert set(acknowledged) <= set(recorded)
    assert len(recorded) == len(set(recorded)) == applied
    # At most one write of each thread was stored and not acknowledged any more.
    assert len(recorded) <= len(acknowledged) + spooling.WRITING_THREADS * WRITERS
