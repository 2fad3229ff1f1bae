"""Hold a domain that suddenly reports many addresses as missing: some may still exist (M13).

Gmail answered 5.1.1 for live accounts on 14 and 15 December 2020. `docs/bounces.md` describes the
rule in words.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, func, select
from sqlalchemy.orm import Session

from preference_center.links.addresses import normalise
from preference_center.store import sets
from preference_center.store.tables import BounceCount, ClaimCount

# The bounces of one mailing arrive over days. Those of two weekly mailings must not overlap.
WINDOW = timedelta(days=3)
MIN_FAILURES = 20
# Amazon SES may pause an account at 10 % bounces. A first mailing to an old list has 5 to 15 %. A
# false hold costs one more email to each dead address; a missed one suppresses live addresses.
MAX_SHARE_OF_CLAIMS = 0.1
CLAIMS_WINDOW = timedelta(days=7)
# Without claims, failures are compared with those of the days before.
BASELINE = timedelta(days=14)
MAX_TIMES_USUAL = 5
MAX_DOMAIN = 255  # octets (RFC 1035 §2.3.4)


def domain_of(email: str) -> str:
    """Return the domain of an address in its normal form, or "" if it has none that could exist."""
    _, at, domain = email.rpartition("@")
    normal = normalise(f"x@{domain}").rpartition("@")[2] if at else ""
    return normal if len(normal) <= MAX_DOMAIN else ""


@dataclass
class DomainCounts:
    """How many addresses of some domains were reported missing, and how many emails were claimed.

    Attributes:
        failures: within WINDOW, by domain. `count_failure` adds to them.
        earlier: within BASELINE and before that, by domain.
        claims: on the busiest day of CLAIMS_WINDOW, by domain.
    """

    failures: Counter[str]
    earlier: Counter[str]
    claims: Mapping[str, int]

    @classmethod
    def load(cls, session: Session, domains: Collection[str], now: datetime) -> "DomainCounts":
        """Return the counts of `domains`."""
        recent = case((BounceCount.hour > now - WINDOW, BounceCount.count), else_=0)
        failures = select(
            BounceCount.domain, func.sum(recent), func.sum(BounceCount.count - recent)
        ).where(
            BounceCount.domain.in_(domains),
            BounceCount.hour > now - BASELINE,
            BounceCount.hour <= now,
        )
        claims = select(ClaimCount.domain, func.max(ClaimCount.count).label("busiest")).where(
            ClaimCount.domain.in_(domains),
            ClaimCount.day > (now - CLAIMS_WINDOW).astimezone(UTC).date(),
        )
        found = session.execute(failures.group_by(BounceCount.domain)).all() if domains else []
        claimed = session.execute(claims.group_by(ClaimCount.domain)).all() if domains else []
        return cls(
            Counter({domain: int(count) for domain, count, _ in found}),
            Counter({domain: int(count) for domain, _, count in found}),
            {row.domain: row.busiest for row in claimed},
        )

    def count_failure(self, domain: str) -> None:
        """Count an address of a domain that is newly reported missing."""
        self.failures[domain] += 1

    def is_held(self, domain: str) -> bool:
        """Return True if too many addresses of a domain were reported missing lately."""
        return exceeds(self.failures[domain], self.earlier[domain], self.claims.get(domain))


def add_failures(session: Session, domains: Iterable[str], now: datetime) -> None:
    """Count newly missing addresses, in the order of domains, so that no two writers deadlock."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    counts = sorted(Counter(domains).items())
    sets.add_counts(session, BounceCount, [(domain, hour, count) for domain, count in counts])


def count_claims(session: Session, emails: Iterable[str], now: datetime) -> None:
    """Count emails that are about to be sent, by domain; those without an address are skipped.

    Call it last in a transaction: other writers wait for the rows of the large domains.
    """
    spelt = Counter(email.rpartition("@")[2] for email in emails)
    counts: Counter[str] = Counter()
    for domain, count in spelt.items():
        counts[domain_of(f"x@{domain}")] += count
    counts.pop("", None)
    day = now.astimezone(UTC).date()
    rows = [(domain, day, count) for domain, count in sorted(counts.items())]
    sets.add_counts(session, ClaimCount, rows)


def held(session: Session, now: datetime) -> list[str]:
    """Return the domains of which too many addresses were reported missing lately."""
    many = (
        select(BounceCount.domain)
        .where(BounceCount.hour > now - WINDOW, BounceCount.hour <= now)
        .group_by(BounceCount.domain)
        .having(func.sum(BounceCount.count) >= MIN_FAILURES)
    )
    domains = session.scalars(many.order_by(BounceCount.domain)).all()
    counts = DomainCounts.load(session, domains, now)
    return [each for each in domains if counts.is_held(each)]


def exceeds(failures: int, before: int, claimed: int | None) -> bool:
    """Return True if `failures` within WINDOW are too many to be plausible.

    `before` are those of the rest of BASELINE. `claimed` are the emails claimed for the domain on
    the busiest day of CLAIMS_WINDOW, or None: a daily sender's week would hide a fault of one day.
    """
    if failures < MIN_FAILURES:
        return False
    if claimed:
        return failures > MAX_SHARE_OF_CLAIMS * claimed
    return failures > MAX_TIMES_USUAL * before * (WINDOW / (BASELINE - WINDOW))


def forget_rare(session: Session, domains: Iterable[str]) -> None:
    """Delete the counts of domains with so few emails that each may belong to one person.

    Call it once and last in a transaction, like `count_claims`: both lock the domains in order.
    """
    for domain in sorted(set(domains) - {""}):
        _forget_if_rare(session, BounceCount, BounceCount.hour, domain)
        _forget_if_rare(session, ClaimCount, ClaimCount.day, domain)


def _forget_if_rare(
    session: Session, table: type[BounceCount | ClaimCount], period: Any, domain: str
) -> None:
    counts = select(period, table.count).where(table.domain == domain)
    locked = session.execute(counts.order_by(period).with_for_update()).all()
    if sum(count for _, count in locked) < MIN_FAILURES:
        periods = [each for each, _ in locked]
        session.execute(delete(table).where(table.domain == domain, period.in_(periods)))
