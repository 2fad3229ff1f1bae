"""Filters select the same rows as a loop over all rows would, on both engines."""

import io
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from preference_center.core.errors import ExportRefusal
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import (
    Frequency,
    ImportStatus,
    OutboxKind,
    OutboxState,
    Scope,
    Source,
    Status,
)
from preference_center.data import exports
from preference_center.store import Database
from preference_center.store.tables import (
    Base,
    Claim,
    FailedMailing,
    KeyCheck,
    OutboxRow,
    SubscriberRow,
    SubscriptionRow,
    SuppressionRow,
)
from tests.support import make

pytestmark = pytest.mark.every_engine

Row = dict[str, str]
TOPICS = ("weekly-news", "offers", "0")
CAMPAIGNS = ("2026-47", "2026-48", "a.b", "A_b", "-c")
LOCALES = ("de", "de-AT", None)
HOURS = st.integers(0, 60).map(lambda hours: make.NOW + timedelta(hours=hours))

PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "locale": st.sampled_from(LOCALES),
            "suppressions": st.dictionaries(
                st.sampled_from(["all", "address"]),
                st.tuples(st.sampled_from(list(Source)), HOURS),
            ),
            "subscriptions": st.dictionaries(
                st.sampled_from(TOPICS),
                st.tuples(
                    st.sampled_from(list(Status)),
                    st.sampled_from(list(Frequency)),
                    st.sampled_from(list(Source)),
                    HOURS,
                ),
            ),
            "claims": st.dictionaries(
                st.tuples(st.sampled_from(TOPICS), st.sampled_from(CAMPAIGNS)), HOURS, max_size=3
            ),
            "emails": st.lists(
                st.tuples(
                    st.sampled_from([each for each in OutboxState if each != "pending"]),
                    st.sampled_from(["", *TOPICS]),
                    st.sampled_from(LOCALES),
                    HOURS,
                ),
                max_size=2,
            ),
            "bounces": st.dictionaries(
                st.tuples(st.sampled_from(["permanent", "soft"]), st.sampled_from(["", *TOPICS])),
                HOURS,
                max_size=2,
            ),
        }
    ),
    min_size=2,
    max_size=4,
)
FILTERS = st.fixed_dictionaries(
    {
        "topic": st.sampled_from(TOPICS),
        "since": HOURS,
        "until": HOURS,
        "frequency": st.sampled_from(list(Frequency)),
        "locale": st.sampled_from(["de", "de-AT", "fr"]),
        "campaign": st.sampled_from(CAMPAIGNS),
        "status": st.integers(0, 4),
    },
)
KINDS = ("preferences", "suppressions", "claims", "outbox", "bounces")


def _clear(session: Session) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        if table.name != KeyCheck.__tablename__:
            session.execute(delete(table))


def _build(session: Session, people: list[dict[str, Any]]) -> None:
    for slug in TOPICS:
        make.topic(session, slug)
    for number, person in enumerate(people, start=1):
        key = {"subscriber_id": UUID(int=number)}
        rest = {"seq": 0, "head": bytes(32), "created_at": make.NOW}
        email = f"p{number}@example.org"
        session.execute(
            insert(SubscriberRow).values(**key, **rest, email=email, locale=person["locale"])
        )
        for kind, (source, at) in person["suppressions"].items():
            row = {"kind": Scope(kind), "since": make.NOW, "source": source, "updated_at": at}
            session.execute(insert(SuppressionRow).values(**key, **row))
        for topic, (status, frequency, source, at) in person["subscriptions"].items():
            row = {"topic": topic, "status": status, "frequency": frequency, "source": source}
            row |= dict.fromkeys(("basis", "acquired_from", "consent_source"), "")
            row |= {"changed_at": make.NOW, "updated_at": at}
            session.execute(insert(SubscriptionRow).values(**key, **row))
        for (topic, campaign), at in person["claims"].items():
            row = {"topic": topic, "campaign": campaign, "claimed_at": at}
            session.execute(insert(Claim).values(**key, **row, received=1))
        for position, email_row in enumerate(person["emails"]):
            session.execute(insert(OutboxRow).values(**key, **_outbox_row(position, *email_row)))
        for (severity, topic), at in person["bounces"].items():
            row = {"severity": BounceSeverity(severity), "topic": topic, "code": ""}
            session.execute(insert(FailedMailing).values(**key, **row, day=at.date()))


def _outbox_row(
    position: int, state: OutboxState, topic: str, locale: str | None, at: datetime
) -> dict[str, Any]:
    times = dict.fromkeys(("created_at", "latest_at", "due_at"), at)
    numbers = {"first_seq": 0, "last_seq": 0, "attempts": 0}
    kinds = {"kind": OutboxKind.LINK, "topic": topic, "state": state, "locale": locale}
    return {"id": UUID(int=position), "message_id": "x", **times, **numbers, **kinds}


def _model(what: str, row: Row, people: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the values of a row by which it may be selected, apart from its columns."""
    person = people[UUID(row["id"]).int - 1]
    if what == "preferences":
        at, locale, status = _changed(person, row["topic"]), row["locale"], row["status"]
    elif what == "suppressions":
        at, locale = _stopped(person, row), person["locale"] or ""
        ending = {"bounce": "bounced", "complaint": "complained"}
        status = ending.get(row["source"], "unsubscribed")
    elif what == "outbox":
        at, locale, status = datetime.fromisoformat(row["created_at"]), row["locale"], row["status"]
    elif what == "bounces":
        at, locale, status = datetime.fromisoformat(row["day"]), "", row["severity"]
    else:
        at, locale, status = datetime.fromisoformat(row["claimed_at"]), "", ""
    return {"at": at, "locale": locale, "status": status}


def _changed(person: dict[str, Any], topic: str) -> datetime:
    at: datetime = person["subscriptions"][topic][3]
    return at


def _stopped(person: dict[str, Any], row: Row) -> datetime:
    at: datetime
    if row["kind"] == "topic":
        at = person["subscriptions"][row["topic"]][3]
    else:
        at = person["suppressions"][row["kind"]][1]
    return at


def _matches(what: str, row: Row, more: dict[str, Any], wanted: exports.Filter) -> bool:
    at = more["at"]
    if what == "bounces":  # by whole days
        in_time = (wanted.since is None or at.date() >= wanted.since.date()) and (
            wanted.until is None or at.date() <= (wanted.until - timedelta.resolution).date()
        )
    else:
        in_time = (wanted.since is None or at >= wanted.since) and (
            wanted.until is None or at < wanted.until
        )
    pairs = [
        (wanted.frequency, row.get("frequency")),
        (wanted.campaign, row.get("campaign")),
        (wanted.locale, more["locale"]),
        (wanted.status, more["status"]),
    ]
    if what != "suppressions":
        pairs.append((wanted.topic, row.get("topic")))
    return in_time and all(value is None or value == found for value, found in pairs)


def _rows(session: Session, what: str, wanted: exports.Filter) -> list[Row]:
    file = io.BytesIO()
    exports.Export(exports.KINDS[what], wanted, "jsonl").write(session, file)
    lines = file.getvalue().decode().splitlines()
    return [{name: cell or "" for name, cell in json.loads(line).items()} for line in lines]


def _filter(kind: exports.Kind, values: dict[str, Any]) -> exports.Filter:
    """Return those of the values that this kind has."""
    known = {*kind.filters, "since", "until"}
    chosen = {name: value for name, value in values.items() if name in known}
    if "status" in chosen:
        chosen["status"] = kind.statuses[chosen["status"] % len(kind.statuses)]
    return exports.Filter(**chosen)


@pytest.mark.integration
@given(people=PEOPLE, values=FILTERS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_filter_selects_what_a_loop_would(
    database: Database, people: list[dict[str, Any]], values: dict[str, Any]
) -> None:
    with database.transaction() as session:
        _clear(session)
        _build(session, people)
    with database.reading() as session:
        for what in KINDS:
            # A topic adds rows to suppressions, so it is not left out there.
            topics = (None, values["topic"]) if what == "suppressions" else (None,)
            rows = {topic: _rows(session, what, exports.Filter(topic)) for topic in topics}
            for chosen in (values, *({name: value} for name, value in values.items())):
                wanted = _filter(exports.KINDS[what], chosen)
                expected = [
                    row
                    for row in rows[wanted.topic if what == "suppressions" else None]
                    if _matches(what, row, _model(what, row, people), wanted)
                ]
                assert _rows(session, what, wanted) == expected, (what, wanted)


def test_statuses_are_those_in_effect(database: Database) -> None:
    with database.transaction() as session:
        for name in ("stays", "left", "all", "bounced", "complained"):
            make.subscriber(session, f"{name}@example.org")
        make.unsubscribe(session, "left@example.org")
        make.unsubscribe(session, "all@example.org", None)
        make.unsubscribe(session, "bounced@example.org", None, Scope.ADDRESS, source="bounce")
        make.unsubscribe(session, "complained@example.org", None, source="complaint")
        make.subscriber(session, "new@example.org", status=Status.UNCONFIRMED)
    expected = {
        ImportStatus.SUBSCRIBED: {"stays"},
        ImportStatus.UNSUBSCRIBED: {"left", "all"},
        ImportStatus.BOUNCED: {"bounced"},
        ImportStatus.COMPLAINED: {"complained"},
        ImportStatus.UNCONFIRMED: {"new"},
    }
    with database.reading() as session:
        for status, names in expected.items():
            found = _rows(session, "preferences", exports.Filter(status=status))
            assert {row["email"].partition("@")[0] for row in found} == names


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("preferences", {"campaign": "2026-47"}),
        ("suppressions", {"frequency": Frequency.WEEKLY}),
        ("ledger", {"locale": "de"}),
        ("reasons", {"frequency": Frequency.WEEKLY}),
        ("claims", {"locale": "de"}),
        ("outbox", {"campaign": "2026-47"}),
        ("bounces", {"locale": "de"}),
    ],
)
def test_a_filter_that_an_export_does_not_have_is_refused(
    what: str, values: dict[str, Any]
) -> None:
    (name,) = values
    with pytest.raises(ExportRefusal, match=f"{what} exports have no filter {name}"):
        exports.KINDS[what].check(exports.Filter(**values))


@pytest.mark.parametrize(
    ("what", "word", "why"),
    [
        ("preferences", "gone", "is one of: subscribed, unsubscribed"),
        ("suppressions", "subscribed", "is one of: unsubscribed, bounced, complained"),
        ("outbox", "unsubscribed", "is one of: pending, started"),
        ("bounces", "ignored", "is one of: permanent, probable, soft"),
        ("claims", "sent", "claims exports have no filter status"),
    ],
)
def test_an_unknown_status_is_refused(what: str, word: str, why: str) -> None:
    with pytest.raises(ExportRefusal, match=why):
        exports.KINDS[what].status(word)
