"""Whether anything is wrong: unsubscribes that senders have not read, emails that do not go out.

The limits are those of the alert rules in `docs/monitoring/alerts.yml`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from preference_center.core import consumers, domain_hold, monitoring
from preference_center.core.figures import mailings
from preference_center.core.figures.mailings import Mailing
from preference_center.core.monitoring import Figures
from preference_center.store.tables import ServingProcess

_MAX_SPOOLED = timedelta(minutes=5)
_MAX_SILENT = timedelta(minutes=1)
_MAX_OVERDUE = timedelta(minutes=15)
_MAX_FAILED = 100  # emails within a day
_MAX_UNNUMBERED = timedelta(minutes=5)
_MAX_ERASURE = timedelta(days=2)
_NONE = timedelta(0)


class CheckName(StrEnum):
    """What is checked, the most urgent first."""

    UNFETCHED = "unfetched"  # An unsubscribe that no sender has fetched.
    CONSUMERS = "consumers"  # A program that reads the feed, or a webhook, is behind.
    SPOOLED = "spooled"  # Unsubscribes wait in the spool of a process.
    SILENT = "silent"  # A process with a spool does not report.
    OVERDUE = "overdue"  # Emails that should have been sent.
    FAILED = "failed"  # Emails that could not be sent.
    UNNUMBERED = "unnumbered"  # Changes that are not in the feed yet.
    ERASURES = "erasures"  # Erasures that are not acknowledged.
    HOLDS = "holds"  # Domains whose bounces are ignored now.
    NO_CLAIMS = "no_claims"  # Mailings of which no email was claimed.


@dataclass(frozen=True)
class Check:
    """What one check has found. `count`, `age` and `names` are zero or empty if it is not meant."""

    name: CheckName
    is_bad: bool
    count: int = 0
    age: timedelta = _NONE
    names: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what names it among alarms, which may also be about a mailing."""
        return self.name.value, "", ""


def load(session: Session, found: Collection[Mailing], now: datetime) -> list[Check]:
    """Return all checks. `found` are the mailings of which one without claims is looked for."""
    figures = monitoring.read(session, now)
    held = domain_hold.held(session, now)
    unclaimed = mailings.without_claims(session, found)
    return [
        *_of_figures(figures),
        _spooled(session, now),
        Check(CheckName.HOLDS, bool(held), len(held), names=tuple(held)),
        Check(
            CheckName.NO_CLAIMS,
            bool(unclaimed),
            len(unclaimed),
            names=tuple(sorted(each.campaign for each in unclaimed)),
        ),
    ]


def _of_figures(figures: Figures) -> list[Check]:
    late = {name: age for name, age in figures.unfetched_by.items() if age > consumers.MAX_AGE}
    return [
        _aged(CheckName.UNFETCHED, figures.oldest_unfetched, consumers.MAX_AGE),
        Check(
            CheckName.CONSUMERS,
            bool(late),
            len(late),
            max(figures.unfetched_by.values(), default=_NONE),
            tuple(sorted(late)),
        ),
        _aged(CheckName.SILENT, figures.oldest_report, _MAX_SILENT, figures.processes),
        _aged(CheckName.OVERDUE, figures.outbox_overdue, _MAX_OVERDUE, figures.outbox_pending),
        Check(CheckName.FAILED, figures.outbox_failed > _MAX_FAILED, figures.outbox_failed),
        _aged(CheckName.UNNUMBERED, figures.oldest_unnumbered, _MAX_UNNUMBERED),
        _aged(CheckName.ERASURES, figures.oldest_erasure, _MAX_ERASURE, figures.erasures_waiting),
    ]


def _aged(name: CheckName, age: timedelta, limit: timedelta, count: int = 0) -> Check:
    return Check(name, age > limit, count, age)


def _spooled(session: Session, now: datetime) -> Check:
    row = ServingProcess
    statement = select(func.sum(row.waiting_rows), func.min(row.oldest_at))
    rows, oldest = session.execute(statement.where(row.waiting_rows > 0)).one()
    age = max(now - oldest, _NONE) if oldest is not None else _NONE
    return _aged(CheckName.SPOOLED, age, _MAX_SPOOLED, int(rows or 0))
