"""Find phrases that end consent in cells, such as `Opted out (manual)` or `GLOBAL_UNSUBSCRIBE`."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from preference_center.core.vocab import ImportStatus
from preference_center.data.import_words import ENDING_WORDS
from preference_center.data.tabular import fold, fold_letters, words_of

_MAX_TEXT = 1000  # characters that are looked at
_MAX_PHRASE = 5  # words
_ANY_PHRASE = re.compile("|".join(ENDING_WORDS))
_CLAUSE_END = re.compile(r"[^\w\s'’-]+|\s[-–—]+\s")
_DENIALS = frozenset(
    {
        *("no", "not", "never", "false", "nein", "nicht", "nie", "non", "pas", "jamais"),
        *("falso", "nee", "niet", "nao", "falsch", "faux", "isnt", "hasnt", "didnt", "0"),
        # Of a bounce, which may then be temporary.
        *("soft", "temporary", "temporarily", "transient"),
    }
)
# What a person may do after an unsubscribe: the text does not say which of them counts.
_RETURNS = frozenset(
    {
        *("resubscribed", "resubscribe", "reactivated", "rejoined", "wiederangemeldet"),
        *("reabonne", "reabonnee", "reinscrit", "reinscrite", "resuscrito", "reiscritto"),
    }
)
_BY_WEIGHT = (ImportStatus.COMPLAINED, ImportStatus.BOUNCED, ImportStatus.UNSUBSCRIBED)


def ending_status(text: str) -> ImportStatus | None:
    """Return the status that ends consent of which a text is a word, or has a phrase, or None.

    >>> ending_status("User opted out on 3 May")
    <ImportStatus.UNSUBSCRIBED: 'unsubscribed'>
    >>> ending_status("has not opted out"), ending_status("Unsubscribed: no")
    (None, None)
    """
    return _status(text[:_MAX_TEXT])


@lru_cache(maxsize=4096)
def _status(text: str) -> ImportStatus | None:
    if found := ENDING_WORDS.get(fold(text)):
        return found
    if not _ANY_PHRASE.search(fold_letters(text)):
        return None  # Most cells: they need no closer look.
    clauses = [words for each in _CLAUSE_END.split(text) if (words := _words(each))]
    if any(_DENIALS.issuperset(words) or _RETURNS.intersection(words) for words in clauses):
        return None
    statuses = {status for words in clauses for status in _of_clause(words)}
    return next((each for each in _BY_WEIGHT if each in statuses), None)


def _words(text: str) -> list[str]:
    """Return the words of a clause, and `0`, without other numbers."""
    words = ("0" if each == "0" else fold_letters(each) for each in words_of(text))
    return [*filter(None, words)]


def _of_clause(words: Sequence[str]) -> Iterator[ImportStatus]:
    """Yield the status of each phrase in a clause that is not denied."""
    at = 0
    while at < len(words):
        length = _length_of_phrase(words, at)
        before, after = words[:at], words[at + length :]
        is_denied = _DENIALS.intersection(before) or (after and _DENIALS.issuperset(after))
        if length and not is_denied:
            yield ENDING_WORDS["".join(words[at : at + length])]
        at += length or 1


def _length_of_phrase(words: Sequence[str], at: int) -> int:
    """Return the number of words of the longest phrase that begins at a word, or 0."""
    lengths = range(min(_MAX_PHRASE, len(words) - at), 0, -1)
    return next((each for each in lengths if "".join(words[at : at + each]) in ENDING_WORDS), 0)
