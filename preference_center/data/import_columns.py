"""Match the columns of a file with those that `import` reads.

Names are compared by their letters and digits: `E-mail` and `EMAIL` are `email`. A column that may
say who opted out must not be ignored silently, since import would then subscribe these people.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from preference_center.core.vocab import ImportStatus
from preference_center.data.import_phrases import ending_status
from preference_center.data.import_words import (
    ABOUT_CONSENT,
    ABOUT_EITHER,
    ABOUT_OPTING_OUT,
    EMAIL_NAMES,
    NAMES_OF_STATUS,
    OPTED_OUT,
    OTHER_EMAIL_NAMES,
    TIMES,
)
from preference_center.data.tabular import FileRefusedError, fold, fold_letters, words_of

# An export has exactly these columns, so that it can be imported without loss.
PREFERENCES = (
    *("email", "id", "topic", "status", "frequency", "paused_until", "locale"),
    *("consent_at", "consent_source", "consent_wording", "basis", "acquired_from"),
    *("changed_at", "changed_by", "silence"),
)
SUPPRESSIONS = ("email", "id", "kind", "topic", "since", "source", "erased_at")

_NAMES: Mapping[str, str] = dict.fromkeys(EMAIL_NAMES, "email") | {"subscriberid": "id"}
_OTHER_NAMES: Mapping[str, str] = dict.fromkeys(OTHER_EMAIL_NAMES, "email")

_BETWEEN_WORDS = re.compile(r"[,;|/\n]")
_NAME_IN_JSON = re.compile(r'"([^"\\]+)"\s*:')


@dataclass(frozen=True)
class Columns:
    """How the columns of a CSV file, or of one line of JSON Lines, are read.

    `read` maps the columns that import knows to their names in the file. `unread` are the file's
    other columns, except those that the operator ignores; `suspects` are those `unread` columns
    that may say who opted out. `beside` are columns of another system's file that are known, but
    not read, such as tags.
    """

    read: Mapping[str, str]
    unread: tuple[str, ...]
    suspects: tuple[str, ...]
    beside: tuple[str, ...] = ()

    def opted_out(self, cells: Mapping[str, str]) -> str | None:
        """Return the first unread column whose cell says that this person opted out, or None."""
        names = (*self.unread, *self.beside)
        return next((name for name in names if _means_opted_out(cells[name])), None)


def _means_opted_out(cell: str) -> bool:
    """Return True if a cell, or a word in a list such as tags, means that a person opted out.

    So may an object in JSON with a member that would be a suspect if it were a column.
    """
    if not cell:
        return False
    if any(map(_is_opt_out, (cell, *_BETWEEN_WORDS.split(cell)))):
        return True
    return cell.lstrip()[:1] in ("{", "[") and any(map(is_suspect, _NAME_IN_JSON.findall(cell)))


@lru_cache(maxsize=4096)
def _is_opt_out(text: str) -> bool:
    return fold(text) in OPTED_OUT or ending_status(text) is ImportStatus.UNSUBSCRIBED


@lru_cache(maxsize=64)
def match(
    names: tuple[str, ...],
    ignored: frozenset[str] | None = None,
    columns: tuple[str, ...] = PREFERENCES,
    mapped: tuple[tuple[str, str], ...] = (),
) -> Columns:
    """Return how columns with these names are read, with the names in lower case.

    `ignored` are the names, in lower case, that the operator declares not to be about opting out;
    None for a command without that option. `columns` are the columns to look for. `mapped` are
    pairs of a name and the column that the operator declares it to be.

    Raises:
        FileRefusedError: two names could be the same column.
    """
    written = {name.lower(): name for name in names}
    relevant = [name for name in written if name.strip() not in (ignored or ())]
    known = {**{fold(name): name for name in columns}, **_NAMES}
    chosen = {column: name for name, column in mapped if name in relevant}
    others = [name for name in relevant if name not in chosen.values()]
    if "kind" in chosen or any(fold(name) == "kind" for name in others):
        known |= {fold(name): name for name in SUPPRESSIONS}
    hint = ", or use --ignore-column" if ignored is not None else ""
    read = chosen | _find(others, {k: v for k, v in known.items() if v not in chosen}, hint)
    if "email" not in read:
        read |= _find(others, _OTHER_NAMES, hint)
    unread = tuple(name for name in relevant if name not in read.values())
    return Columns(read, unread, tuple(name for name in unread if is_suspect(written[name])))


def _find(names: Iterable[str], known: Mapping[str, str], hint: str) -> dict[str, str]:
    """Return the known columns among `names`, mapped to these, or raise FileRefusedError."""
    read: dict[str, str] = {}
    for name in names:
        column = known.get(fold(name))
        if column in read:
            raise FileRefusedError(
                f"the columns {read[column]!r} and {name!r} could both be {column}: "
                f"rename or remove one{hint}"
            )
        if column is not None:
            read[column] = name
    return read


def check(columns: Columns, status: ImportStatus | None) -> None:
    """Raise FileRefusedError if a file does not say who is subscribed and who is not.

    `status` applies to rows without one.
    """
    found = {"status", "kind"} & columns.read.keys()
    ends = "kind" in found if status is None else status.ends_consent
    everyone_opted_out = "status" not in found and ends
    if columns.suspects and not everyone_opted_out:
        raise FileRefusedError(
            "these columns may say who opted out, but import does not read them: "
            f"{listed(columns.suspects)}. Move this to a column named status. If everyone in the "
            "file opted out, use --status unsubscribed instead. If a column is not about opting "
            "out, use --ignore-column"
        )
    if not found and status is None:
        raise FileRefusedError(
            "the file does not say who is subscribed: it has no column named status. If everyone "
            "in it opted out, use --status unsubscribed; if everyone in it agreed to get email, "
            "use --status subscribed"
        )


def listed(names: Iterable[str]) -> str:
    """Return column names for a sentence, without empty ones."""
    return ", ".join(name for name in names if name.strip())


@lru_cache(maxsize=64)
def is_suspect_part(name: str) -> bool:
    """Return True if the name of a sheet or an entry means that its people may have opted out.

    A name that is about consent, such as `Newsletter`, does not. Names of folders count too.
    """
    words = {fold(word) for word in re.findall(r"[^\W\d_]+", name)}
    stems = (fold_letters(each.partition(".")[0]) for each in re.split(r"[/\\]", name))
    found = {each[0] for stem in stems for each in ABOUT_OPTING_OUT.finditer(stem)}
    return bool(found - NAMES_OF_STATUS or words & OPTED_OUT)


@lru_cache(maxsize=4096)
def is_suspect(name: str) -> bool:
    """Return True if the name of a column means that it may say who opted out."""
    folded, words = fold(name), set(map(fold, words_of(name)))
    if ABOUT_OPTING_OUT.search(folded) or words & ABOUT_EITHER:
        return True
    return bool(ABOUT_CONSENT.search(folded)) and not words & TIMES
