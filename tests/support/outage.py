"""A database that cannot be used, inside this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from preference_center.store import Database, SilentError, UnavailableError

MAX_HANG = 20.0  # seconds, so that a test that waits for the database fails


@contextmanager
def down(database: Database, error: Exception | None = None) -> Iterator[None]:
    """Make each use of the database raise an error until the block ends."""

    @contextmanager
    def fail() -> Iterator[None]:
        raise error or UnavailableError("the database is down")
        yield

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "asked", fail)
        yield


@contextmanager
def hanging(database: Database) -> Iterator[None]:
    """Make each use of the database wait until the block ends, and then succeed."""
    ended, asked = threading.Event(), database.asked

    @contextmanager
    def wait() -> Iterator[None]:
        if not ended.wait(MAX_HANG):
            raise SilentError("the database hangs")
        with asked():
            yield

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "asked", wait)
        try:
            yield
        finally:
            ended.set()
