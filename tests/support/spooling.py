"""Functions that spool or replay until their process is killed."""

import os
import threading
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from preference_center.core import page_views
from preference_center.core.apply import apply
from preference_center.core.change import Target
from preference_center.core.vocab import Source
from preference_center.inbound import spool, spool_folder, spool_replay
from preference_center.inbound.spool_rows import SpooledUnsubscribe
from preference_center.util.clock import utc_now
from tests.support import make

WRITING_THREADS = 4


def write(folder: Path, acknowledged: Connection) -> None:
    """Spool unsubscribes, and then send the 16 bytes of their ids."""
    own = spool_folder.create(folder, uuid4())

    def run() -> None:
        while True:
            entry = SpooledUnsubscribe(
                subscriber_id=uuid4(),
                target=Target.of("weekly-news"),
                source=Source.ONE_CLICK,
                acknowledged_at=utc_now(),
            )
            own.spool.write([entry])
            os.write(acknowledged.fileno(), entry.subscriber_id.bytes)

    threads = [threading.Thread(target=run) for _ in range(WRITING_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def replay(folder: Path, url: str, started: Connection) -> None:
    """Adopt all spools. Each unsubscribe is counted in `page_views`, in the same transaction."""

    def counted(session: Session, changes: Sequence[Any], now: Any) -> Any:
        key = page_views.key(make.NOW, "weekly-news", "")
        page_views.add(session, {key: len(changes)})
        return apply(session, changes, now)

    spool.BATCH_SIZE = 7
    vars(spool_replay)["apply"] = counted
    database = make.database(url)
    os.write(started.fileno(), b".")
    spool_replay.adopt(database, folder, partial(spool_replay.apply_batch, database, utc_now))
