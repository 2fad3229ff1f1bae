"""Find the columns that a format reads in one set of columns."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from preference_center.data.formats.base import Column, Format, folded_name
from preference_center.data.formats.meaning import Meaning
from preference_center.data.import_columns import Columns, is_suspect
from preference_center.data.import_words import EMAIL_NAMES, OTHER_EMAIL_NAMES


@dataclass(frozen=True)
class Layout:
    """The columns of a file as a format reads them.

    `by_name` maps folded names to the columns of this name. `emails` are the columns with
    addresses; the first that is filled counts if `is_ordered`. `columns` has the columns that are
    not read.
    """

    by_name: Mapping[str, tuple[str, ...]]
    emails: tuple[str, ...]
    is_ordered: bool
    default: Meaning
    stating: tuple[tuple[str, Column], ...]
    columns: Columns

    def first(self, names: Iterable[str], cells: Mapping[str, str]) -> str:
        """Return the first cell that is not empty of the columns with these names, or ""."""
        found = (cells[column] for name in names for column in self.by_name.get(name, ()))
        return next((cell for text in found if (cell := text.strip())), "")

    def addresses(self, cells: Mapping[str, str]) -> list[str]:
        """Return the different cells with addresses that are not empty, in order."""
        texts = (cells[name].strip() for name in self.emails)
        return list(dict.fromkeys(filter(None, texts)))


@lru_cache(maxsize=64)
def layout_of(
    names: tuple[str, ...], form: Format, ignored: frozenset[str] = frozenset()
) -> Layout:
    """Return how a format reads columns with these names. Those in `ignored` are not read."""
    written = {name.lower(): name for name in names}
    by_name: dict[str, tuple[str, ...]] = {}
    for name in written:
        if name not in ignored:
            folded = folded_name(name)
            by_name[folded] = (*by_name.get(folded, ()), name)
    variant = form.variant(frozenset(map(folded_name, names)))
    stating = tuple(
        (column, each)
        for each in form.columns
        for name in each.names
        for column in by_name.get(name, ())
    )
    emails, is_ordered = _emails(form, by_name)
    known = {*ignored, *(name for name in written if _is_known(name, form)), *emails}
    has_rest = variant is None or not variant.reads_rest
    unread = tuple(name for name in written if has_rest and name not in known)
    passive = known.difference(ignored, emails, (each for each in known if _is_read(each, form)))
    return Layout(
        by_name,
        emails,
        is_ordered,
        variant.meaning if variant else Meaning.UNSTATED,
        stating,
        Columns(
            {},
            unread,
            tuple(name for name in unread if is_suspect(written[name])),
            tuple(each for each in written if each in passive and not is_suspect(written[each])),
        ),
    )


def _emails(form: Format, by_name: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ...], bool]:
    """Return the columns with addresses, and whether their order counts."""
    own = [column for name in form.emails for column in by_name.get(name, ())]
    for names in (EMAIL_NAMES, OTHER_EMAIL_NAMES):
        more = [column for name in by_name if name in names for column in by_name[name]]
        if own or more:
            return tuple(dict.fromkeys((*own, *more))), bool(own)
    found = [columns[0] for name, columns in by_name.items() if "mail" in name]
    return (tuple(found) if len(found) == 1 else ()), True


def _is_known(name: str, form: Format) -> bool:
    folded = folded_name(name)
    of_variants = any(folded in each.has | each.some_of for each in form.variants)
    harmless = bool(form.harmless) and re.fullmatch(form.harmless, folded) is not None
    return harmless or of_variants or _is_read(name, form)


def _is_read(name: str, form: Format) -> bool:
    return folded_name(name) in form.read_columns or form.is_by_topic(name)
