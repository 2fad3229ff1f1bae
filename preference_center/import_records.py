"""What a row of an import says, checked: whose it is, and what they get or have stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

from preference_center.addresses import fingerprint, is_mailable
from preference_center.core.consent import Source
from preference_center.core.preferences import FREQUENCIES
from preference_center.core.topics import LANGUAGE_TAG
from preference_center.links import SLUG
from preference_center.rows import Row

STATUSES = ("subscribed", "unsubscribed", "unconfirmed", "bounced", "complained")
STOPS = ("unsubscribed", "bounced", "complained")
KINDS = ("all", "address", "topic")
LONGEST_CELL = 1000
_CLOCKS_DIFFER_BY = timedelta(days=1)


class BadRowError(ValueError):
    """A row cannot be used; the message says why, and holds nothing of the row."""


@dataclass(frozen=True)
class Person:
    """Who a row is about. `email` is None where only the id is known."""

    id: UUID
    email: str | None


@dataclass(frozen=True)
class PreferenceRecord:
    """A row of preferences: one person, one topic."""

    person: Person
    topic: str
    status: str
    frequency: str
    paused_until: datetime | None
    locale: str | None
    consent_at: datetime | None
    consent_source: str
    consent_wording: str
    basis: str
    acquired_from: str
    changed_at: datetime | None
    changed_by: str


@dataclass(frozen=True)
class SuppressionRecord:
    """A row of suppressions: one person, one stop."""

    person: Person
    kind: str
    topic: str
    since: datetime | None
    source: str
    erased_at: datetime | None


def read_person(cells: Mapping[str, str], identity_key: str) -> Person:
    """Return whose row it is, by the plain cells `email` or `id`; raise BadRowError."""
    email = cells.get("email", "").strip()
    text = cells.get("id", "").strip()
    try:
        given = UUID(text) if text else None
    except ValueError:
        raise BadRowError("the id is not a subscriber id") from None
    if not email:
        if given is None:
            raise BadRowError("neither an email nor an id")
        return Person(given, None)
    found = fingerprint(email, identity_key)
    if given not in (None, found):
        raise BadRowError(
            "the id is not that of this email: was it made with another identity key?"
        )
    return Person(found, email)


def read_preference(
    row: Row, identity_key: str, now: datetime, default_topic: str | None
) -> PreferenceRecord:
    """Return a row of preferences, checked; raise BadRowError."""
    cells = _plain(row)
    person = read_person(cells, identity_key)
    if cells.get("kind"):
        raise BadRowError("this row is a suppression: put it in a file of its own")
    status = _one_of("status", cells.get("status") or "subscribed", STATUSES)
    if status not in STOPS and person.email is not None and not is_mailable(person.email):
        raise BadRowError("not an email address that mail can be sent to")
    consent_at = _time("consent_at", cells, now)
    return PreferenceRecord(
        person=person,
        topic=_topic(cells.get("topic") or default_topic or ""),
        status=status,
        frequency=_one_of("frequency", cells.get("frequency") or "every", FREQUENCIES),
        paused_until=_time("paused_until", cells),
        locale=_locale(cells.get("locale", "")),
        consent_at=consent_at,
        consent_source=cells.get("consent_source", ""),
        consent_wording=cells.get("consent_wording", ""),
        basis=cells.get("basis", ""),
        acquired_from=cells.get("acquired_from", ""),
        changed_at=_time("changed_at", cells, now),
        changed_by=_source(cells.get("changed_by", ""), _IMPLIED.get(status, "import")),
    )


_IMPLIED = {"bounced": "bounce", "complained": "complaint"}


def read_suppression(row: Row, identity_key: str, now: datetime) -> SuppressionRecord:
    """Return a row of suppressions, checked; raise BadRowError."""
    cells = _plain(row)
    kind = _one_of("kind", cells.get("kind", ""), KINDS)
    return SuppressionRecord(
        person=read_person(cells, identity_key),
        kind=kind,
        topic=_topic(cells.get("topic", "")) if kind == "topic" else "",
        since=_time("since", cells, now),
        source=_source(cells.get("source", ""), "import"),
        erased_at=_time("erased_at", cells, now),
    )


def _plain(row: Row) -> dict[str, str]:
    cells = dict(row.cells)
    if any("\x00" in cell for cell in cells.values()):
        raise BadRowError("a cell contains a NUL")
    if any(len(cell) > LONGEST_CELL for cell in cells.values()):
        raise BadRowError(f"a cell is longer than {LONGEST_CELL} characters")
    return cells


def _one_of(column: str, value: str, choices: tuple[str, ...]) -> str:
    plain = value.strip().lower()
    if plain not in choices:
        raise BadRowError(f"{column} must be one of {', '.join(choices)}")
    return plain


def _topic(value: str) -> str:
    if not SLUG.fullmatch(value.strip()):
        raise BadRowError("the topic is missing, or not 1 to 32 of a-z, 0-9 and -")
    return value.strip()


def _locale(value: str) -> str | None:
    tag = value.replace("_", "-")
    if tag and not LANGUAGE_TAG.fullmatch(tag):
        raise BadRowError("the locale is not a language tag, like de or pt-BR")
    return tag or None


def _source(value: str, default: str) -> str:
    return value if value in get_args(Source) else default


def _time(column: str, cells: Mapping[str, str], now: datetime | None = None) -> datetime | None:
    """Return the time in a column, which lies before `now` where that is given."""
    text = cells.get(column, "").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRowError(
            f"{column} is not a time, like 2026-11-22 or 2026-11-22T14:05:00Z"
        ) from None
    if now is not None and at > now + _CLOCKS_DIFFER_BY:
        raise BadRowError(f"{column} lies in the future")
    return at
