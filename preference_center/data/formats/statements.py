"""Find out what a row of another system's file says about a person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from preference_center.core.vocab import ImportStatus
from preference_center.data.formats.base import Format
from preference_center.data.formats.layout import Layout
from preference_center.data.formats.meaning import Meaning, Statement
from preference_center.data.import_records import Rules

MAX_TOPICS = 1000  # A row with more of them ends every topic.
# Of several meanings that are no stops, the first in this order counts.
_IN_DOUBT = (
    *(Meaning.NOTHING, Meaning.UNCLEAR, Meaning.KNOWN),
    *(Meaning.UNCONFIRMED, Meaning.LISTED, Meaning.SUBSCRIBED),
)
_OPEN = frozenset({Meaning.UNSTATED, Meaning.LISTED})
# Of a row that says something about topics.
_NOTHING_ELSE = frozenset({Meaning.KNOWN, Meaning.UNCLEAR})
_MEANING_OF = {
    ImportStatus.SUBSCRIBED: Meaning.SUBSCRIBED,
    ImportStatus.UNCONFIRMED: Meaning.UNCONFIRMED,
    ImportStatus.UNSUBSCRIBED: Meaning.UNSUBSCRIBED,
    ImportStatus.BOUNCED: Meaning.BOUNCED,
    ImportStatus.COMPLAINED: Meaning.COMPLAINED,
}


@dataclass
class Said:
    """What a row says, and its unknown words, with their columns."""

    statements: list[Statement] = field(default_factory=list)
    unknown_words: list[tuple[str, str]] = field(default_factory=list)

    def parts(self, *, stops: bool) -> list[Statement]:
        """Return the statements that are stops, or those that are not."""
        return [each for each in self.statements if each.meaning.is_stop is stops]


def read_statements(
    form: Format, name: str, cells: Mapping[str, str], layout: Layout, rules: Rules
) -> Said:
    """Return what a row says, given the options; `name` is that of its file.

    A stop counts whatever else the row says, and a `--status` that ends consent is one. Without a
    stop, a row with an unknown word says nothing. A row of which a part cannot be read starts
    nothing.
    """
    if form.skipped and any(form.skipped in each.lower() for each in layout.addresses(cells)):
        return Said([Statement(Meaning.NOTHING)])
    said, of_topics = Said(), _of_topics(form, cells, rules)
    found = _of_columns(cells, layout, said)
    meanings = [_default(form, name, layout), *found]
    meanings += (each.meaning for each in of_topics if not each.topics)
    stops = _stops(meanings, rules)
    said.statements = [Statement(each, at=found.get(each, ())) for each in stops]
    said.statements += (each for each in of_topics if each.topics and each.meaning.is_stop)
    if unclear := [each for each in of_topics if each.meaning is Meaning.UNCLEAR]:
        said.statements = said.statements or unclear[:1]
        return said
    if not stops and not said.unknown_words:
        said.statements += (
            replace(each, meaning=_weakened(each.meaning, rules))
            for each in of_topics
            if not each.meaning.is_stop
        )
        rest = _resolved(meanings, rules)
        if rest not in _NOTHING_ELSE or not said.statements:
            said.statements.append(Statement(rest))
    return said


def _of_columns(
    cells: Mapping[str, str], layout: Layout, said: Said
) -> dict[Meaning, tuple[str, ...]]:
    """Return what the columns say, with the columns of its time; add unknown words to `said`."""
    meanings: dict[Meaning, tuple[str, ...]] = {}
    for name, column in layout.stating:
        found, words = column.read(cells[name])
        meanings |= dict.fromkeys(found, column.at)
        said.unknown_words += ((name, word) for word in words)
    return meanings


def _of_topics(form: Format, cells: Mapping[str, str], rules: Rules) -> list[Statement]:
    """Return what a row says about single topics. Too many of them are a stop of every topic."""
    if form.by_topic is None:
        return []
    read = {name: cell for name, cell in cells.items() if name not in rules.ignored}
    found = list(islice(form.by_topic(read), MAX_TOPICS + 1))
    return found if len(found) <= MAX_TOPICS else [Statement(Meaning.UNSUBSCRIBED_ALL)]


def _default(form: Format, name: str, layout: Layout) -> Meaning:
    """Return what the name of a file, or else the set of its columns, says about each row."""
    of_name = form.meaning_of_name(name)
    return layout.default if of_name is None or layout.default.is_stop else of_name


def _stops(meanings: Iterable[Meaning], rules: Rules) -> list[Meaning]:
    """Return the stops of a row, with that of `--status` if they do not include it."""
    stops = list(dict.fromkeys(each for each in meanings if each.is_stop))
    if rules.status is not None and rules.status.ends_consent:
        of_option = _MEANING_OF[rules.status]
        is_included = of_option is Meaning.UNSUBSCRIBED and bool(stops)
        if of_option not in stops and not is_included:
            stops.append(of_option)
    return stops


def _weakened(meaning: Meaning, rules: Rules) -> Meaning:
    """Return the meaning; with `--status unconfirmed`, a subscription is unconfirmed."""
    is_weaker = rules.status is ImportStatus.UNCONFIRMED and meaning is Meaning.SUBSCRIBED
    return Meaning.UNCONFIRMED if is_weaker else meaning


def _resolved(meanings: Iterable[Meaning], rules: Rules) -> Meaning:
    """Return what a row without a stop means with these options."""
    found = set(meanings)
    meaning = next((each for each in _IN_DOUBT if each in found), Meaning.UNSTATED)
    meaning = _weakened(meaning, rules)
    if rules.status is not None and meaning in _OPEN:
        return _MEANING_OF[rules.status]
    if meaning is Meaning.LISTED and rules.topic:
        return Meaning.SUBSCRIBED
    lacks_topic = meaning is Meaning.UNCONFIRMED and not rules.topic
    return Meaning.KNOWN if meaning in _OPEN or lacks_topic else meaning
