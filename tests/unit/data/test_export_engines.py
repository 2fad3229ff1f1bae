"""Both engines export the same bytes: every kind in every format, and the files of every system."""

import io
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from preference_center.core import reasons
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import ReasonCode
from preference_center.data import exports, suppression_files
from preference_center.data.export_formats import FORMATS
from preference_center.data.suppression_files import SYSTEMS
from preference_center.store import Database
from preference_center.store.tables import Base, Claim, FailedMailing, KeyCheck, OutboxRow
from tests.support import make
from tests.unit.data.test_exports import _add_people

DAY = timedelta(days=1)
CAMPAIGNS = ("2026-47", "a.b", "A_b", "a-b", "Z", "-", "_")


def _add_emails(session: Session) -> None:
    """Add claims, failed emails and a reason. Change notices are in the outbox already."""
    for number in range(5):
        email = f"reader{number}@example.org"
        make.subscriber(session, email, "weekly-news", "offers")
        key: dict[str, Any] = {"subscriber_id": make.id_of(email), "topic": "offers"}
        for days, campaign in enumerate(CAMPAIGNS):
            released = {"released_at": make.NOW if days % 2 else None}
            row = {"campaign": campaign, "claimed_at": make.NOW - days * DAY, **released}
            session.execute(insert(Claim).values(**key, **row, received=1))
        for severity in (BounceSeverity.SOFT, BounceSeverity.PERMANENT, BounceSeverity.PROBABLE):
            failed: dict[str, Any] = {"day": make.NOW.date(), "severity": severity, "code": "4.2.2"}
            session.execute(insert(FailedMailing).values(**key, **failed))
    left = make.unsubscribe(session, "reader0@example.org", notice_delay=DAY)
    reasons.record(
        session, make.id_of("reader0@example.org"), left.last_seq, ReasonCode.OTHER, "é", make.NOW
    )


def _copy(source: Database, target: Database) -> None:
    tables = [each for each in Base.metadata.sorted_tables if each.name != KeyCheck.__tablename__]
    with source.reading() as session, target.transaction() as other:
        for table in tables:
            if rows := [dict(row) for row in session.execute(select(table)).mappings()]:
                other.execute(insert(table), rows)


def _files(database: Database, folder: Path) -> dict[str, bytes]:
    """Return every export of a database, by its name."""
    found = {}
    with database.reading() as session:
        for what, kind in exports.KINDS.items():
            for file_format in FORMATS:
                file = io.BytesIO()
                exports.Export(kind, exports.Filter(), file_format).write(session, file)
                found[f"{what}.{file_format}"] = file.getvalue()
            rows = found[f"{what}.jsonl"].count(b"\n")
            assert [kind.count(session, exports.Filter(), most) for most in (rows, 1)] == [rows, 1]
        for name, system in SYSTEMS.items():
            path = folder / name
            path.mkdir(parents=True)
            suppression_files.write(session, system, exports.Filter(), path, make.NOW)
            found |= {f"{name}/{each.name}": each.read_bytes() for each in path.iterdir()}
    return found


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_both_engines_export_the_same_bytes(
    database: Database, sqlite_template: Path, tmp_path: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "test.db")
    embedded = make.database(f"sqlite:///{tmp_path}/test.db")
    with embedded.transaction() as session:
        _add_people(session)
        _add_emails(session)
        assert session.scalars(select(OutboxRow)).all()
    _copy(embedded, database)
    expected, found = (
        _files(each, tmp_path / name) for each, name in ((embedded, "a"), (database, "b"))
    )
    embedded.close()
    assert expected.keys() == found.keys()
    assert [name for name, content in found.items() if content != expected[name]] == []
    assert all(expected[f"{what}.csv"].count(b"\r\n") > 1 for what in exports.KINDS)
