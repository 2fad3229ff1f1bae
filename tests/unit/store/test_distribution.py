"""Citus: how the tables are distributed, and that no statement locks several subscribers."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from sqlalchemy import make_url

from preference_center.core import (
    after_leaving,
    audience,
    data_complaints,
    erasure,
    feed,
    linked,
    missed_erasures,
    monitoring,
    personal_data,
    reasons,
    recovery,
    report,
    retention,
    rollups,
    topics,
    unacknowledged,
    verification,
    webhooks,
)
from preference_center.core.api_vocab import ReportBy
from preference_center.core.apply import apply
from preference_center.core.bounces import Bounce, record_deliveries
from preference_center.core.change import ALL
from preference_center.core.consent import Unsubscribe
from preference_center.core.figures import overview
from preference_center.core.figures.period import Period, Span
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.linked import Correction
from preference_center.core.recovery import BounceFilter
from preference_center.core.report import ReportRequest
from preference_center.core.stayed import stayed
from preference_center.core.vocab import Frequency, Pause, ReasonCode, Source
from preference_center.data import access_copy, exports
from preference_center.data.campaign_csv import CampaignFile
from preference_center.data.import_records import Rules
from preference_center.data.imports import Import
from preference_center.data.replay import Replay
from preference_center.data.tabular import read_csv, read_json_lines
from preference_center.inbound import spool_replay
from preference_center.outbound.erasures import Erasures
from preference_center.store import Database, SchemaError
from preference_center.store.distribute import REFERENCE_TABLES, plan
from preference_center.store.tables import Base
from preference_center.store.upgrade import upgrade
from tests.support import citus, make
from tests.support.mailer import Mailer

DAY = timedelta(days=1)
EMAILS = [f"reader{number}@mail.example" for number in range(25)]
IDS = list(map(make.id_of, EMAILS))


# The plan.


def _sql(statements: list[Any]) -> list[str]:
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    return [str(each.compile(dialect=dialect)).strip() for each in statements]


def test_each_table_with_subscribers_is_divided_by_their_id() -> None:
    statements = _sql([*plan(set())])
    for name in citus.SUBSCRIBER_TABLES:
        where = "none" if name == "subscribers" else "subscribers"
        wanted = f"create_distributed_table('{name}', 'subscriber_id', colocate_with => '{where}')"
        assert f"SELECT {wanted}" in statements
    for name in REFERENCE_TABLES:
        assert f"SELECT create_reference_table('{name}')" in statements


def test_foreign_keys_are_dropped_first_and_added_last() -> None:
    statements = _sql([*plan(set())])
    shared = {*citus.SUBSCRIBER_TABLES, *REFERENCE_TABLES}
    tables = [each for each in Base.metadata.sorted_tables if each.name in shared]
    keys = sum(len(table.foreign_key_constraints) for table in tables)
    assert all(" DROP CONSTRAINT IF EXISTS fk_" in each for each in statements[:keys])
    assert all(" ADD CONSTRAINT fk_" in each for each in statements[-keys:])
    assert not any("CONSTRAINT" in each for each in statements[keys:-keys])


def test_foreign_keys_refer_to_tables_on_the_same_server() -> None:
    shared = {*citus.SUBSCRIBER_TABLES, *REFERENCE_TABLES}
    for table in Base.metadata.sorted_tables:
        referred = {key.referred_table.name for key in table.foreign_key_constraints}
        whole = {table.name, *referred}
        assert not referred or whole <= shared or whole.isdisjoint(shared)


def test_no_copy_stays_on_the_coordinator() -> None:
    statements = _sql([*plan(set())])
    for name in (*citus.SUBSCRIBER_TABLES, *REFERENCE_TABLES):
        left = f"SELECT truncate_local_data_after_distributing_table('{name}')"
        assert left in statements


def test_distributing_again_changes_nothing() -> None:
    assert [*plan({*citus.SUBSCRIBER_TABLES, *REFERENCE_TABLES})] == []


def test_a_new_table_is_distributed_alone() -> None:
    statements = _sql([*plan({*citus.SUBSCRIBER_TABLES, *REFERENCE_TABLES} - {"reasons"})])
    assert len(statements) == 4
    assert all("reasons" in each for each in statements)


@pytest.mark.skipif(citus.URL is not None, reason="this database has Citus")
def test_a_database_without_citus_is_refused(database: Database) -> None:
    with pytest.raises(SchemaError, match="CREATE EXTENSION citus"):
        upgrade(database, distribute=True)


# The rule.


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT subscriber_id FROM subscribers WHERE subscriber_id = ANY(%b) FOR UPDATE",
        "SELECT id FROM outbox WHERE due_at <= %(due)s LIMIT 1 FOR UPDATE SKIP LOCKED",
        "UPDATE outbox SET state = 'sent' WHERE id = %(id)s",
        "SELECT 1 FROM ledger JOIN reasons ON ledger.topic = reasons.topic",
    ],
)
def test_the_check_finds_each_kind_of_problem(statement: str) -> None:
    assert citus.problem(statement)


def _change(database: Database) -> None:
    with database.transaction() as session:
        make.reduce(session, Frequency.WEEKLY, EMAILS[1])
        make.reduce(session, Pause.TWO_WEEKS, EMAILS[2])
        make.start_topic(session, EMAILS[3], "offers")
        left = make.unsubscribe(session, EMAILS[4], notice_delay=DAY)
        make.undo(session, left.first_seq, left.last_seq, EMAILS[4])
        people = [*IDS, make.id_of("new@one.example"), make.id_of("new@two.example")]
        context = make.context(Source.ONE_CLICK)
        for _ in range(2):  # The second time, each is a repeat.
            apply(session, [Unsubscribe(each, ALL, context) for each in people], make.NOW)
        reasons.record(session, IDS[0], 2, ReasonCode.TOO_MANY, "", make.NOW)


def _import(database: Database) -> None:
    rows = [f"{email},weekly-news,unsubscribed" for email in ("new@one.example", *EMAILS)]
    for _ in range(2):
        file = io.BytesIO("\n".join(["email,topic,status", *rows]).encode())
        Import(database, Rules(make.IDENTITY_KEY), lambda: make.NOW).run(read_csv(file), print)


def _claim(database: Database) -> None:
    campaign = CampaignFile(make.minter(), "weekly-news", "47", make.NOW.date())
    for run in (campaign.verdicts, campaign.release):
        file = io.BytesIO("\n".join(["email", *EMAILS, "new@one.example"]).encode())
        options = {"claim": True} if run == campaign.verdicts else {}
        assert list(run(read_csv(file), database, lambda: make.NOW, **options))
    with database.transaction() as session:
        audience.claim(session, topics.get(session, "weekly-news"), "48", IDS, make.NOW)


def _send(database: Database) -> None:
    with database.transaction() as session:
        for email in EMAILS:
            make.unsubscribe(session, email, notice_delay=timedelta(minutes=2))
    assert len(Mailer(database).send_due(timedelta(minutes=3))) == len(EMAILS)


def _bounce(database: Database) -> None:
    bounce = Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, "provider")
    for email in EMAILS:  # The domain is held in the end.
        with database.transaction() as session:
            make.bounce(session, bounce, make.NOW, email)
    with database.transaction() as session:
        record_deliveries(session, {each: make.NOW.date() for each in IDS})


def _recover(database: Database) -> None:
    bounce = Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, "provider")
    wanted = BounceFilter("mail.example", make.NOW - DAY, make.NOW + DAY)
    with database.transaction() as session:
        for email in EMAILS[:3]:
            make.bounce(session, bounce, make.NOW, email)
        for kind, ids in list(recovery.find_suppressed(session, wanted)):
            recovery.remove_suppressions(session, kind, ids, wanted, make.context(Source.CLI))


def _purge(database: Database) -> None:
    _change(database)
    with database.transaction() as session:
        for step in retention.STEPS:
            step.run(session, make.RETENTION, make.NOW + 1000 * DAY)
        assert rollups.fold(session, make.NOW + DAY)
        assert set(retention.due(session, make.RETENTION, make.NOW + 999 * DAY).values()) == {0}


def _erase(database: Database) -> None:
    with database.transaction() as session:
        webhooks.add(session, "https://hooks.example.org/", [], make.NOW)
        assert erasure.erase(session, IDS[1:], Source.CLI, make.NOW) == len(IDS) - 1
        feed.number(session, make.NOW)
    with database.transaction() as session:
        assert unacknowledged.encrypt_again(session) is None
        assert unacknowledged.find(session, IDS[1], make.NOW) is not None
    later = make.NOW + unacknowledged.HELD_FOR
    Erasures(database, lambda: later).settle()
    with database.transaction() as session:
        assert len(missed_erasures.take(session, later)) == len(IDS) - 1
        for each in webhooks.list_all(session):
            erasure.erase(session, IDS[:1], Source.CLI, make.NOW)
            webhooks.remove(session, each.id)
    Erasures(database, lambda: make.NOW).settle()
    with database.reading() as session:
        assert unacknowledged.find(session, IDS[0], make.NOW) is None


def _replay_spool(database: Database) -> None:
    entries = [make.spooled(email) for email in ("new@one.example", *EMAILS)]
    for _ in range(2):
        spool_replay.apply_batch(database, lambda: make.NOW, entries)


def _replay_ledger(database: Database) -> None:
    at = make.NOW.isoformat()
    entry = {"seq": "9", "scope": "all", "source": "cli", "occurred_at": at, "recorded_at": at}
    lines = [
        json.dumps({**entry, "event": kind, "id": str(each), "hash": each.hex * 2})
        for kind, each in zip(("erased", "unsubscribed") * 10, IDS, strict=False)
    ]
    file = io.BytesIO("\n".join(lines).encode())
    Replay(database, lambda: make.NOW).run(read_json_lines(file), print)


def _read(database: Database) -> None:
    _change(database)
    with database.reading() as session:
        assert set(verification.verify(session)) == {None}
        assert all(report.load(session, ReportRequest(by)) for by in ReportBy)
        assert stayed(session)
        assert overview.load(session, Period(Span.QUARTER, make.NOW)).receiving
        assert list(after_leaving.find(session)) == []
        assert monitoring.read(session, make.NOW).outbox_pending
        assert list(chain.from_iterable(recovery.find_suppressed(session, _EVERYTHING))) == []
        for kind in exports.KINDS.values():
            exports.Export(kind, exports.Filter("weekly-news"), "csv").write(session, io.BytesIO())


def _support(database: Database) -> None:
    _change(database)
    with database.transaction() as session:
        data_complaints.add(session, IDS[0], "You sold it.", make.NOW)
        data_complaints.acknowledge(session, IDS[0], 1, "Fay", make.NOW)
        for newer in (IDS[1], make.id_of("new@one.example")):
            pair = Correction(IDS[0], newer, "by phone", "Fay")
            linked.record(session, pair, "new@one.example", make.NOW)
    with database.reading() as session:
        assert len(list(data_complaints.read(session, closed=True))) == 1
        assert personal_data.is_held(session, IDS[0])
        assert personal_data.read(session, IDS[0], "en", 1).sections["ledger"].total > 1
        access_copy.write(session, IDS[0], io.BytesIO(), "", make.NOW)
    with database.transaction() as session:
        assert erasure.erase(session, IDS[:2], Source.CLI, make.NOW) == 2


_EVERYTHING = BounceFilter("mail.example", make.NOW - DAY, make.NOW + DAY)
OPERATIONS = [
    _change,
    _import,
    _claim,
    _send,
    _bounce,
    _recover,
    _purge,
    _erase,
    _replay_spool,
    _replay_ledger,
    _read,
    _support,
]


@pytest.mark.parametrize("database_url", ["distributed"], indirect=True)
@pytest.mark.parametrize("operate", OPERATIONS)
def test_no_statement_locks_several_subscribers(
    database: Database, operate: Callable[[Database], None]
) -> None:
    with database.transaction() as session:
        for slug in ("weekly-news", "offers"):
            make.topic(session, slug)
        for email in EMAILS:
            make.subscriber(session, email)
    with citus.watched(database.engine) as statements:
        operate(database)
    assert [(each, why) for each in statements if (why := citus.problem(each))] == []
