"""What is known of the earlier bounces of one subscriber, and what a new one adds."""

from dataclasses import dataclass, field
from datetime import date

from preference_center.core.domain_hold import DomainCounts
from preference_center.core.inbound_vocab import BounceSeverity


@dataclass(frozen=True)
class FailedMailing:
    """A UTC day on which an email finally failed; `store.tables` describes the columns."""

    day: date
    severity: BounceSeverity
    topic: str
    code: str
    ended_domain: str | None = None


@dataclass
class BounceHistory:
    """The failed mailings of the last half year, including those that ended email.

    Attributes:
        domains: the counts of the domains of all bounces that are recorded together.
        failures: the failed mailings, with those that were added.
        claims: the days on which an email was claimed and not released, if they matter.
        added: the failed mailings to write.
        is_cleared: True if those on record are to be deleted.
        missing: the domains for which a newly missing address is to be counted.
        held: the domains that were held when an email to the subscriber bounced.
    """

    domains: DomainCounts
    failures: list[FailedMailing] = field(default_factory=list)
    claims: set[date] = field(default_factory=set)
    added: list[FailedMailing] = field(default_factory=list)
    is_cleared: bool = False
    missing: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    def add(self, failure: FailedMailing) -> None:
        """Add a failed mailing."""
        self.failures.append(failure)
        self.added.append(failure)

    def clear(self) -> None:
        """Forget every failed mailing."""
        self.failures.clear()
        self.added.clear()
        self.is_cleared = True

    def count_missing(self, domain: str) -> None:
        """Count an address of a domain that is newly reported missing."""
        self.missing.append(domain)
        self.domains.count_failure(domain)
