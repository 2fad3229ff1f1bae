"""The options of exports and imports of the console, as JSON can hold them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from preference_center.core.errors import ExportRefusal, ImportRefusal
from preference_center.core.vocab import Frequency, ImportStatus
from preference_center.data import exports
from preference_center.data.export_formats import FORMATS
from preference_center.data.formats import registry
from preference_center.data.import_columns import PREFERENCES, SUPPRESSIONS
from preference_center.data.import_file import Choice
from preference_center.data.import_records import Rules
from preference_center.data.import_rules import mapped_rules
from preference_center.data.suppression_files import SYSTEMS
from preference_center.links.minter import SLUG
from preference_center.store.list_queries import ListFilter
from preference_center.util.text import is_one_line

ZIP = "zip"  # the format of the files of another system
TIME = "%Y%m%dT%H%M%SZ"  # in the names of files
LIST = "list"  # what is exported, if it is no kind of export
FIELDS = tuple(sorted({*PREFERENCES, *SUPPRESSIONS}))  # that a column can be read as
MAX_FILTER = 100  # characters
Pairs = tuple[tuple[str, str], ...]


def is_filter(text: str) -> bool:
    """Return True if a text can be what an export is filtered by: the audit trail keeps it."""
    return is_one_line(text) and len(text) <= MAX_FILTER


@dataclass(frozen=True, kw_only=True)
class _Options:
    def to_json(self) -> dict[str, Any]:
        """Return the options that are set, as JSON values."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_json` was called on."""
        names = {each.name for each in fields(cls)}
        return cls(**{name: _tuples(value) for name, value in values.items() if name in names})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@dataclass(frozen=True, kw_only=True)
class ExportOptions(_Options):
    """What to export, and as what: a format of `FORMATS`, or a system of `SYSTEMS`.

    `since` and `until` are times in ISO 8601. "" selects everything.
    """

    what: str
    output: str
    topic: str = ""
    status: str = ""
    frequency: str = ""
    locale: str = ""
    campaign: str = ""
    since: str = ""
    until: str = ""

    @property
    def kind(self) -> exports.Kind:
        """Return the kind of export, or raise ExportRefusal."""
        if self.what not in exports.KINDS:
            raise ExportRefusal(f"there is no export of {self.what}")
        return exports.KINDS[self.what]

    @property
    def system(self) -> str | None:
        """Return the system whose files are written, or None."""
        return self.output if self.output in SYSTEMS else None

    @property
    def suffix(self) -> str:
        """Return how the name of the file ends."""
        return ZIP if self.system else self.output

    def selected(self) -> exports.Filter:
        """Return the filters, or raise ExportRefusal if this export does not have one of them."""
        try:
            frequency = Frequency(self.frequency) if self.frequency else None
        except ValueError:
            raise ExportRefusal(f"there is no frequency {self.frequency}") from None
        wanted = exports.Filter(
            topic=self.topic or None,
            since=_time(self.since),
            until=_time(self.until),
            status=self.kind.status(self.status or None),
            frequency=frequency,
            locale=self.locale or None,
            campaign=self.campaign or None,
        )
        self.kind.check(wanted)
        return wanted

    def check(self) -> None:
        """Raise ExportRefusal if the options do not fit together."""
        self.selected()
        if self.topic and not SLUG.fullmatch(self.topic):
            raise ExportRefusal("there is no such topic")
        for name, text in (("campaign", self.campaign), ("language", self.locale)):
            if not is_filter(text):
                raise ExportRefusal(f"a {name} is one line of at most {MAX_FILTER} characters")
        if self.system is None and self.output not in FORMATS:
            raise ExportRefusal("choose a format")
        if self.system is not None and self.what != "suppressions":
            raise ExportRefusal("the files of other systems are for suppressions")

    def file_name(self, end: str) -> str:
        """Return the name of the file: what is exported, and `end`, which sets it apart."""
        named = "-".join(filter(None, (self.what, self.system, self.topic, end)))
        return f"{named}.{self.suffix}"


@dataclass(frozen=True, kw_only=True)
class ListOptions(_Options):
    """Which people of a list to export, and as what: a format of `FORMATS`.

    `filters` are those of `ListFilter.plain`. If `frozen` is the id of a frozen list, its people
    are exported, and not those whom the filters select now.
    """

    output: str
    what: str = LIST
    filters: Mapping[str, str] = field(default_factory=dict)
    frozen: str = ""

    def selected(self) -> ListFilter:
        """Return the filters."""
        return ListFilter.of(self.filters)

    def check(self) -> None:
        """Raise ExportRefusal if there is no such format."""
        if self.output not in FORMATS:
            raise ExportRefusal("choose a format")

    def file_name(self, end: str) -> str:
        """Return the name of the file: what is exported, and `end`, which sets it apart."""
        named = filter(None, (LIST, self.filters.get("topic"), end))
        return f"{'-'.join(named)}.{self.output}"


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True, kw_only=True)
class ImportOptions(_Options):
    """How to read a file: the options of the command `import`."""

    source: str = registry.AUTO
    topic: str = ""
    status: str = ""
    columns: Pairs = ()
    words: Pairs = ()
    topics: Pairs = ()
    ignored_columns: tuple[str, ...] = ()
    ignored_parts: tuple[str, ...] = ()
    create_topics: bool = False

    def choice(self) -> Choice:
        """Return how the file is to be opened."""
        return Choice(self.source, ignored_parts=frozenset(map(str.lower, self.ignored_parts)))

    def rules(self, identity_key: str) -> Rules:
        """Return how its rows are to be read, or raise ImportRefusal."""
        found = mapped_rules(self.ignored_columns, self.columns, self.words, self.topics)
        return Rules(
            identity_key,
            self.topic or None,
            ImportStatus(self.status) if self.status else None,
            found.ignored,
            found.columns,
            found.words,
            found.topics,
        )

    def check(self) -> None:
        """Raise ImportRefusal if the options are unknown or contradict each other."""
        if self.source not in registry.NAMES:
            raise ImportRefusal("choose where the file is from")
        _require("a field", FIELDS, self.columns)
        statuses = [each.value for each in ImportStatus]
        _require("a status", statuses, self.words)
        _require("a status", statuses, (("", self.status),) if self.status else ())
        for _, topic in (*self.topics, ("", self.topic or "x")):
            if not SLUG.fullmatch(topic):
                raise ImportRefusal(f"{topic!r} is not a topic")
        self.rules("")


def _require(what: str, allowed: tuple[str, ...] | list[str], pairs: Pairs) -> None:
    if unknown := sorted(ours for _, ours in pairs if ours not in allowed):
        raise ImportRefusal(f"{unknown[0]!r} is not {what}: it is one of {', '.join(allowed)}")
