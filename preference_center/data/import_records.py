"""What a row of an import says, checked: who it is about, and what they get or have ended.

A row that ends consent is read leniently: whatever else is wrong in it is a warning. A row that
starts something is refused for any fault.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from preference_center.core.change import Target
from preference_center.core.vocab import Frequency, ImportStatus, Scope, Source
from preference_center.data.identity import (
    BadRowError,
    RowIdentity,
    read_identity,
    read_subscriber_id,
)
from preference_center.data.import_cells import (
    Cells,
    faults_of,
    known_source,
    one_of,
    read_frequency,
    read_locale,
    read_time,
    read_topic,
    unknown_word,
)
from preference_center.data.import_columns import Columns
from preference_center.data.import_words import ENDING_WORDS
from preference_center.data.tabular import Row, fold_letters
from preference_center.links.addresses import (
    UnclearAddressError,
    fingerprint,
    is_mailable,
    lookalikes,
    normalise,
    split,
)

KINDS = tuple(Scope)


@dataclass(frozen=True)
class PreferenceRecord:
    """One identity and one topic; an empty topic is every topic, and only ends consent.

    `stated_source` is how an unsubscribe came about, in the words of the file.
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

    @property
    def ends_consent(self) -> bool:
        return self.status.ends_consent


@dataclass(frozen=True)
class SuppressionRecord:
    """One identity and one suppression."""

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
        return True


Record = PreferenceRecord | SuppressionRecord


@dataclass(frozen=True)
class Rules:
    """How the rows of one import are read.

    `topic` and `status` are what rows get that name none; `ignored` are columns not to look at.
    """

    identity_key: str
    topic: str | None = None
    status: ImportStatus | None = None
    ignored: frozenset[str] = frozenset()


@dataclass
class Reading:
    """What a row says. `twins` are the same unsubscribes under other ids of the same people."""

    records: list[Record] = field(default_factory=list)
    twins: list[Record] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cleaned: bool = False
    foreign_id: bool = False


def read_row(row: Row, columns: Columns, rules: Rules, now: datetime) -> Reading:
    """Return what a row says; raise BadRowError."""
    given = row.cells
    ours = {name: given[theirs] for name, theirs in columns.read.items()}
    faults = [fault for name, cell in given.items() for fault in faults_of(name, cell)]
    kind = ours.get("kind", "").strip()
    if kind and fold_letters(kind) not in KINDS and _ends_consent(ours, rules):
        faults.append(f"kind is none of {', '.join(KINDS)}: the status counts")
        kind = ""
    if kind:
        cells = Cells(ours, now, lenient=True, warnings=[*row.problems, *faults])
        reading = _read_suppression(cells, rules)
    else:
        status = _status(ours.get("status", ""), rules.status)
        if status.ends_consent:
            cells = Cells(ours, now, lenient=True, warnings=[*row.problems, *faults])
            reading = _read_unsubscribe(cells, status, rules)
        else:
            if row.problems or faults:
                raise BadRowError("; ".join(faults))  # Row.refused adds the row's own problems.
            _refuse_suspects(columns, given)
            reading = _read_start(Cells(ours, now, lenient=False), status, rules)
    reading.foreign_id = bool(ours.get("id", "").strip()) and read_subscriber_id(ours) is None
    return reading


def _ends_consent(cells: Mapping[str, str], rules: Rules) -> bool:
    try:
        return _status(cells.get("status", ""), rules.status).ends_consent
    except BadRowError:
        return False


def _refuse_suspects(columns: Columns, cells: Mapping[str, str]) -> None:
    suspect = columns.suspects[0] if columns.suspects else columns.opted_out(cells)
    if suspect is not None:
        raise BadRowError(
            f"the column {suspect} may say that this person opted out: "
            "put that into a column named status, or use --ignore-column"
        )


def _read_start(cells: Cells, status: ImportStatus, rules: Rules) -> Reading:
    identity = read_identity(cells.given, rules.identity_key)
    if identity.email is not None and not is_mailable(identity.email):
        raise BadRowError("not an email address that email can be sent to")
    topic = read_topic("topic", cells.text("topic").strip() or rules.topic or "")
    record = _preference(cells, identity, topic, status)
    came = normalise(cells.text("email"))
    return Reading(
        [record], cleaned=identity.email is not None and came != normalise(identity.email)
    )


def _read_unsubscribe(cells: Cells, status: ImportStatus, rules: Rules) -> Reading:
    identities = _identities(cells, rules.identity_key)
    topic = _topic_or_everything(cells, rules.topic or "", status is ImportStatus.UNSUBSCRIBED)
    record = _preference(cells, identities.people[0], topic, status)
    stated = _stated(cells, "changed_by", "consent_source")
    return _reading(cells, replace(record, stated_source=stated), identities)


def _read_suppression(cells: Cells, rules: Rules) -> Reading:
    kind = Scope(one_of("kind", cells.text("kind"), KINDS))
    identities = _identities(cells, rules.identity_key)
    topic = _topic_or_everything(cells, "", needed=True) if kind is Scope.TOPIC else ""
    source = cells.read("source", known_source) or cells.read("changed_by", known_source)
    record = SuppressionRecord(
        identity=identities.people[0],
        target=Target(kind) if kind is not Scope.TOPIC else Target.of(topic or None),
        since=cells.past("since"),
        source=source or Source.IMPORT,
        erased_at=cells.past("erased_at"),
        stated_source=_stated(cells, "source", "changed_by", "consent_source"),
    )
    return _reading(cells, record, identities)


def _reading(cells: Cells, record: Record, identities: "_Identities") -> Reading:
    """Return the records of an unsubscribe: one for each address, and the twins."""
    return Reading(
        records=[replace(record, identity=identity) for identity in identities.people],
        twins=[replace(record, identity=RowIdentity(twin, None)) for twin in identities.twins],
        warnings=cells.warnings,
        cleaned=identities.cleaned,
    )


def _preference(
    cells: Cells, identity: RowIdentity, topic: str, status: ImportStatus
) -> PreferenceRecord:
    return PreferenceRecord(
        identity=identity,
        topic=topic,
        status=status,
        frequency=cells.read("frequency", read_frequency) or Frequency.EVERY,
        paused_until=cells.read("paused_until", read_time),
        locale=cells.read("locale", read_locale),
        consent_at=cells.past("consent_at"),
        consent_source=cells.text("consent_source"),
        consent_wording=cells.text("consent_wording"),
        basis=cells.text("basis"),
        acquired_from=cells.text("acquired_from"),
        changed_at=cells.past("changed_at"),
        changed_by=_changed_by(cells, status),
    )


def _changed_by(cells: Cells, status: ImportStatus) -> Source:
    """Return the source of the change. A complaint is one, whatever `changed_by` says."""
    given = cells.read("changed_by", known_source)
    if status is ImportStatus.COMPLAINED:
        return Source.COMPLAINT
    return given or (Source.BOUNCE if status is ImportStatus.BOUNCED else Source.IMPORT)


@dataclass(frozen=True)
class _Identities:
    """The people of an unsubscribe, and other ids under which they may be known."""

    people: list[RowIdentity]
    twins: list[UUID] = field(default_factory=list)
    cleaned: bool = False


def _identities(cells: Cells, identity_key: str) -> _Identities:
    """Return whose unsubscribe it is; raise BadRowError.

    Links may have been minted for the text as it came, and an id may be right where the email
    is not: both are unsubscribed as well.
    """
    text, given = cells.given.get("email", "").strip(), read_subscriber_id(cells.given)
    try:
        found = {fingerprint(each, identity_key): each for each in split(text)} if text else {}
    except UnclearAddressError as error:
        if given is None:
            raise BadRowError(f"the email is not clear: {error}") from None
        cells.warnings.append(f"the email is not clear ({error}): only the id is unsubscribed")
        found = {}
    if not found:
        return _Identities([read_identity({"id": cells.given.get("id", "")}, identity_key)])
    twins = {fingerprint(text, identity_key)} - found.keys()
    cleaned = bool(twins)
    similar = {other for email in found.values() for other in lookalikes(email)}
    twins |= {fingerprint(other, identity_key) for other in similar} - found.keys()
    if given is not None and given not in found:
        cells.warnings.append("the id is not that of the email: both are unsubscribed")
        twins.add(given)
    if len(found) > 1:
        cells.warnings.append(f"it has {len(found)} addresses: each is unsubscribed")
    people = [RowIdentity(each, email) for each, email in found.items()]
    return _Identities(people, sorted(twins), cleaned)


def _status(text: str, default: ImportStatus | None) -> ImportStatus:
    """Return the status that a cell has. Only one that ends consent may have stray marks in it."""
    word = text.strip().lower()
    if word:
        ending = ENDING_WORDS.get(fold_letters(word))
        if ending is None and word not in tuple(ImportStatus):
            raise unknown_word("status", text, tuple(ImportStatus))
        return ending or ImportStatus(word)
    if default is None:
        raise BadRowError("the status is empty, and --status does not say what that means")
    return default


def _topic_or_everything(cells: Cells, default: str, needed: bool) -> str:
    """Return the topic that a row ends, or "" for every topic."""
    text = cells.text("topic").strip()
    try:
        return read_topic("topic", text or default)
    except BadRowError:
        if text or needed:
            cells.warnings.append("it has no topic that can be read: every topic is ended")
        return ""


def _stated(cells: Cells, *columns: str) -> str:
    """Return what the row says of how an unsubscribe came about, in its own words."""
    given = {column: cells.text(column).strip() for column in columns}
    return "; ".join(f"{column}: {text}" for column, text in given.items() if text)
