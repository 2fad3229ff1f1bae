"""The copy of what is held on one person is complete, table by table."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, Table, select

from preference_center.core import (
    audience,
    data_complaints,
    erasure,
    linked,
    outbox,
    personal_data,
    reasons,
    topics,
    webhooks,
)
from preference_center.core.bounces import Bounce
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.linked import Correction
from preference_center.core.personal_data import LEFT_OUT, SECTIONS, SUBSCRIBER_COLUMNS
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.vocab import Frequency, OutboxKind, ReasonCode, Source
from preference_center.data import access_copy
from preference_center.store import Database
from preference_center.store.tables import Base, SubscriberRow, Wording
from tests.support import make, signing_up

ADA, NEW = "ada@example.org", "ada.new@example.org"
FAY = UUID("5d9a8b7c-0000-4000-8000-00000000fa15")  # A member of staff.
LATER = make.NOW + timedelta(hours=1)
IN_THE_COPY = {table.__tablename__: each for each in SECTIONS.values() for table in each.tables}


def tables() -> Iterator[Table]:
    """Yield the tables that name a subscriber."""
    for table in Base.metadata.sorted_tables:
        if set(SUBSCRIBER_COLUMNS) & set(table.columns.keys()):
            yield table


def fill(database: Database) -> None:
    """Add rows about ada to every table of the copy, and some about others."""
    with database.transaction() as session:
        for email in (ADA, "bob@example.org"):
            make.subscriber(session, email, "weekly-news", "offers", basis="consent")
            soft = Bounce(BounceSeverity.SOFT, "4.2.2", make.NOW, "return-path")
            make.bounce(session, soft, email=email)
            topic = topics.get(session, "weekly-news")
            audience.claim(session, topic, "2026-47", [make.id_of(email)], make.NOW)
            make.reduce(session, Frequency.WEEKLY, email, wording="Fewer, please")
            make.unsubscribe(session, email, slug=None, notice_delay=timedelta(0), wording="Bye")
            reasons.record(session, make.id_of(email), 4, ReasonCode.OTHER, "=1+1", make.NOW)
            data_complaints.add(session, make.id_of(email), "You sold\nmy address.", make.NOW)
            data_complaints.close(session, make.id_of(email), 1, "We told the buyer.", "Fay", LATER)
            outbox.request(session, [(make.id_of(email), OutboxKind.LINK, "")], LATER)
            signing_up.request(session, email, wording="Send me these emails")
            audit.record(session, FAY, AuditAction.PERSON_READ, make.NOW, make.id_of(email))
        pair = Correction(make.id_of(), make.id_of(NEW), "by phone", "Fay")
        linked.record(session, pair, NEW, make.NOW)


def copied(database: Database, email: str = ADA) -> dict[str, bytes]:
    """Return the files of the copy by name."""
    file = io.BytesIO()
    with database.reading() as session:
        access_copy.write(session, make.id_of(email), file, "Read me", make.NOW)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("table", [*tables()], ids=lambda table: table.name)
def test_each_table_is_in_the_copy_or_left_out_with_a_reason(table: Table) -> None:
    assert (table.name in IN_THE_COPY) != (table.name in LEFT_OUT)
    assert all(LEFT_OUT.values())


def test_what_is_left_out_exists() -> None:
    known = {f"{each.name}.{column.name}" for each in tables() for column in each.columns}
    assert {name for name in LEFT_OUT if "." in name} <= known
    assert {name for name in LEFT_OUT if "." not in name} <= {each.name for each in tables()}


@pytest.mark.every_engine
@pytest.mark.parametrize("section", SECTIONS)
def test_the_copy_has_the_rows_of_the_database(database: Database, section: str) -> None:
    fill(database)
    if section == "erasures":
        with database.transaction() as session:
            webhooks.add(session, "https://hooks.example.org/", [], make.NOW)
            erasure.erase(session, [make.id_of()], Source.CLI, LATER)
    copy = json.loads(copied(database)[f"json/{section}.json"])
    assert copy
    for table in SECTIONS[section].tables:
        stored, columns = in_database(database, table.__table__)
        found = [{name: row[name] for name in columns} for row in copy]
        assert sorted(found, key=repr) == sorted(stored, key=repr)


def in_database(database: Database, table: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what the copy is to have of ada's rows in a table."""
    wanted = [
        column
        for column in table.columns
        if f"{table.name}.{column.name}" not in LEFT_OUT
        and (column.name not in SUBSCRIBER_COLUMNS or table is SubscriberRow.__table__)
    ]
    with database.reading() as session:
        texts = {row.digest: row.text for row in session.scalars(select(Wording))}
        person = next(table.c[each] for each in SUBSCRIBER_COLUMNS if each in table.c)
        rows = session.execute(select(*wanted).where(person == make.id_of()))
        stored = [
            {column.name: as_json(column, value, texts) for column, value in zip(wanted, row)}  # noqa: B905
            for row in rows
        ]
    return stored, [column.name for column in wanted]


def as_json(column: Column[Any], value: Any, texts: dict[bytes, str]) -> Any:
    if column.name in ("before", "after"):
        return json.loads(value)
    if isinstance(value, bytes):
        return texts[value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def test_csv_and_json_have_the_same_rows(database: Database) -> None:
    fill(database)
    files = copied(database)
    for name in SECTIONS:
        rows = json.loads(files[f"json/{name}.json"])
        cells = list(csv.DictReader(io.StringIO(files[f"csv/{name}.csv"].decode(), newline="")))
        assert len(cells) == len(rows)
        for row, line in zip(rows, cells, strict=True):
            assert row.keys() == line.keys()
            assert {key for key, value in row.items() if value in (None, "")} == {
                key for key, value in line.items() if not value
            }
    assert b"'=1+1" in files["csv/reasons.csv"]


def test_nothing_about_others_is_in_the_copy(database: Database) -> None:
    fill(database)
    content = b"".join(copied(database).values())
    assert ADA.encode() in content
    assert b"bob" not in content
    assert str(make.id_of("bob@example.org")).encode() not in content


def test_the_copy_says_when_staff_read_the_data_and_not_who(database: Database) -> None:
    fill(database)
    files = copied(database)
    (look,) = json.loads(files["json/staff.json"])
    assert look == {"at": make.NOW.isoformat(), "action": "person_read"}
    assert str(FAY).encode() not in b"".join(files.values())


def test_of_an_erased_person_only_the_coded_record_is_left(database: Database) -> None:
    fill(database)
    with database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, LATER)
    content = b"".join(copied(database).values()).decode()
    for text in (
        ADA,
        "weekly-news",
        "Fewer, please",
        "sold",
        "told",
        "2026-47",
        str(make.id_of(NEW)),
    ):
        assert text not in content
    assert str(make.id_of()) in content
    (complaint,) = json.loads(copied(database)["json/complaints.json"])
    assert complaint["text"] == ""


def test_a_page_gets_the_newest_rows_and_their_number(database: Database) -> None:
    fill(database)
    with database.reading() as session:
        held = personal_data.read(session, make.id_of(), "en", 2)
        ledger = held.sections["ledger"]
    assert [row["seq"] for row in ledger.rows] == [4, 3]
    assert ledger.total == 4
    assert held.names["weekly-news"] == "Weekly news"


def test_nothing_is_held_on_an_unknown_person(database: Database) -> None:
    with database.transaction() as session:
        audit.record(session, FAY, AuditAction.PERSON_READ, make.NOW, make.id_of())
        assert not personal_data.is_held(session, make.id_of())
        held = personal_data.read(session, make.id_of(), "en", 10)
    assert [name for name, each in held.sections.items() if each.rows] == ["staff"]
