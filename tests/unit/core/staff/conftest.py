"""Fixtures of these tests."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from preference_center.store import Database


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """Yield a session that writes to each engine in turn."""
    with database.transaction() as session:
        yield session
