"""Say in the words of the form what a message of the import says in options of the command."""

import re
from collections.abc import Mapping

from preference_center.core.vocab import ImportStatus
from preference_center.data.formats import registry

LABELS: Mapping[str, str] = {
    "from": "Where the file is from",
    "topic": "Topic",
    "status": "Status",
    "ignore-column": "Columns to leave out",
    "ignore-part": "Sheets and files to leave out",
    "map": "Columns with other names",
    "map-status": "Words in the column status",
    "map-topic": "Topics of the file",
    "create-topics": "Add topics that do not exist",
}
SOURCES: Mapping[str, str] = {
    registry.AUTO: "Find out by its columns",
    **{name: each.title for name, each in registry.FORMATS.items()},
    registry.PLAIN: "A list of our own, or another system",
}
_VALUES = "|".join([*registry.NAMES, *(each.value for each in ImportStatus), "[A-Z]+=[A-Z]+"])
_QUOTED = re.compile("`([^`]+)`")
_OPTION = re.compile(rf"--({'|'.join(sorted(LABELS, reverse=True))})(?: ({_VALUES})\b)?")


def worded(text: str) -> str:
    """Return a message with the labels of fields in place of options of the command."""
    return _QUOTED.sub(r"“\1”", _OPTION.sub(_field, text))


def _field(found: re.Match[str]) -> str:
    name, value = found.groups()
    shown = SOURCES.get(value or "", value)
    return f"“{LABELS[name]}: {shown}”" if shown else f"“{LABELS[name]}”"
