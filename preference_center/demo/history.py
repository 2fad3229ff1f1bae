"""Half a year of the demo's company: sign-ups, mailings and the readers' reactions, in order.

Fixed random seeds make the same history every time. All changes go through `core`, in one
transaction, so the history is complete or absent.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import (
    anonymizing,
    audience,
    fetches,
    page_views,
    subscribers,
    topics,
)
from preference_center.core.apply import apply
from preference_center.core.vocab import FetchKind, Frequency, ImportStatus, Source
from preference_center.data.identity import RowIdentity
from preference_center.data.import_batch import ImportRecord
from preference_center.data.import_records import PreferenceRecord
from preference_center.demo.company import READER, TOPICS, add_topics
from preference_center.demo.readers import Readers, Schedule
from preference_center.demo.wordings import SIGNING_UP
from preference_center.links.minter import Minter
from preference_center.store import Database

WEEKS = 26
_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
_REASON_IDENTITIES = timedelta(days=90)  # How long the demo keeps them, as by default.
_SHARE_AT_START = 0.6  # Of all readers, those who signed up before the first mailing.
_SHARE_TODAY = 0.07  # Of all readers, those who signed up after the latest mailing.
_SHARE_OF_TOPIC = {"weekly-news": 0.8, "product-news": 0.5, "offers": 0.55}
_LANGUAGES = {None: 75, "de": 17, "ar": 8}
_STATUSES = {ImportStatus.SUBSCRIBED: 98, ImportStatus.UNCONFIRMED: 2}
_FREQUENCIES = {
    "weekly-news": {Frequency.EVERY: 90, Frequency.MONTHLY: 10},
    "product-news": {Frequency.EVERY: 100},
    "offers": {Frequency.EVERY: 86, Frequency.WEEKLY: 10, Frequency.MONTHLY: 4},
}

_Choice = TypeVar("_Choice")


def fill(
    database: Database,
    minter: Minter,
    emails: Sequence[str],
    now: datetime,
    progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> dict[str, datetime]:
    """Add the topics, the readers and their history, unless the database has them.

    Return when each topic was last mailed, or nothing if the history was there before. `progress`
    is called with how many mailings are done, and how many there are.
    """
    addresses = {minter.subscriber_id(email): email for email in emails}
    with database.transaction() as session:
        add_topics(session, _start(now))
        last = subscribers.find(session, list(addresses)[-1])
        if last is not None:
            return {}
        return _History(session, minter.subscriber_id(READER), now).make(addresses, progress)


def campaign_of(at: datetime) -> str:
    """Return the campaign of a past mailing. Campaigns sort by name in the order of sending."""
    return f"{at:%Y-%m-%d}"


def mailings(now: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield the time and topic of each mailing, in order.

    Weekly news goes out on Fridays, product news monthly, and offers at irregular times.
    """
    chance = random.Random(2028)  # noqa: S311
    for week in range(WEEKS + 1):
        monday = _start(now) + week * _WEEK
        in_week = [(monday + 4 * _DAY + 9 * _HOUR, "weekly-news")]
        if (monday + _DAY).day <= 7:
            in_week.append((monday + _DAY + 10 * _HOUR, "product-news"))
        for day in chance.sample(range(7), chance.choice((1, 1, 1, 1, 2))):
            minutes = timedelta(minutes=chance.randrange(7 * 60, 18 * 60))
            in_week.append((monday + day * _DAY + minutes, "offers"))
        yield from ((at, slug) for at, slug in sorted(in_week) if at < now)


def _start(now: datetime) -> datetime:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - today.weekday() * _DAY - WEEKS * _WEEK


class _History:
    """One run through the half-year."""

    def __init__(self, session: Session, reader_id: UUID, now: datetime) -> None:
        self._session = session
        self._reader_id = reader_id
        self._now = now
        # Fixed seeds: the history must be believable, not secret.
        self._chance = random.Random(2027)  # noqa: S311
        self._topics = {topic.slug: topic for topic in topics.list_topics(session)}
        self._schedule = Schedule()
        self._readers = Readers(session, self._topics, self._schedule, self._chance)
        self._lists: dict[str, list[UUID]] = {new.slug: [] for new in TOPICS}

    def make(
        self, addresses: Mapping[UUID, str], progress: Callable[[int, int], object]
    ) -> dict[str, datetime]:
        """Make the history, and return when each topic was last mailed."""
        self._plan_sign_ups(addresses)
        latest, planned = {}, list(mailings(self._now))
        for done, (at, slug) in enumerate(planned):
            progress(done, len(planned))
            self._run_until(at)
            self._send(slug, at)
            latest[slug] = at
        self._run_until(self._now)
        page_views.add(self._session, self._readers.page_views)
        for kind in (
            FetchKind.PREFERENCES,
            FetchKind.SUPPRESSIONS,
        ):  # The company's nightly exports.
            fetches.record(self._session, kind, fetches.EVERYTHING, self._now)
        while anonymizing.anonymize(self._session, self._now - _REASON_IDENTITIES):
            pass
        return latest

    def _run_until(self, end: datetime) -> None:
        self._schedule.run_until(end)
        while self._readers.make_changes():
            self._schedule.run_until(end)

    def _plan_sign_ups(self, addresses: Mapping[UUID, str]) -> None:
        """Plan imports: most readers at the start, some every Monday, and the last ones now."""
        ids, start = list(addresses), _start(self._now) + 6 * _HOUR
        first, last = (int(len(ids) * share) for share in (_SHARE_AT_START, 1 - _SHARE_TODAY))
        weekly = -(-(last - first) // (WEEKS - 1))
        self._plan_import(addresses, ids[:first], 1200 * _DAY, start)
        for week, index in enumerate(range(first, last, weekly), 1):
            some = ids[index : min(index + weekly, last)]
            self._plan_import(addresses, some, _WEEK, start + week * _WEEK)
        self._plan_import(addresses, ids[last:], _DAY, self._now - timedelta.resolution)

    def _plan_import(
        self, addresses: Mapping[UUID, str], ids: list[UUID], within: timedelta, at: datetime
    ) -> None:
        known = {each: addresses[each] for each in ids}
        self._schedule.plan(at, partial(self._import, known, within))

    def _import(self, addresses: Mapping[UUID, str], within: timedelta, at: datetime) -> None:
        subscribers.upsert_addresses(self._session, addresses, at)
        # The order of addresses, not of ids: the ids depend on this folder's own key.
        signed_up = [
            ImportRecord(each, record, at)
            for each, email in addresses.items()
            for record in self._sign_up(each, email, at - within * self._chance.random())
        ]
        apply(self._session, signed_up, at)

    def _sign_up(self, reader_id: UUID, email: str, joined: datetime) -> Iterator[PreferenceRecord]:
        language = self._one_of(_LANGUAGES)
        for new in TOPICS:
            wanted = self._chance.random() < _SHARE_OF_TOPIC[new.slug]
            status, frequency = self._one_of(_STATUSES), self._one_of(_FREQUENCIES[new.slug])
            if reader_id == self._reader_id:
                wanted, language = True, None
                status, frequency = ImportStatus.SUBSCRIBED, Frequency.EVERY
            if wanted:
                self._lists[new.slug].append(reader_id)
                yield PreferenceRecord(
                    identity=RowIdentity(reader_id, email),
                    topic=new.slug,
                    status=status,
                    frequency=frequency,
                    paused_until=None,
                    locale=language,
                    consent_at=joined if status is ImportStatus.SUBSCRIBED else None,
                    consent_source="sign-up form",
                    consent_wording=SIGNING_UP.format(new.name),
                    basis="",
                    acquired_from="",
                    changed_at=joined,
                    changed_by=Source.IMPORT,
                )

    def _one_of(self, weights: Mapping[_Choice, int]) -> _Choice:
        return self._chance.choices(list(weights), list(weights.values()))[0]

    def _send(self, slug: str, at: datetime) -> None:
        campaign, asked = campaign_of(at), self._lists[slug]
        verdicts = audience.claim(self._session, self._topics[slug], campaign, asked, at)
        # The demo's visitor acts for the one reader that is left out.
        allowed = [each for each in asked if verdicts[each].allows and each != self._reader_id]
        self._readers.receive(allowed, slug, campaign, at)
