"""Imports add and end subscriptions, refuse rows by line, and never undo an unsubscribe."""

import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from preference_center.core import (
    audience,
    domain_hold,
    erasure,
    ledger,
    state,
    subscribers,
    topics,
    verification,
)
from preference_center.core.vocab import ImportStatus, Scope, Source, TopicPolicy
from preference_center.data.identity import BadRowError, read_identity
from preference_center.data.import_records import Rules
from preference_center.data.imports import Findings, Import
from preference_center.data.tabular import RefusedRow, Row, read_csv
from preference_center.links.addresses import fingerprint
from preference_center.store import Database
from preference_center.store.tables import (
    ClaimCount,
    LedgerDetail,
    LedgerRow,
    OutboxRow,
    SubscriberRow,
)
from tests.support import make

ADA = "ada@example.org"


class Outcome:
    """The outcome of an import, which it runs: counts, findings, refused rows and warnings."""

    def __init__(
        self,
        database: Database,
        text: str,
        *,
        topic: str | None = None,
        status: str | None = "subscribed",
        ignored: tuple[str, ...] = (),
        create_topics: bool = True,
        dry_run: bool = False,
    ) -> None:
        given_status = ImportStatus(status) if status else None
        rules = Rules(make.IDENTITY_KEY, topic, given_status, frozenset(ignored))
        job = Import(
            database, rules, lambda: make.NOW, create_topics=create_topics, dry_run=dry_run
        )
        self.refused: list[RefusedRow] = []
        self.warnings: list[tuple[int, str]] = []
        self.findings: Findings = job.findings
        self.counts = job.run(
            read_csv(io.BytesIO(text.encode())),
            self.refused.append,
            lambda row, why: self.warnings.append((row.line, why)),
        )


def _import(database: Database, text: str, **changes: Any) -> tuple[Counter[str], list[RefusedRow]]:
    outcome = Outcome(database, text, **changes)
    return outcome.counts, outcome.refused


def _person(database: Database, email: str = ADA) -> state.Subscriber:
    with database.reading() as session:
        return make.found(session, email)


def _refusal_reason(database: Database, text: str, **changes: Any) -> str:
    counts, refused = _import(database, text, **changes)
    assert (counts["refused"], len(refused), refused[0].line) == (1, 1, 2)
    return refused[0].why


def test_every_cell_of_a_row_is_saved(database: Database) -> None:
    _import(
        database,
        "email,topic,status,frequency,paused_until,locale,consent_at,consent_source,"
        "consent_wording,basis,acquired_from\nAda@Example.org,news,subscribed,weekly,2027-02-01,"
        "pt_BR,2026-01-02T03:04:05+01:00,form,I agree,consent,the fair\n",
    )
    ada = _person(database)
    news = ada.subscriptions["news"]
    assert (ada.email, ada.locale) == ("Ada@Example.org", "pt-BR")
    assert (news.status, news.frequency, news.basis) == ("subscribed", "weekly", "consent")
    assert news.paused_until == datetime(2027, 2, 1, tzinfo=UTC)
    assert news.consent_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert (news.consent_source, news.acquired_from) == ("form", "the fair")


@pytest.mark.parametrize("status", ["subscribed", "unconfirmed"])
@pytest.mark.parametrize(("slug", "reason"), [("news", "left"), (None, "everything")])
def test_an_import_never_undoes_an_unsubscribe(
    database: Database, status: str, slug: str | None, reason: str
) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "news")
        make.unsubscribe(session, slug=slug)
        before = make.events(session)
    counts, _ = _import(database, f"email,topic,status\n{ADA},news,{status}\n")
    assert counts == {"kept": 1}
    with database.reading() as session:
        assert make.events(session) == before


def test_an_imported_unsubscribe_keeps_its_time_and_source(database: Database) -> None:
    text = f"email,topic,status,changed_at,changed_by\n{ADA},news,unsubscribed,2025-05-05,page\n"
    counts, _ = _import(database, text)
    news = _person(database).subscriptions["news"]
    assert counts == {"unsubscribed": 1}
    assert (news.status, news.source) == ("unsubscribed", "page")
    assert news.changed_at == datetime(2025, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind", "source"),
    [("bounced", "address", "bounce"), ("complained", "all", "complaint")],
)
def test_bounces_and_complaints_suppress_more_than_the_topic(
    database: Database, status: str, kind: str, source: str
) -> None:
    _import(database, f"email,topic,status\n{ADA},news,{status}\n")
    ada = _person(database)
    assert {each.kind: each.source for each in ada.suppressions.values()} == {kind: source}
    assert ada.subscriptions["news"].status == "unsubscribed"


@pytest.mark.parametrize("changed_by", ["import", "page", "console"])
def test_a_complaint_stays_a_complaint_whatever_changed_by_says(
    database: Database, changed_by: str
) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, slug=None)
        make.unsubscribe(session, slug="news")
    _import(database, f"email,topic,status,changed_by\n{ADA},news,complained,{changed_by}\n")
    ada = _person(database)
    assert ada.suppressions[Scope.ALL].source == "complaint"
    assert ada.subscriptions["news"].source == "complaint"


@pytest.mark.parametrize("status", ["subscribed", "unsubscribed", "bounced", "complained"])
def test_repeating_an_import_changes_nothing(database: Database, status: str) -> None:
    text = f"email,topic,status,changed_at\n{ADA},news,{status},2025-01-01\n"
    _import(database, text)
    with database.reading() as session:
        before = make.events(session)
    counts, _ = _import(database, text)
    assert counts == {"unchanged": 1}
    with database.reading() as session:
        assert make.events(session) == before


@pytest.mark.parametrize(
    ("minutes", "status"),
    [(-600, "unsubscribed"), (-1, "unsubscribed"), (0, "subscribed"), (1, "subscribed")],
)
def test_an_undo_does_not_supersede_an_older_unsubscribe_in_a_file(
    database: Database, minutes: int, status: str
) -> None:
    """An old suppression list may hold an unsubscribe from before the one that was undone."""
    with database.transaction() as session:
        make.subscriber(session, ADA, "news")
        an_hour_ago = make.NOW - timedelta(hours=1)
        change = make.unsubscribe(session, slug="news", at=an_hour_ago)
        make.undo(session, change.last_seq, change.last_seq, at=an_hour_ago + timedelta(minutes=2))
    at = (an_hour_ago + timedelta(minutes=minutes)).isoformat()
    _import(database, f"email,topic,status,changed_at\n{ADA},news,unsubscribed,{at}\n")
    assert _person(database).subscriptions["news"].status == status


@pytest.mark.parametrize("status", ["complained", "bounced"])
def test_an_undo_does_not_supersede_a_complaint_or_bounce(database: Database, status: str) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "news")
        change = make.unsubscribe(session, slug=None)
        make.undo(session, change.last_seq, change.last_seq)
    _import(database, f"email,topic,status,changed_at\n{ADA},news,{status},2025-01-01\n")
    assert _person(database).suppressions


def test_a_dry_run_counts_rows_and_saves_nothing(database: Database) -> None:
    text = f"email,topic\n{ADA},brand-new\nada,x\n"
    counts, refused = _import(database, text, dry_run=True)
    assert (counts["added"], len(refused)) == (1, 1)
    with database.reading() as session:
        assert session.query(SubscriberRow).count() == session.query(LedgerRow).count() == 0


def test_an_import_sends_no_email(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "news")
    _import(database, f"email,topic,status\n{ADA},news,unsubscribed\n")
    with database.reading() as session:
        assert session.query(OutboxRow).count() == 0


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ("email,topic\n,news", "neither an email nor an id"),
        ("email,topic\nada,news", "the email cannot be used: it has no @"),
        ("email,topic\nada@-x.org,news", "email cannot be sent to this address"),
        ('email,topic\n"a@x.org, b@x.org",news', "it contains more than one address"),
        ("email,topic\nada@example.org,No Slug", "the topic is missing"),
        ("email\nada@example.org", "the topic is missing"),
        ("email,topic,status\nada@example.org,news,maybe", "status must be one of"),
        ("email,topic,frequency\nada@example.org,news,hourly", "frequency must be one of"),
        ("email,topic,paused_until\nada@example.org,news,next week", "paused_until is not a time"),
        ("email,topic,locale\nada@example.org,news,english!", "not a language tag"),
        ("email,topic,consent_at\nada@example.org,news,01/02/2026", "consent_at is not a time"),
        ("email,topic,consent_at\nada@example.org,news,2031-01-01", "is in the future"),
        ("email,topic,changed_at\nada@example.org,news,0001-01-01T00:00+14:00", "is not a time"),
        (
            "email,topic,basis\nada@example.org,news," + "x" * 1001,
            "basis is longer than 1,000 characters",
        ),
        ("id,topic\n7,news", "not a subscriber id"),
        ("email,topic,status\nada@example.org,news,", "the status is empty"),
        (
            "id,email,topic\n" + str(make.id_of("bob@x.org")) + ",ada@x.org,news",
            "another identity",
        ),
    ],
)
def test_an_unusable_row_is_refused_with_the_reason(
    database: Database, cells: str, why: str
) -> None:
    has_status = "status" in cells.partition("\n")[0]
    status = None if has_status else "subscribed"
    assert why in _refusal_reason(database, cells + "\n", status=status)


def test_a_row_with_a_nul_is_refused(database: Database) -> None:
    refused: list[RefusedRow] = []
    cells = {"email": ADA, "topic": "news", "status": "subscribed", "basis": "a\0b"}
    Import(database, Rules(make.IDENTITY_KEY), lambda: make.NOW).run(
        [Row(1, cells)], refused.append
    )
    assert [row.why for row in refused] == ["basis contains a NUL"]


def test_an_unmailable_address_can_be_unsubscribed(database: Database) -> None:
    text = "email,topic,status\nada@-example.org,news,unsubscribed\n"
    counts, refused = _import(database, text)
    assert (counts["unsubscribed"], refused) == (1, [])
    unsubscribed = _person(database, "ada@-example.org")
    assert unsubscribed.email is None
    assert unsubscribed.subscriptions["news"].status == "unsubscribed"


def test_rows_without_a_topic_get_the_given_one(database: Database) -> None:
    _import(database, f"email,topic\n{ADA},\n", topic="news")
    assert set(_person(database).subscriptions) == {"news"}


@pytest.mark.parametrize("status", ["subscribed", "unsubscribed", "complained"])
def test_an_import_saves_no_details_of_an_erased_subscriber(
    database: Database, status: str
) -> None:
    with database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    text = f"email,topic,status,locale,acquired_from\n{ADA},news,{status},de,the fair\n"
    _import(database, text)
    ada = _person(database)
    assert (ada.email, ada.locale, dict(ada.subscriptions)) == (None, None, {})
    assert "all" in ada.suppressions


def test_an_import_saves_no_stated_source_of_an_erased_subscriber(database: Database) -> None:
    with database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    counts, _ = _import(database, f"email,kind,source\n{ADA},address,phone\n")
    assert counts == {"unsubscribed": 1}
    with database.reading() as session:
        assert [each.stated_source for each in ledger.load(session, make.id_of(), 1)][-1] == ""


@pytest.mark.parametrize("kind", ["all", "topic"])
def test_an_imported_erasure_erases_the_subscriber(database: Database, kind: str) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "offers")
        domain_hold.count_claims(session, [ADA], make.NOW)
    text = f"email,id,kind,topic,erased_at\n,{make.id_of()},{kind},news,2026-01-01\n"
    counts, _ = _import(database, text)
    ada = _person(database)
    assert counts == {"erased": 1}
    assert (ada.email, "offers" in ada.subscriptions) == (None, False)
    assert ada.erased_at == datetime(2026, 1, 1, tzinfo=UTC)
    with database.reading() as session:
        assert session.query(LedgerDetail).count() == session.query(ClaimCount).count() == 0
        assert list(verification.verify(session)) == [None]


def test_a_thousand_rows_take_a_handful_of_statements(database: Database) -> None:
    counted = Counter[str]()
    event.listen(
        database.engine, "before_cursor_execute", lambda *args: counted.update([args[2][:6]])
    )
    rows = "".join(f"p{number}@example.org,news,I agree\n" for number in range(1000))
    assert _import(database, "email,topic,consent_wording\n" + rows)[0] == {"added": 1000}
    assert counted.total() < 22


@pytest.mark.integration
def test_a_refused_row_does_not_affect_the_rest_of_its_batch(database: Database) -> None:
    rows = [f"p{number}@example.org,news" for number in range(1500)]
    rows[3] = rows[1400] = "ada,news"
    counts, refused = _import(database, "email,topic\n" + "\n".join(rows))
    assert counts == {"added": 1498, "refused": 2}
    assert [row.line for row in refused] == [5, 1402]


UNCLEAN = [
    "\ufeffada@example.org",
    "ada@example.org\u200b,",
    "Ada Lovelace <ada@example.org>",
    "<ada@example.org>",
    "mailto:ada@example.org",
    "“ada@example.org”.",
    "ada@example.org.",
]


def _verdict(database: Database, email: str) -> str:
    """Return the verdict of an audience check under the opt-out policy."""
    with database.transaction() as session:
        topics.ensure(session, ["news"], make.NOW)
        topic = topics.get(session, "news")
        topic.policy = TopicPolicy.OPT_OUT
        person = make.id_of(email)
        return audience.check(session, topic, "c", {person: email}, make.NOW)[person].decision


def _is_unsubscribed(database: Database, subscriber_id: UUID) -> bool:
    with database.reading() as session:
        found = subscribers.find(session, subscriber_id)
        news = found and found.subscriptions.get("news")
        return bool(news and news.status == "unsubscribed")


@pytest.mark.parametrize("cell", UNCLEAN)
def test_an_unsubscribe_with_an_unclean_address_is_applied(database: Database, cell: str) -> None:
    outcome = Outcome(database, f'email,topic,status\n"{cell}",news,unsubscribed\n')
    assert (outcome.counts, outcome.refused) == ({"unsubscribed": 1}, [])
    assert outcome.findings.cleaned == 1
    assert _verdict(database, ADA) == _verdict(database, cell) == "deny"
    assert _person(database).email == ADA
    assert _is_unsubscribed(database, fingerprint(cell, make.IDENTITY_KEY)), (
        "links of older versions use this id"
    )


def test_an_unclean_suppression_applies_to_both_ids(database: Database) -> None:
    cell = "Ada <ada@example.org>"
    counts, _ = _import(database, f"email,kind,since\n{cell},all,2026-01-01\n")
    assert counts == {"unsubscribed": 1}
    with database.reading() as session:
        for each in (make.id_of(), fingerprint(cell, make.IDENTITY_KEY)):
            found = subscribers.find(session, each)
            assert found is not None
            assert "all" in found.suppressions


def test_an_unsubscribe_with_two_addresses_applies_to_both(database: Database) -> None:
    outcome = Outcome(database, f'email,topic,status\n"{ADA}; ben@example.org",news,unsubscribed\n')
    assert outcome.counts == {"unsubscribed": 2}
    assert outcome.warnings == [(2, "the email has 2 addresses: each is unsubscribed")]
    assert _verdict(database, ADA) == _verdict(database, "ben@example.org") == "deny"


def test_an_unsubscribe_with_an_ambiguous_address_is_refused(database: Database) -> None:
    assert "invisible joiner" in _refusal_reason(
        database, "email,topic,status\na\u200cda@x.org,n,unsubscribed"
    )


def test_a_cleaned_address_is_subscribed_once(database: Database) -> None:
    outcome = Outcome(database, f"email,topic\n<{ADA}>,news\n{ADA},news\n")
    assert outcome.counts == {"added": 1, "unchanged": 1}
    with database.reading() as session:
        assert session.query(SubscriberRow).count() == 1


@pytest.mark.parametrize(
    ("column", "cell", "warning"),
    [
        ("changed_at", "22/11/2026 14:05", "changed_at is not a time"),
        ("changed_at", "2031-01-01", "changed_at is in the future"),
        ("consent_at", "0000-00-00", "consent_at is not a time"),
        ("paused_until", "soon", "paused_until is not a time"),
        ("locale", "english!", "the locale is not a language tag"),
        ("frequency", "hourly", "frequency must be one of"),
        ("basis", "x" * 1001, "basis is longer than 1,000 characters"),
        ("notes", "x" * 1001, "notes is longer than 1,000 characters"),
        ("topic", "Weekly News!", "unsubscribed from every topic"),
        ("topic", "", "unsubscribed from every topic"),
    ],
)
@pytest.mark.parametrize("status", ["unsubscribed", "complained"])
def test_another_bad_cell_of_an_unsubscribe_is_only_a_warning(
    database: Database, status: str, column: str, cell: str, warning: str
) -> None:
    topic = "" if column == "topic" else ",news"
    header = "email,status," + (column if column == "topic" else f"{column},topic")
    outcome = Outcome(database, f'{header}\n{ADA},{status},"{cell}"{topic}\n')
    assert (outcome.counts, outcome.refused) == ({"unsubscribed": 1}, [])
    assert _verdict(database, ADA) == "deny"
    warnings = [why for _, why in outcome.warnings]
    assert warnings if cell or status == "unsubscribed" else not warnings
    assert all(warning in why and (not cell or cell not in why) for why in warnings)


def test_a_suppression_with_bad_cells_is_applied(database: Database) -> None:
    text = f"email,kind,topic,since,erased_at\n{ADA},topic,No Slug,when,never\n"
    outcome = Outcome(database, text)
    assert (outcome.counts, len(outcome.warnings)) == ({"unsubscribed": 1}, 3)
    assert set(_person(database).suppressions) == {"all"}


def test_a_malformed_row_can_end_consent_but_not_start_it(database: Database) -> None:
    refused: list[RefusedRow] = []
    job = Import(database, Rules(make.IDENTITY_KEY), lambda: make.NOW, create_topics=True)
    rows = [
        Row(line, {"email": ADA, "topic": "news", "status": status}, problems=("a cell is lost",))
        for line, status in enumerate(("subscribed", "unsubscribed"), start=2)
    ]
    assert job.run(rows, refused.append) == {"refused": 1, "unsubscribed": 1}
    assert refused == [RefusedRow(2, "a cell is lost")]


@pytest.mark.parametrize("word", ["", "cleaned", "blocklisted", "non-subscribed", "true", "1"])
def test_an_empty_or_unknown_status_never_subscribes(database: Database, word: str) -> None:
    outcome = Outcome(database, f"email,topic,status\n{ADA},news,{word}\n", status=None)
    assert outcome.counts == {"refused": 1}
    assert outcome.findings.unknown_words == ({("status", word)} if word else set())


@pytest.mark.parametrize(
    "word",
    [
        *("UNSUBSCRIBED", " Un-subscribed.", "\u200bunsubscribed\u00a0", "opt-out", "Unsubscribe"),
        *("abgemeldet", "Désabonnée", "DESINSCRIT", "Dado de baja", "disiscritto", "Uitgeschreven"),
    ],
)
def test_a_status_that_ends_consent_may_have_stray_characters(
    database: Database, word: str
) -> None:
    outcome = Outcome(database, f"email,topic,status\n{ADA},news,{word}\n")
    assert outcome.counts == {"unsubscribed": 1}


@pytest.mark.parametrize(
    "word", ["!subscribed", "un subscribed?", "subscribed\u200b", "not-subscribed"]
)
def test_a_status_that_subscribes_may_not_have_stray_characters(
    database: Database, word: str
) -> None:
    outcome = Outcome(database, f"email,topic,status\n{ADA},news,{word}\n")
    assert outcome.counts["added"] == 0


@pytest.mark.parametrize("status", [*ImportStatus])
def test_the_given_status_fills_only_empty_cells(database: Database, status: ImportStatus) -> None:
    text = f"email,topic,status\n{ADA},news,\nben@example.org,news, Unsubscribed \n"
    outcome = Outcome(database, text, status=status)
    assert outcome.refused == []
    expected = status.value if not status.ends_consent else "unsubscribed"
    assert _person(database).subscriptions["news"].status == expected
    assert _person(database, "ben@example.org").subscriptions["news"].status == "unsubscribed"


@pytest.mark.parametrize(
    ("cells", "ignored"),
    [
        ({"type": "Unsubscribed"}, "type"),
        ({"action": "opt-out"}, "action"),
        ({"state": "Cancelled"}, "state"),
        ({"unsubscribed_at": ""}, "unsubscribed_at"),
        ({"accepts email marketing": "yes"}, "accepts email marketing"),
    ],
)
def test_a_row_with_a_possible_opt_out_is_not_subscribed(
    database: Database, cells: dict[str, str], ignored: str
) -> None:
    """In JSON Lines, a column may first appear in a later row."""
    refused: list[RefusedRow] = []
    row = {"email": ADA, "topic": "news", "status": "subscribed"}
    rows = [Row(1, {**row, "email": "ben@x.org"}), Row(2, row | cells), Row(3, row | cells)]
    rows[2] = Row(3, {**row, **cells, "email": "cem@x.org", "status": "unsubscribed"})
    job = Import(database, Rules(make.IDENTITY_KEY), lambda: make.NOW, create_topics=True)
    assert job.run(rows, refused.append) == {"added": 1, "unsubscribed": 1, "refused": 1}
    assert [each.line for each in refused] == [2]
    rules = Rules(make.IDENTITY_KEY, ignored=frozenset({ignored}))
    assert Import(database, rules, lambda: make.NOW).run(rows[1:2], refused.append) == {"added": 1}


def test_a_foreign_id_is_ignored(database: Database) -> None:
    outcome = Outcome(database, f"id,email,topic\n42,{ADA},news\nuser-7,ben@example.org,news\n")
    assert outcome.counts == {"added": 2}
    assert outcome.findings.foreign_ids == 2


def test_an_unsubscribe_applies_to_both_if_id_and_email_disagree(database: Database) -> None:
    ben = make.id_of("ben@example.org")
    outcome = Outcome(database, f"id,email,topic,status\n{ben},{ADA},news,unsubscribed\n")
    assert outcome.counts == {"unsubscribed": 1}
    assert outcome.warnings == [(2, "the id does not belong to the email: both are unsubscribed")]
    assert _is_unsubscribed(database, make.id_of())
    assert _is_unsubscribed(database, ben)


def test_the_id_is_unsubscribed_if_the_email_is_unusable(database: Database) -> None:
    outcome = Outcome(database, f"id,email,topic,status\n{make.id_of()},ada@,news,unsubscribed\n")
    assert (outcome.counts, len(outcome.warnings)) == ({"unsubscribed": 1}, 1)
    assert _is_unsubscribed(database, make.id_of())


@pytest.mark.parametrize("dry_run", [True, False])
def test_only_an_unsubscribe_creates_its_topic_automatically(
    database: Database, dry_run: bool
) -> None:
    with database.transaction() as session:
        make.topic(session, "news")
    text = (
        "email,topic,status\n"
        f"{ADA},offers,subscribed\n{ADA},news,subscribed\n{ADA},offers,unsubscribed\n"
        "ben@example.org,offers,subscribed\nben@example.org,misspelt,unconfirmed\n"
    )
    outcome = Outcome(database, text, create_topics=False, dry_run=dry_run)
    assert outcome.counts == {"added": 1, "unsubscribed": 1, "refused": 3}
    assert [row.line for row in outcome.refused] == [2, 5, 6]
    assert outcome.refused[0].why == "the topic does not exist"
    assert outcome.findings.missing_topics == {"offers", "misspelt"}
    assert outcome.findings.new_topics == {"offers"}


def test_unsubscribes_of_unknown_addresses_are_counted(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "news")
    text = f"email,topic,status\n{ADA},news,unsubscribed\n<ben@example.org>,news,unsubscribed\n"
    assert Outcome(database, text).findings.not_on_record == 1


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("topic", ["news", ""])
def test_the_ledger_keeps_the_stated_source_of_an_unsubscribe(
    database: Database, known: bool, topic: str
) -> None:
    with database.transaction() as session:
        if known:
            make.subscriber(session, ADA, "news")
    header = "email,topic,status,changed_by,consent_source"
    _import(database, f"{header}\n{ADA},{topic},unsubscribed,phone,call of 3 November\n")
    with database.reading() as session:
        change = ledger.load(session, make.id_of(), 1)[-1]
        assert change.stated_source == "changed_by: phone; consent_source: call of 3 November"
        assert change.source == "import"
        assert change.after is not None
        assert len(change.after) == 1
        assert list(verification.verify(session)) == [None]


@pytest.mark.integration
def test_a_batch_of_unclean_unsubscribes_takes_a_handful_of_statements(
    database: Database,
) -> None:
    counted = Counter[str]()
    event.listen(
        database.engine, "before_cursor_execute", lambda *args: counted.update([args[2][:6]])
    )
    rows = "".join(f"<p{n}@example.org>; q{n}@example.org,news,unsubscribed\n" for n in range(1000))
    assert _import(database, "email,topic,status\n" + rows)[0] == {"unsubscribed": 2000}
    assert counted.total() < 30


@given(st.text() | st.sampled_from(UNCLEAN))
def test_the_library_and_an_import_derive_the_same_id(text: str) -> None:
    """A link that is minted offline must belong to the person whom the audience check allows."""
    try:
        person = read_identity({"email": text}, make.IDENTITY_KEY)
    except BadRowError:
        return
    assert person.id == make.minter().mint(text, "news", "c").id


CELL = st.text(max_size=30)
COLUMNS = (
    *("id", "topic", "frequency", "locale", "consent_at", "consent_wording", "basis"),
    *("paused_until", "changed_at", "changed_by", "since", "source", "erased_at", "note"),
)


@given(
    cells=st.fixed_dictionaries(
        {"email": CELL | st.sampled_from([ADA, f"<{ADA}>", f"{ADA},ben@x.org"])},
        optional={
            **dict.fromkeys(COLUMNS, CELL),
            "status": CELL | st.sampled_from([*ImportStatus]),
            "kind": CELL | st.sampled_from(["all", "address", "topic"]),
        },
    ),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cells_are_applied_or_refused(database: Database, cells: dict[str, str]) -> None:
    refused: list[RefusedRow] = []
    job = Import(database, Rules(make.IDENTITY_KEY), lambda: make.NOW, create_topics=True)
    counts = job.run([Row(1, {"topic": "news", **cells})], refused.append)
    assert counts.total() == 1 or cells["email"] == f"{ADA},ben@x.org"
    assert counts["refused"] == len(refused)
    if counts["added"]:
        assert cells["status"].strip().lower() in ("subscribed", "unconfirmed")


@pytest.mark.parametrize("column", ["source", "changed_by", "consent_source"])
def test_the_ledger_keeps_the_stated_source_of_a_suppression(
    database: Database, column: str
) -> None:
    _import(database, f"email,kind,{column}\n{ADA},all,phone\n")
    with database.reading() as session:
        change = ledger.load(session, make.id_of(), 1)[-1]
        assert change.stated_source == f"{column}: phone"


@pytest.mark.parametrize(
    "cell", [f"'{ADA}", f"*{ADA}", f"={ADA}", "%61da@example.org", '"""ada""@example.org"']
)
def test_an_odd_address_is_unsubscribed_under_its_likely_spelling(
    database: Database, cell: str
) -> None:
    _import(database, f"email,topic,status\n{cell},news,unsubscribed\n")
    with database.reading() as session:
        assert make.events(session, ADA) == [("unsubscribed", "news")]


@pytest.mark.parametrize("cell", ["all", " ALL.", '"""all"""', "“all”", "(all)", "\u200ball"])
def test_a_kind_may_have_stray_characters(database: Database, cell: str) -> None:
    _import(database, f"email,kind\n{ADA},{cell}\n")
    assert set(_person(database).suppressions) == {"all"}


def test_a_frequency_may_have_stray_characters(database: Database) -> None:
    _import(database, f"email,topic,frequency\n{ADA},news,“Weekly”.\n")
    assert _person(database).subscriptions["news"].frequency == "weekly"


@pytest.mark.parametrize(
    ("word", "kind"),
    [("Hard bounce", "address"), ("spam-complaint", "all"), ("Spam report", "all")],
)
def test_a_status_of_another_system_has_the_same_effect_as_ours(
    database: Database, word: str, kind: str
) -> None:
    _import(database, f"email,topic,status\n{ADA},news,{word}\n")
    assert set(_person(database).suppressions) == {kind}


def test_an_unknown_kind_does_not_prevent_an_unsubscribe(database: Database) -> None:
    outcome = Outcome(database, f"email,topic,status,kind\n{ADA},news,unsubscribed,customer\n")
    assert outcome.warnings == [
        (2, "kind is not one of topic, all, address: only the status is used")
    ]
    with database.reading() as session:
        assert make.events(session, ADA) == [("unsubscribed", "news")]


def test_an_unknown_kind_refuses_a_row_that_is_not_an_unsubscribe(database: Database) -> None:
    for status in ("subscribed", "", "customer"):
        text = f"email,topic,status,kind\n{ADA},news,{status},customer\n"
        _, refused = _import(database, text)
        assert [row.why for row in refused] == ["kind must be one of topic, all, address"]


def test_a_kind_may_be_in_capitals(database: Database) -> None:
    _import(database, f"email,topic,status,kind\n{ADA},news,unsubscribed, ALL\n")
    assert set(_person(database).suppressions) == {"all"}


@pytest.mark.parametrize(
    "word", ["Unsubscribed from all", "Unsubscribed - admin", "UNSUBSCRIBED_BY_USER"]
)
def test_a_status_that_begins_with_a_word_for_an_unsubscribe_is_one(
    database: Database, word: str
) -> None:
    text = f"email,topic,status\n{ADA},weekly-news,{word}\n"
    assert Outcome(database, text).counts["unsubscribed"] == 1


def test_a_bounce_is_applied_beside_a_suppression_of_the_same_time(database: Database) -> None:
    text = (
        "email,topic,status,changed_at,changed_by\n"
        f"{ADA},weekly-news,subscribed,2025-01-01,\n"
        f"{ADA},,unsubscribed,2026-01-01,import\n"
        f"{ADA},weekly-news,bounced,2026-01-01,import\n"
    )
    assert Outcome(database, text).counts == {"added": 1, "unsubscribed": 2}
    assert set(_person(database).suppressions) == {Scope.ALL, Scope.ADDRESS}
