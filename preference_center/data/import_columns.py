"""Which columns `import` reads, under which names, and which ones it must not overlook.

Names are compared by their letters and digits alone: `E-mail` and `EMAIL` are `email`. A column
that is not read, and that may say who opted out, must never be passed over in silence: the people
in it would be subscribed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from preference_center.core.vocab import ImportStatus
from preference_center.data.import_words import (
    ABOUT_CONSENT,
    ABOUT_EITHER,
    ABOUT_OPTING_OUT,
    EMAIL_NAMES,
    OPTED_OUT,
    OTHER_EMAIL_NAMES,
    TIMES,
)
from preference_center.data.tabular import FileRefusedError, fold

PREFERENCES = (
    *("email", "id", "topic", "status", "frequency", "paused_until", "locale"),
    *("consent_at", "consent_source", "consent_wording", "basis", "acquired_from"),
    *("changed_at", "changed_by"),
)
SUPPRESSIONS = ("email", "id", "kind", "topic", "since", "source", "erased_at")

_NAMES: Mapping[str, str] = dict.fromkeys(EMAIL_NAMES, "email") | {"subscriberid": "id"}
_OTHER_NAMES: Mapping[str, str] = dict.fromkeys(OTHER_EMAIL_NAMES, "email")

_MAX_WORD = 40  # characters of a cell that may be a word


@dataclass(frozen=True)
class Columns:
    """How the columns of a file, or of a line of JSON Lines, are read.

    `read` has the file's name for each of our columns. `unread` are the others that were not
    ignored; of these, `suspects` may say who opted out.
    """

    read: Mapping[str, str]
    unread: tuple[str, ...]
    suspects: tuple[str, ...]

    def opted_out(self, cells: Mapping[str, str]) -> str | None:
        """Return the first column that is not read and says that this person opted out."""
        short = (name for name in self.unread if len(cells[name]) <= _MAX_WORD)
        return next((name for name in short if _says_so(cells[name])), None)


def _says_so(cell: str) -> bool:
    """Return True if a cell, or a word in a list such as one of tags, says that a person left."""
    return any(fold(each) in OPTED_OUT for each in (cell, *re.split("[,;|]", cell)))


@lru_cache(maxsize=64)
def match(
    names: tuple[str, ...],
    ignored: frozenset[str] | None = None,
    columns: tuple[str, ...] = PREFERENCES,
) -> Columns:
    """Return how columns with these names are read; raise FileRefusedError.

    `ignored` are names that the operator declares not to be about opting out, in lower case, or
    None where a command cannot be told so. `columns` are those of ours that are read.
    """
    wanted = [name for name in names if name.strip().lower() not in (ignored or ())]
    ours = {**{fold(name): name for name in columns}, **_NAMES}
    if any(fold(name) == "kind" for name in wanted):
        ours |= {fold(name): name for name in SUPPRESSIONS}
    hint = ", or use --ignore-column for it" if ignored is not None else ""
    read = _find(wanted, ours, hint)
    if "email" not in read:
        read |= _find(wanted, _OTHER_NAMES, hint)
    unread = tuple(name for name in wanted if name not in read.values())
    return Columns(read, unread, tuple(filter(_is_suspect, unread)))


def _find(names: Iterable[str], ours: Mapping[str, str], hint: str) -> dict[str, str]:
    """Return the file's name for each of our columns; raise FileRefusedError where two mean one."""
    read: dict[str, str] = {}
    for name in names:
        meant = ours.get(fold(name))
        if meant in read:
            raise FileRefusedError(
                f"the columns {read[meant]!r} and {name!r} could both be {meant}: "
                f"rename or remove one{hint}"
            )
        if meant is not None:
            read[meant] = name
    return read


def check(columns: Columns, status: ImportStatus | None) -> None:
    """Raise FileRefusedError where a file does not say who is subscribed and who is not.

    `status` is what rows get that name none.
    """
    says = {"status", "kind"} & columns.read.keys()
    ends = "kind" in says if status is None else status.ends_consent
    everyone_ends = "status" not in says and ends
    if columns.suspects and not everyone_ends:
        raise FileRefusedError(
            f"these columns may say who opted out, and import does not read them: "
            f"{listed(columns.suspects)}. Put it into a column named status. If everyone in the "
            "file opted out, use --status unsubscribed instead. If a column is not about opting "
            "out, use --ignore-column"
        )
    if not says and status is None:
        raise FileRefusedError(
            "the file does not say who is subscribed: it has no column named status. If everyone "
            "in it opted out, use --status unsubscribed; if everyone in it agreed to get email, "
            "--status subscribed"
        )


def listed(names: Iterable[str]) -> str:
    """Return column names as a sentence has them; columns without a name are left out."""
    return ", ".join(name for name in names if name.strip())


def _is_suspect(name: str) -> bool:
    folded, words = fold(name), {fold(word) for word in re.findall(r"[^\W_]+", name)}
    if ABOUT_OPTING_OUT.search(folded) or words & ABOUT_EITHER:
        return True
    return bool(ABOUT_CONSENT.search(folded)) and not words & TIMES
