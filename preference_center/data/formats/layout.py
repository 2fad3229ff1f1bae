"""Find the columns that a format reads in one set of columns."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from preference_center.data.formats.base import Column, Format
from preference_center.data.formats.meaning import Meaning
from preference_center.data.import_columns import Columns, is_suspect
from preference_center.data.import_words import EMAIL_NAMES, OTHER_EMAIL_NAMES
from preference_center.data.tabular import fold

_REPEATED = re.compile(r" \(\d+\)$")  # how `tabular` names a second column of one name


@dataclass(frozen=True)
class Layout:
    """The columns of a file as a format reads them.

    `by_name` maps folded names to the columns of this name. `email` is the column with the address.
    `columns` has the columns that are not read.
    """

    by_name: Mapping[str, tuple[str, ...]]
    email: str | None
    default: Meaning
    stating: tuple[tuple[str, Column], ...]
    columns: Columns

    def first(self, names: Iterable[str], cells: Mapping[str, str]) -> str:
        """Return the first cell that is not empty of the columns with these names, or ""."""
        found = (cells[column] for name in names for column in self.by_name.get(name, ()))
        return next((cell for text in found if (cell := text.strip())), "")


@lru_cache(maxsize=64)
def layout_of(
    names: tuple[str, ...], form: Format, ignored: frozenset[str] = frozenset()
) -> Layout:
    """Return how a format reads columns with these names; of those in `ignored`, at most emails."""
    by_name: dict[str, tuple[str, ...]] = {}
    for name in names:
        folded = folded_name(name)
        by_name[folded] = (*by_name.get(folded, ()), name)
    variant = form.variant(frozenset(by_name))
    stating = tuple(
        (column, each)
        for each in form.columns
        for name in each.names
        for column in by_name.get(name, ())
        if column not in ignored
    )
    email = _email(form, by_name)
    known = {*ignored, *(name for name in names if _is_known(name, form)), email}
    has_rest = variant is None or not variant.reads_rest
    unread = tuple(name for name in names if has_rest and name not in known)
    return Layout(
        by_name,
        email,
        variant.meaning if variant else Meaning.UNSTATED,
        stating,
        Columns({}, unread, tuple(filter(is_suspect, unread))),
    )


def folded_name(name: str) -> str:
    """Return the name of a column, folded, of which a file may have several."""
    return fold(_REPEATED.sub("", name))


def _email(form: Format, by_name: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return the column with the address; None if there is none, or if it is unclear."""
    for names in (form.emails, EMAIL_NAMES, OTHER_EMAIL_NAMES):
        found = [by_name[name][0] for name in names if name in by_name]
        if found:
            return found[0] if names is form.emails or len(found) == 1 else None
    found = [columns[0] for name, columns in by_name.items() if "mail" in name]
    return found[0] if len(found) == 1 else None


def _is_known(name: str, form: Format) -> bool:
    folded = folded_name(name)
    of_variants = any(folded in each.has | each.some_of for each in form.variants)
    harmless = bool(form.harmless) and re.fullmatch(form.harmless, folded) is not None
    is_read = folded in form.read_columns or form.is_by_topic(name)
    return harmless or of_variants or is_read
