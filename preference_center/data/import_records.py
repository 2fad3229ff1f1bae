"""What an import row says, as plain values, and the options for reading a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from preference_center.core.change import Target
from preference_center.core.vocab import Frequency, ImportStatus, Source
from preference_center.data.identity import RowIdentity


@dataclass(frozen=True)
class PreferenceRecord:
    """The status of one person for one topic; an unsubscribe with topic "" is from every topic.

    `stated_source` describes an unsubscribe in the words of the file. With `silence_means_no`, the
    person gets only topics that they have chosen.
    """

    identity: RowIdentity
    topic: str
    status: ImportStatus
    frequency: Frequency
    paused_until: datetime | None
    locale: str | None
    consent_at: datetime | None
    consent_source: str
    consent_wording: str
    basis: str
    acquired_from: str
    changed_at: datetime | None
    changed_by: Source
    stated_source: str = ""
    silence_means_no: bool = False

    @property
    def ends_consent(self) -> bool:
        """Return True if the record is an unsubscribe."""
        return self.status.ends_consent


@dataclass(frozen=True)
class SuppressionRecord:
    """One suppression of one person, or an unsubscribe from one topic.

    `erased_at` is set if the person was erased.
    """

    identity: RowIdentity
    target: Target
    since: datetime | None
    source: Source
    erased_at: datetime | None
    stated_source: str = ""

    @property
    def topic(self) -> str:
        """Return the slug of the topic, or "" for every topic."""
        return self.target.topic or ""

    @property
    def ends_consent(self) -> bool:
        """Return True: every suppression is an unsubscribe."""
        return True


@dataclass(frozen=True)
class AddressRecord:
    """The address of a person about whose consent nothing is known."""

    identity: RowIdentity

    @property
    def topic(self) -> str:
        """Return "": the record is about no topic."""
        return ""

    @property
    def ends_consent(self) -> bool:
        """Return False."""
        return False


Record = PreferenceRecord | SuppressionRecord | AddressRecord


@dataclass
class ReadRow:
    """What a row says.

    `aliases` are the same unsubscribes under other subscriber ids of the same people. `cleaned` is
    True if the email had to be cleaned, `foreign_id` if the id is not a subscriber id.
    `unknown_words` are words that stopped email although they are not known, with their columns.
    `unmapped_topics` are topics of another system that are not mapped to a topic here. `skipped`
    says why a row without records is not imported.
    """

    records: list[Record] = field(default_factory=list)
    aliases: list[Record] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cleaned: bool = False
    foreign_id: bool = False
    unknown_words: list[tuple[str, str]] = field(default_factory=list)
    unmapped_topics: list[str] = field(default_factory=list)
    skipped: str = ""


@dataclass(frozen=True)
class Rules:
    """How the rows of one import are read.

    `topic` and `status` apply to rows without one. Columns in `ignored` are not read. `columns` are
    pairs of a column of the file and the one that it is read as, `words` is what words in the
    column `status` mean, and `topics` maps the file's names of topics to slugs. Names and words of
    the file are in lower case.
    """

    identity_key: str
    topic: str | None = None
    status: ImportStatus | None = None
    ignored: frozenset[str] = frozenset()
    columns: tuple[tuple[str, str], ...] = ()
    words: Mapping[str, ImportStatus] = field(default_factory=dict)
    topics: Mapping[str, str] = field(default_factory=dict)
