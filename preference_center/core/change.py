"""What a change is about, how it came in, and what it led to, as plain values."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from preference_center.core.vocab import Scope, Source

_PREFIX = "topic:"


@dataclass(frozen=True)
class Target:
    """What a change is about: one topic, all topics, or the address."""

    scope: Scope
    topic: str | None = None  # The slug, if the scope is a topic.

    def __post_init__(self) -> None:
        if (self.scope is Scope.TOPIC) != (self.topic is not None):
            raise ValueError(f"a target of scope {self.scope} with topic {self.topic!r}")

    @property
    def key(self) -> str:
        """Return the name of this target in a snapshot: `topic:SLUG`, `all` or `address`."""
        return f"{_PREFIX}{self.topic}" if self.topic is not None else self.scope.value

    @classmethod
    def of(cls, topic: str | None) -> "Target":
        """Return the target for a topic's slug, or for all topics if it is None."""
        return cls(Scope.TOPIC, topic) if topic is not None else ALL

    @classmethod
    def from_key(cls, key: str) -> "Target":
        """Return the target that `key` names in a snapshot."""
        if key.startswith(_PREFIX):
            return cls(Scope.TOPIC, key.removeprefix(_PREFIX))
        return cls(Scope(key))


ALL = Target(Scope.ALL)
ADDRESS = Target(Scope.ADDRESS)


@dataclass(frozen=True)
class ChangeContext:
    """How and when a change came in.

    `campaign` is the campaign that it answers, `wording` what the subscriber agreed to.
    `notice_delay` is how long the email that confirms it waits for further changes; None sends
    none. `original_source` is the source recorded in an imported row. `language` is stored for the
    subscriber if no language is. `chosen_language` is the one that they chose for the page: the
    email that confirms the change is in it, whichever is stored. `in_reply_to` is the Message-ID of
    the email that triggered the change. `stated_source` describes an unsubscribe in the words of
    the file it was imported from; the ledger's details keep it. `time_zone` is the zone of the days
    that the subscriber was shown: a pause and the time for undo end with them.
    """

    source: Source
    occurred_at: datetime
    recorded_at: datetime
    campaign: str | None = None
    wording: str | None = None
    notice_delay: timedelta | None = None
    original_source: Source | None = None
    language: str | None = None
    chosen_language: str | None = None
    in_reply_to: str | None = None
    stated_source: str = ""
    time_zone: tzinfo = UTC

    @property
    def effective_source(self) -> Source:
        """Return the source that the subscriber's state records."""
        return self.original_source or self.source


@dataclass(frozen=True)
class ChangeResult:
    """Whether anything changed, and if so, the range of ledger rows that record it."""

    changed: bool
    first_seq: int
    last_seq: int
