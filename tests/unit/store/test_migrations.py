"""Migrations on both engines: the schema is up to date, and no data is lost."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Connection,
    create_engine,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.orm import Session

from preference_center.core import (
    api_keys,
    audience,
    bounces,
    campaigns,
    consumers,
    data_complaints,
    dedup,
    erasure,
    feed,
    fetches,
    idempotency,
    inbound_counts,
    linked,
    page_views,
    processes,
    quarantine,
    reasons,
    request_limits,
    rollups,
    topics,
    verification,
    webhooks,
)
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.campaigns import Campaign
from preference_center.core.consumers import Progress
from preference_center.core.idempotency import KeyedRequest
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.linked import Correction
from preference_center.core.processes import Process, Waiting
from preference_center.core.vocab import FetchKind, ReasonCode, Source
from preference_center.store import Database, KeyCheckError, SchemaError
from preference_center.store import upgrade as upgrades
from preference_center.store.schema import check_schema
from preference_center.store.tables import Base, Reason
from preference_center.store.tables.partial_indexes import METADATA
from preference_center.store.upgrade import upgrade
from tests.support import console, make, signing_up

ROOT = Path(upgrades.__file__).parent / "migrations"
REVISIONS = [script.revision for script in ScriptDirectory(str(ROOT)).walk_revisions()]

# A later revision that rebuilds tables with children, as Alembic must on SQLite.
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "test2", "{head}"
def upgrade():
    for table in ("subscribers", "topics"):
        with op.batch_alter_table(table, recreate="auto") as batch:
            batch.add_column(sa.Column("extra", sa.Text(), server_default="x", nullable=False))
            batch.create_check_constraint("extra", "extra <> ''")
    {more}
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def create_database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[str], Database]]:
    """Yield a factory of databases without tables, on each engine in turn."""
    made: list[Database] = []
    names: list[str] = []

    def database(name: str) -> Database:
        url = f"sqlite:///{tmp_path}/{name}.db"
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres_url")
            names.append(f"{make_url(server).database}_{name}")
            _execute(server, f"CREATE DATABASE {names[-1]}")
            url = make_url(server).set(database=names[-1]).render_as_string(hide_password=False)
        made.append(Database(url, (make.SERVER_KEY,), long_statements=True))
        return made[-1]

    yield database
    for each in made:
        each.close()
    for name in names:
        _execute(request.getfixturevalue("postgres_url"), f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


CATALOGUES = {
    "columns": """
        SELECT table_name, column_name, data_type, character_maximum_length, is_nullable,
            collation_name, column_default
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "indexes": "SELECT indexdef, '' FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
}


def _catalogue(database: Database) -> dict[str, Any]:
    """Return the engine's own description of every table except Alembic's."""
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            found = {name: connection.execute(text(sql)) for name, sql in CATALOGUES.items()}
            rows = {name: sorted(map(str, result)) for name, result in found.items()}
            return {name: [row for row in rows[name] if "alembic" not in row] for name in rows}
        return {name: _of_sqlite(connection, name) for name in Base.metadata.tables}


def _of_sqlite(connection: Connection, table: str) -> dict[str, Any]:
    pragmas = ("table_xinfo", "foreign_key_list")
    found = {
        pragma: sorted(
            str(row[1:]) for row in connection.exec_driver_sql(f"PRAGMA {pragma}({table})")
        )
        for pragma in pragmas
    }
    master = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
    rows = connection.exec_driver_sql(master, (table,))
    # The order of columns and constraints does not matter.
    sql = [
        (kind, name, sorted(part.strip(" ,\t") for part in _lines(ddl))) for kind, name, ddl in rows
    ]
    return {**found, "sql": sorted(sql)}


def _lines(ddl: str) -> list[str]:
    """Return the columns and constraints of a table.

    SQLite adds a later column to the line of another, and quotes the name of a rebuilt table.
    """
    return re.split(r"\n|, (?=[a-z_]+ [A-Z])", ddl.replace('"', ""))


def test_the_migrated_schema_matches_the_tables(create_database: Callable[[str], Database]) -> None:
    migrated, fresh = create_database("migrated"), create_database("fresh")
    upgrade(migrated)
    METADATA.create_all(fresh.engine)
    assert _catalogue(migrated) == _catalogue(fresh)


def test_the_catalogues_show_checks_predicates_and_collations(
    create_database: Callable[[str], Database],
) -> None:
    database = create_database("one")
    upgrade(database)
    description = str(_catalogue(database)).replace("\\", "")
    assert "ck_outbox_state" in description
    assert "uq_outbox_pending" in description
    assert "state = 'pending'" in description or "'pending'::text" in description
    assert database.is_sqlite or "'C'" in description


def _fill(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        make.unsubscribe(session, notice_delay=timedelta(minutes=2), wording="Unsubscribe")
        make.unsubscribe(session, slug=None)
        make.subscriber(session, "ben@example.org", "weekly-news", "offers")
        ben, topic = make.id_of("ben@example.org"), topics.get(session, "offers")
        audience.claim(session, topic, "first", [ben], make.NOW)
        for seq in (1, 2):
            reasons.record(session, ben, seq, ReasonCode.OTHER, "", make.NOW)
        page_views.add(session, {page_views.key(make.NOW, "offers", "first"): 2})
        campaigns.record(session, Campaign("offers", "first", make.NOW.date(), "", 2))
        bounce = bounces.Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, "provider")
        make.bounce(session, bounce, email="cem@example.org")
        make.subscriber(session, "dan@example.org")
        make.bounce(session, bounce, email="dan@example.org")
        make.bounce(session, replace(bounce, severity=BounceSeverity.SOFT), email="ben@example.org")
        quarantine.keep(session, b"hello", "not understood", make.NOW)
        dedup.record_new(session, "mail", ["hello"], make.NOW)
        processes.report(session, Process(uuid4(), "a", 1), lambda: Waiting(1, make.NOW))
        inbound_counts.count_effects(session, "mail", [["kept"]], make.NOW)
        fetches.record(session, FetchKind.AUDIENCE, "offers", make.NOW)
        feed.number(session, make.NOW)
        key, _ = api_keys.create(session, "crm", ApiKeyKind.LIVE, [ApiScope.EVENTS], make.NOW)
        consumers.note_progress(session, key.id, Progress(0, 1), make.NOW)
        webhook, _ = webhooks.add(session, "https://example.org/", [], make.NOW)
        webhooks.send_test(session, webhook.id, make.NOW)
        erasure.erase(session, [make.id_of("eve@example.org")], Source.CLI, make.NOW)
        data_complaints.add(session, ben, "You sold my address.", make.NOW)
        pair = Correction(ben, make.id_of("ben.b@example.org"), "by phone", "Fay")
        linked.record(session, pair, "ben.b@example.org", make.NOW)
        idempotency.begin(session, KeyedRequest(key.id, "POST /x", "1", b"2"), make.NOW)
        signing_up.request(session, "eve@example.org", wording="Email me.")
        request_limits.take_hourly(session, make.NOW, 1, is_postponed=False)
        console.fill(session)
        session.flush()
        past = session.get_one(Reason, (ben, 2))
        past.given_at -= timedelta(days=91)
        session.flush()
        make.anonymize_reasons(session, make.NOW)
    with database.transaction() as session:
        rollups.fold(session, make.NOW + timedelta(days=1))


def _columns(database: Database) -> dict[str, list[Column[Any]]]:
    """Return the existing columns of each existing table."""
    inspector = inspect(database.engine)
    return {
        table.name: [table.columns[each["name"]] for each in inspector.get_columns(table.name)]
        for table in Base.metadata.sorted_tables
        if inspector.has_table(table.name)
    }


def _rows(
    database: Database, columns: dict[str, list[Column[Any]]] | None = None
) -> dict[str, list[str]]:
    with Session(database.engine) as session:
        return {
            name: sorted(map(str, session.execute(select(*of_table))))
            for name, of_table in (columns or _columns(database)).items()
        }


def _copy(source: Database, target: Database) -> None:
    """Copy the rows into the tables and columns that the older target has."""
    with Session(source.engine) as old, Session(target.engine) as session, session.begin():
        # The outbox last: in older versions it refers to the subscribers.
        for name, columns in sorted(_columns(target).items(), key=lambda each: each[0] == "outbox"):
            rows = [dict(row._mapping) for row in old.execute(select(*columns))]
            session.execute(Base.metadata.tables[name].insert(), rows)


def _with_a_later_revision(
    monkeypatch: pytest.MonkeyPatch, folder: Path, more: str = "pass"
) -> None:
    (folder / "versions").mkdir()
    code = SECOND.format(head=REVISIONS[0], more=more)
    (folder / "versions" / "test2.py").write_text(code)
    locations = f"{ROOT / 'versions'}:{folder / 'versions'}"

    def config() -> Config:
        made = Config()
        made.set_main_option("script_location", str(ROOT))
        made.set_main_option("path_separator", ":")
        made.set_main_option("version_locations", locations)
        return made

    monkeypatch.setattr(upgrades, "_config", config)


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_upgrade_from_any_revision_keeps_every_row(
    create_database: Callable[[str], Database],
    revision: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled, database = create_database("filled"), create_database("old")
    upgrade(filled)
    _fill(filled)
    upgrade(database, revision)
    _copy(filled, database)
    columns = _columns(database)
    before = _rows(database, columns)
    assert all(before.values()), "every table needs rows for the comparison"
    _with_a_later_revision(monkeypatch, tmp_path)
    upgrade(database)
    assert _rows(database, columns) == before
    assert {column["name"] for column in inspect(database.engine).get_columns("topics")} >= {
        "extra"
    }
    with database.reading() as session:
        assert list(verification.verify(session)) == [None] * 6


def test_a_failed_upgrade_changes_nothing(
    create_database: Callable[[str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = create_database("old")
    upgrade(database)
    _fill(database)
    before = (_catalogue(database), _rows(database))
    with monkeypatch.context() as patched:
        _with_a_later_revision(patched, tmp_path, "raise RuntimeError('half-way')")
        with pytest.raises(RuntimeError, match="half-way"):
            upgrade(database)
    assert (_catalogue(database), _rows(database)) == before
    check_schema(database)


def test_upgrading_again_changes_nothing(create_database: Callable[[str], Database]) -> None:
    database = create_database("one")
    upgrade(database)
    _fill(database)
    before = (_catalogue(database), _rows(database))
    upgrade(database)
    assert (_catalogue(database), _rows(database)) == before


def test_concurrent_upgrades_run_one_after_the_other(
    create_database: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = create_database("one")
    url = database.engine.url.render_as_string(hide_password=False)
    both = [Database(url, (make.SERVER_KEY,), long_statements=True) for _ in range(2)]
    migrate, met = command.upgrade, threading.Barrier(2)
    at_once: list[Any] = []

    def upgrade_slowly(*arguments: Any) -> None:
        with suppress(threading.BrokenBarrierError):
            met.wait(0.5)
            at_once.append(arguments)  # both had started
        migrate(*arguments)

    monkeypatch.setattr(command, "upgrade", upgrade_slowly)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(upgrade, both))
    assert at_once == []
    check_schema(database)
    for each in both:
        each.close()


def test_foreign_keys_are_enforced_on_sqlite_after_an_upgrade(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/one.db", (make.SERVER_KEY,))
    upgrade(database)
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    database.close()


def test_the_error_about_missing_tables_names_the_upgrade_command(
    create_database: Callable[[str], Database],
) -> None:
    with pytest.raises(SchemaError, match=r"no tables yet\. Run: preference-center upgrade"):
        check_schema(create_database("empty"))


def _set_revision(database: Database, revision: str) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})


def test_the_error_about_another_version_names_both_revisions(
    create_database: Callable[[str], Database],
) -> None:
    database = create_database("other")
    upgrade(database)
    _set_revision(database, "9999")
    wanted = f"at revision 9999, this version needs {REVISIONS[0]}"
    with pytest.raises(SchemaError, match=wanted):
        check_schema(database)


def test_a_database_of_a_newer_version_is_not_downgraded(
    create_database: Callable[[str], Database],
) -> None:
    database = create_database("newer")
    upgrade(database)
    _set_revision(database, "9999")
    before = _catalogue(database)
    with pytest.raises(SchemaError, match="newer"):
        upgrade(database)
    assert _catalogue(database) == before


def test_an_upgrade_with_a_wrong_key_changes_nothing(
    create_database: Callable[[str], Database],
) -> None:
    filled, database = create_database("filled"), create_database("old")
    upgrade(filled)
    _fill(filled)
    upgrade(database, REVISIONS[0])
    _copy(filled, database)
    before = (_catalogue(database), _rows(database))
    url = database.engine.url.render_as_string(hide_password=False)
    wrong = make.database(url, identity_key="another-identity-key-9zX3cV6bN1mK8")
    with pytest.raises(KeyCheckError, match="IDENTITY_KEY"):
        upgrade(wrong)
    wrong.close()
    assert (_catalogue(database), _rows(database)) == before
    right = make.database(url)
    upgrade(right)
    check_schema(right)
    right.close()
