"""Which settings a page may show: only those whose definition says so."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_type_hints

T = TypeVar("T")
_MARK = "may be shown"
# The type of a setting that may be shown. Of any other, a page says only whether it is set.
Shown = Annotated[T, _MARK]


def shown(settings: Any) -> Mapping[str, str]:
    """Return each setting by its name, in order: its value, or whether it is set."""
    types = sorted(get_type_hints(type(settings), include_extras=True).items())
    return {
        name: _text(getattr(settings, name), _MARK in getattr(each, "__metadata__", ()))
        for name, each in types
    }


def _text(value: Any, is_shown: bool) -> str:
    if not is_shown:
        return "set" if value else "not set"
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(map(str, value)))
    return "" if value is None else str(value)
