"""Read import rows into records.

A row that ends consent is read leniently: any other problem in it is a warning. A row that starts
something is refused for any problem.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

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
    known_source,
    one_of,
    problems_of,
    read_frequency,
    read_locale,
    read_silence,
    read_time,
    read_topic,
    unknown_word,
)
from preference_center.data.import_columns import Columns
from preference_center.data.import_identity import RowIdentities, read_identities
from preference_center.data.import_phrases import ending_status
from preference_center.data.import_records import (
    PreferenceRecord,
    ReadRow,
    Record,
    Rules,
    SuppressionRecord,
)
from preference_center.data.tabular import Row, fold_letters
from preference_center.links.addresses import is_mailable, normalise

KINDS = tuple(Scope)


def read_row(row: Row, columns: Columns, rules: Rules, now: datetime) -> ReadRow:
    """Return what a row says, or raise BadRowError."""
    values = {name: row.cells[column] for name, column in columns.read.items()}
    problems = cell_problems(row)
    lenient = Cells(values, now, lenient=True, warnings=[*row.problems, *problems])
    if _read_kind(lenient, rules):
        read = _read_suppression(lenient, rules)
    elif (status := _status(values, rules)).ends_consent:
        read = _read_unsubscribe(lenient, status, rules)
    else:
        refuse_faulty(row, problems)
        refuse_suspects(columns, row.cells)
        read = _read_start(Cells(values, now, lenient=False), status, rules)
    read.foreign_id = bool(values.get("id", "").strip()) and read_subscriber_id(values) is None
    return read


def cell_problems(row: Row) -> list[str]:
    """Return what is wrong with the cells of a row, besides the problems of its lines."""
    return [each for name, cell in row.cells.items() for each in problems_of(name, cell)]


def read_stop(cells: Cells, rules: Rules) -> ReadRow:
    """Return what a row says that ends consent, or raise BadRowError."""
    if _read_kind(cells, rules):
        return _read_suppression(cells, rules)
    return _read_unsubscribe(cells, _status(cells.values, rules), rules)


def read_start(cells: Cells, rules: Rules) -> ReadRow:
    """Return what a row says that does not end consent, or raise BadRowError."""
    return _read_start(cells, _status(cells.values, rules), rules)


def refuse_faulty(row: Row, problems: Sequence[str]) -> None:
    """Raise BadRowError if a row, or a cell of it, has a fault."""
    if row.problems or problems:
        raise BadRowError("; ".join(problems))  # `Row.refused` adds the row's own problems.


def is_stop(row: Row, columns: Columns, rules: Rules) -> bool:
    """Return True if a row ends consent; False also if it cannot be read."""
    values = {name: row.cells[column] for name, column in columns.read.items()}
    return bool(values.get("kind", "").strip()) or _ends_consent(values, rules)


def _read_kind(cells: Cells, rules: Rules) -> str:
    """Return the kind of a suppression, or "". An unknown kind of an unsubscribe is a warning."""
    kind = cells.values.get("kind", "").strip()
    if kind and fold_letters(kind) not in KINDS and _ends_consent(cells.values, rules):
        cells.warnings.append(f"kind is not one of {', '.join(KINDS)}: only the status is used")
        return ""
    return kind


def _ends_consent(values: Mapping[str, str], rules: Rules) -> bool:
    try:
        return _status(values, rules).ends_consent
    except BadRowError:
        return False


def _status(values: Mapping[str, str], rules: Rules) -> ImportStatus:
    """Return the status of a row. Only a status that ends consent may have extra punctuation."""
    text = values.get("status", "")
    word = text.strip().lower()
    if word:
        if word in rules.words:
            return rules.words[word]
        ending = ending_status(text)
        if ending is None and word not in tuple(ImportStatus):
            raise unknown_word("status", text, tuple(ImportStatus))
        return ending or ImportStatus(word)
    if rules.status is None:
        raise BadRowError("the status is empty: use --status to set one for such rows")
    return rules.status


def refuse_suspects(columns: Columns, cells: Mapping[str, str]) -> None:
    """Raise BadRowError if a column that is not read may say that this person opted out."""
    suspect = columns.suspects[0] if columns.suspects else columns.opted_out(cells)
    if suspect is not None:
        raise BadRowError(
            f"the column {suspect} may say that this person opted out: "
            "move this to a column named status, or use --ignore-column"
        )


def _read_start(cells: Cells, status: ImportStatus, rules: Rules) -> ReadRow:
    identity = read_mailable(cells.values, rules.identity_key)
    topic = read_topic("topic", _topic(cells, rules) or rules.topic or "")
    record = _preference(cells, identity, topic, status)
    written = normalise(cells.text("email"))
    cleaned = identity.email is not None and written != normalise(identity.email)
    return ReadRow([record], cleaned=cleaned)


def read_mailable(values: Mapping[str, str], identity_key: str) -> RowIdentity:
    """Return the identity in a row to which email can be sent, or raise BadRowError."""
    identity = read_identity(values, identity_key)
    if identity.email is not None and not is_mailable(identity.email):
        raise BadRowError("email cannot be sent to this address")
    return identity


def _topic(cells: Cells, rules: Rules) -> str:
    """Return the topic in a row, as a slug if its name is mapped to one."""
    text = cells.text("topic").strip()
    return rules.topics.get(text.lower(), text) if rules.topics else text


def _read_unsubscribe(cells: Cells, status: ImportStatus, rules: Rules) -> ReadRow:
    identities = read_identities(cells, rules.identity_key)
    required = status is ImportStatus.UNSUBSCRIBED
    topic = _topic_or_every(cells, rules, rules.topic or "", required=required)
    record = _preference(cells, identities.people[0], topic, status)
    stated = _stated_source(cells, "changed_by", "consent_source")
    return _for_each(identities, replace(record, stated_source=stated), cells)


def _read_suppression(cells: Cells, rules: Rules) -> ReadRow:
    kind = Scope(one_of("kind", cells.text("kind"), KINDS))
    identities = read_identities(cells, rules.identity_key)
    topic = _topic_or_every(cells, rules, "", required=True) if kind is Scope.TOPIC else ""
    source = cells.read("source", known_source) or cells.read("changed_by", known_source)
    record = SuppressionRecord(
        identity=identities.people[0],
        target=Target(kind) if kind is not Scope.TOPIC else Target.of(topic or None),
        since=cells.past("since"),
        source=source or Source.IMPORT,
        erased_at=cells.past("erased_at"),
        stated_source=_stated_source(cells, "source", "changed_by", "consent_source"),
    )
    return _for_each(identities, record, cells)


def _for_each(identities: RowIdentities, record: Record, cells: Cells) -> ReadRow:
    """Return an unsubscribe for each of the identities and their aliases."""
    return ReadRow(
        records=[replace(record, identity=each) for each in identities.people],
        aliases=[replace(record, identity=each) for each in identities.aliases],
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
        silence_means_no=cells.read("silence", read_silence) or False,
    )


def _changed_by(cells: Cells, status: ImportStatus) -> Source:
    """Return the source of the change. A complaint is always recorded as one."""
    source = cells.read("changed_by", known_source)
    if status is ImportStatus.COMPLAINED:
        return Source.COMPLAINT
    return source or (Source.BOUNCE if status is ImportStatus.BOUNCED else Source.IMPORT)


def _topic_or_every(cells: Cells, rules: Rules, default: str, *, required: bool) -> str:
    """Return the topic of an unsubscribe, or "" for every topic."""
    text = _topic(cells, rules)
    try:
        return read_topic("topic", text or default)
    except BadRowError:
        if text or required:
            cells.warnings.append("it has no readable topic: unsubscribed from every topic")
        return ""


def _stated_source(cells: Cells, *columns: str) -> str:
    """Return what the row says about how an unsubscribe came about, in its own words."""
    texts = {column: cells.text(column).strip() for column in columns}
    return "; ".join(f"{column}: {text}" for column, text in texts.items() if text)
