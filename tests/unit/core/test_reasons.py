"""Unsubscribe reasons: one for each change, without personal data."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from preference_center.core import reasons
from preference_center.core.errors import InvalidReasonError
from preference_center.core.vocab import ReasonCode
from preference_center.store import Database
from preference_center.store.tables import Reason
from tests.support import make

LATER = make.NOW + timedelta(days=8)
ADDRESSES = [
    "ada@example.org",
    "Ada.Lovelace+news@mail.example.org",
    "ada@work@example.org",
    "mailto:ada@example.org",
    "ada@example.org,bob@example.org",
    '"ada"@example.org',
    "ada@[192.0.2.1]",
    "ada＠example.org",
    "ada @ example.org",
    "ada @example.org",
    "ada(at)example.org",
    "ada [AT] example.org",
    "ada@münchen.de",
    "أحمد@مثال.مصر",
    "ada@example",
]
NUMBERS = [
    "12345",
    "0123456789",
    "+49 30 123456",
    "+49 (0) 30 / 12 34 56",
    "030–12 34 56",
    "01-23-45-67-89",
    "01.23.45.67.89",
    "4111 1111 1111 1111",
    "12,345",
    "1'234'567",
    "1 2 3 4 5",
    "12‑34‑56",
    "12\u200e34\u200e56",
    "1\u00ad2345",
    "١٢٣٤٥٦",
    "１２３４５",
    "2026-11-22",
]
WORDS = st.text("abcdefghijklmnopqrstuvwxyzäöüñéأبتث", min_size=1, max_size=8)


def _unsubscribe(session: Session, campaign: str | None = None) -> int:
    make.subscriber(session)
    return make.unsubscribe(session, campaign=campaign).last_seq


def _record(
    session: Session, seq: int, code: ReasonCode, note: str = "", at: datetime = make.NOW
) -> Reason:
    reasons.record(session, make.id_of(), seq, code, note, at)
    session.flush()
    return session.query(Reason).one()


def test_a_reason_records_its_topic_campaign_and_time(database: Database) -> None:
    with database.transaction() as session:
        reason = _record(
            session,
            _unsubscribe(session, campaign="2026-47"),
            ReasonCode.TOO_MANY,
            "Daily is a lot",
        )
        assert (reason.topic, reason.campaign) == ("weekly-news", "2026-47")
        assert (reason.code, reason.note) == ("too_many", "Daily is a lot")
        assert (reason.week, reason.given_at) == (date(2026, 11, 16), make.NOW)


def test_a_reason_for_a_global_unsubscribe_names_no_topic(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session, slug=None)
        assert _record(session, unsubscribe.last_seq, ReasonCode.OTHER).topic is None


def test_a_second_reason_replaces_the_first(database: Database) -> None:
    with database.transaction() as session:
        seq = _unsubscribe(session)
        _record(session, seq, ReasonCode.TOO_MANY, "Every day!")
    with database.transaction() as session:
        reason = _record(session, seq, ReasonCode.OTHER, at=LATER)
        assert (reason.code, reason.note, reason.given_at) == ("other", "", LATER)


def test_each_change_has_a_reason_of_its_own(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        one, two = make.unsubscribe(session), make.unsubscribe(session, slug="offers")
        for seq, code in (
            (one.last_seq, ReasonCode.TOO_MANY),
            (two.last_seq, ReasonCode.NOT_RELEVANT),
        ):
            reasons.record(session, make.id_of(), seq, code, "", make.NOW)
        given = reasons.given(session, make.id_of())
        assert {seq: each.code for seq, each in given.items()} == {
            one.last_seq: ReasonCode.TOO_MANY,
            two.last_seq: ReasonCode.NOT_RELEVANT,
        }


@pytest.mark.parametrize("code", list(ReasonCode))
def test_each_code_is_accepted(database: Database, code: ReasonCode) -> None:
    with database.transaction() as session:
        assert _record(session, _unsubscribe(session), code).code == code


def test_a_note_over_500_characters_is_refused(database: Database) -> None:
    with database.transaction() as session:
        seq = _unsubscribe(session)
        with pytest.raises(InvalidReasonError):
            reasons.record(session, make.id_of(), seq, ReasonCode.OTHER, "x" * 501, make.NOW)
        assert session.query(Reason).count() == 0


def test_a_note_of_500_characters_is_kept_whole(database: Database) -> None:
    with database.transaction() as session:
        assert (
            _record(session, _unsubscribe(session), ReasonCode.OTHER, "x" * 500).note == "x" * 500
        )


def test_a_note_is_masked_before_it_is_written(database: Database) -> None:
    with database.transaction() as session:
        note = "Write to ada@example.org\x00 or\r\n call 030 123456"
        reason = _record(session, _unsubscribe(session), ReasonCode.OTHER, note)
        assert reason.note == "Write to [address] or call [number]"


@pytest.mark.parametrize("address", ADDRESSES)
def test_each_kind_of_address_is_masked(address: str) -> None:
    assert reasons.masked(f"It is {address} now") == "It is [address] now"
    assert reasons.masked(f"<{address}>") == "<[address]>"


def test_a_note_has_no_escape_sequence_of_a_terminal() -> None:
    assert reasons.masked("a\x1b[2Jb\x9b") == "a [2Jb"


@pytest.mark.parametrize("number", NUMBERS)
def test_each_kind_of_number_is_masked(number: str) -> None:
    assert reasons.masked(f"Call {number} now") == "Call [number] now"


@pytest.mark.parametrize(
    "note",
    ["5 mails a day, 35 a week", "In 2024 and 2025", "100 %", "@home", "me @ work", "1234", "a@"],
)
def test_harmless_text_is_kept(note: str) -> None:
    assert reasons.masked(note) == note


@given(st.emails(), WORDS, WORDS)
def test_any_address_is_masked(address: str, before: str, after: str) -> None:
    masked = reasons.masked(f"{before} {address} {after}")
    assert "@" not in masked
    assert address.rpartition("@")[2].lower() not in masked.lower()
    assert "[address]" in masked or "[number]" in masked


@given(
    st.lists(st.integers(0, 9), min_size=5, max_size=20),
    st.sampled_from(["", " ", "-", ".", " / ", ") ", "–", "\u202f", ", "]),
    WORDS,
    WORDS,
)
def test_any_number_of_five_or_more_digits_is_masked(
    digits: list[int], between: str, before: str, after: str
) -> None:
    number = between.join(map(str, digits))
    assert reasons.masked(f"{before} {number} {after}") == f"{before} [number] {after}"


@given(st.text(max_size=reasons.MAX_NOTE_LENGTH))
def test_masked_text_contains_no_address_and_no_number(note: str) -> None:
    masked = reasons.masked(note)
    assert not re.search(r"(?:\d\W?){5}", masked)
    assert not re.search(r"\w@\w", masked)
    assert masked == reasons.masked(masked), "masking twice changes nothing"


@pytest.mark.parametrize(
    ("at", "week"),
    [
        (datetime(2026, 11, 23, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2026, 11, 22, 23, 59, tzinfo=UTC), date(2026, 11, 16)),
        (datetime.fromisoformat("2026-11-23T00:30:00+02:00"), date(2026, 11, 16)),
        (datetime(2027, 1, 1, tzinfo=UTC), date(2026, 12, 28)),
    ],
)
def test_a_week_begins_on_monday_utc(at: datetime, week: date) -> None:
    assert reasons.week_of(at) == week
