"""What is wrong now: checks, and mailings that cost clearly more than others of their topic."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.figures import checks, mailings
from preference_center.core.figures.checks import Check
from preference_center.core.figures.mailings import Mailing
from preference_center.core.figures.period import Period, Span
from preference_center.core.figures.rates import Rate
from preference_center.core.figures.spikes import is_above, usual_rates, with_emails
from preference_center.store import queries
from preference_center.store.report_queries import day_of
from preference_center.store.tables import StaffAlarm

SPAN = Span.QUARTER
NEW_FOR = timedelta(days=7)  # An older mailing causes no alarm.
_SPIKE = "spike"
Key = tuple[str, str, str]  # the name of a check, or _SPIKE with a topic and a campaign


@dataclass(frozen=True)
class Spike:
    """A mailing of the last NEW_FOR, and the rate of the topic's other mailings of SPAN."""

    mailing: Mailing
    usual: Rate

    @property
    def key(self) -> Key:
        return (_SPIKE, *self.mailing.key)


@dataclass(frozen=True)
class Alarms:
    """The checks that are bad, the spikes, and the names of topics."""

    checks: Sequence[Check]
    spikes: Sequence[Spike]
    names: Mapping[str, str]

    @property
    def keys(self) -> list[Key]:
        """Return what names each of them."""
        return [*(each.key for each in self.checks), *(each.key for each in self.spikes)]


def load(session: Session, now: datetime) -> Alarms:
    """Return what is wrong."""
    found = mailings.read(session, Period(SPAN, now))
    bad = [each for each in checks.load(session, found, now) if each.is_bad]
    return Alarms(bad, find_spikes(found, now), topics.names(session))


def find_spikes(found: Iterable[Mailing], now: datetime) -> list[Spike]:
    """Return the new mailings whose rate is clearly above that of the topic's other mailings.

    There is none for a topic whose other mailings have too few emails.
    """
    emailed = with_emails(found)
    usual, spikes = usual_rates(emailed), []
    for each in emailed:
        own, others = each.rate, usual[each.key]
        is_new = each.first_day is not None and each.first_day >= day_of(now - NEW_FOR)
        if is_new and own and others and is_above(own, others):
            spikes.append(Spike(each, others))
    return spikes


def note(session: Session, found: Alarms, now: datetime) -> datetime | None:
    """Store since when each is wrong, and return when the newest was noticed, or None."""
    over = noticed(session).keys() - {*found.keys}
    if over:
        key = tuple_(StaffAlarm.name, StaffAlarm.topic, StaffAlarm.campaign)
        session.execute(delete(StaffAlarm).where(key.in_(over)))
    new = [
        {"name": name, "topic": topic, "campaign": campaign, "noticed_at": now}
        for name, topic, campaign in found.keys
    ]
    queries.insert_missing(session, StaffAlarm, new)
    return max(noticed(session).values(), default=None)


def noticed(session: Session) -> dict[Key, datetime]:
    """Return when each was noticed."""
    rows = session.scalars(select(StaffAlarm))
    return {(row.name, row.topic, row.campaign): row.noticed_at for row in rows}
