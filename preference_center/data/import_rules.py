"""Check the options of an import that say how columns and words of a file are read."""

from collections.abc import Iterable

from preference_center.core.errors import ImportRefusal
from preference_center.core.vocab import ImportStatus
from preference_center.data.import_phrases import ending_status
from preference_center.data.import_records import Rules

_Pairs = tuple[tuple[str, str], ...]


def mapped_rules(ignored: Iterable[str], columns: _Pairs, words: _Pairs, topics: _Pairs) -> Rules:
    """Return rules without a key, or raise ImportRefusal if options contradict each other."""
    names = frozenset(each.strip().lower() for each in ignored)
    _single("--map", columns)
    _single("--map", ((field, column) for column, field in columns))
    _single("--map-status", words)
    _single("--map-topic", topics)
    if both := sorted(names.intersection(column for column, _ in columns)):
        raise ImportRefusal(f"--map and --ignore-column both name the column {both[0]!r}.")
    meanings = {word: ImportStatus(meaning) for word, meaning in words}
    for word, meaning in meanings.items():
        _refuse_start(word, meaning)
    return Rules("", ignored=names, columns=columns, words=meanings, topics=dict(topics))


def _single(option: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Raise ImportRefusal if an option maps one thing to two."""
    found: dict[str, str] = {}
    for first, second in pairs:
        if found.setdefault(first, second) != second:
            raise ImportRefusal(
                f"{option} has {first!r} with two others: {found[first]!r} and {second!r}."
            )


def _refuse_start(word: str, meaning: ImportStatus) -> None:
    """Raise ImportRefusal if a word that plainly is no consent is mapped to more."""
    ends = ending_status(word) is not None and not meaning.ends_consent
    if ends or (word == ImportStatus.UNCONFIRMED and meaning is ImportStatus.SUBSCRIBED):
        raise ImportRefusal(f"--map-status: {word!r} cannot mean {meaning}.")
