"""Amazon SES: the suppression list as JSON or CSV, and the contacts of a contact list."""

import json
import re
from collections.abc import Iterator
from typing import Any

from preference_center.data.formats.base import (
    Cells,
    Column,
    Format,
    Variant,
    names_of,
    opt_out_column,
)
from preference_center.data.formats.meaning import Meaning, Statement, is_empty
from preference_center.data.tabular import fold

# The columns of a file without a header, as SES imports it.
HEADERLESS = ("emailAddress", "reason")
REASONS = {"bounce": Meaning.BOUNCED, "complaint": Meaning.COMPLAINED}

# A column for all topics, or for one, by the letters of its name.
_PREFERENCES = re.compile(r"topic[\W_]*preferences?[\W_]*(.*)", re.DOTALL)
_UNREADABLE = Statement(Meaning.UNCLEAR, ("the choice of topics",))


def _is_preferences(name: str) -> bool:
    return _PREFERENCES.fullmatch(name) is not None


def _preferences(cells: Cells) -> Iterator[Statement]:
    """Yield what a contact chose for each topic: in a column each, or in JSON."""
    for name, cell in cells.items():
        found = _PREFERENCES.fullmatch(name)
        if found is None or is_empty(cell):
            continue
        if found[1].strip():
            yield _choice(found[1].strip(), cell)
        else:
            yield from _listed(cell)


def _choice(topic: str, choice: str) -> Statement:
    is_in = fold(choice) == "optin"
    return Statement(Meaning.SUBSCRIBED if is_in else Meaning.UNSUBSCRIBED, (topic,))


def _listed(text: str) -> Iterator[Statement]:
    """Yield the choices in JSON; what cannot be read is unclear."""
    try:
        found: Any = _parsed(text)
    except (ValueError, RecursionError):
        found = text
    for one in found if isinstance(found, list) else [found]:
        yield from _of_object(one) if isinstance(one, dict) else [_UNREADABLE]


def _parsed(text: str) -> Any:
    """Return the value in JSON, also with the quotation marks of Python."""
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(text.replace("'", '"'))


def _of_object(one: dict[str, Any]) -> Iterator[Statement]:
    """Yield the choice for a topic, or those of an object that maps topics to choices."""
    members = {fold(name): value for name, value in one.items()}
    if {"topicname", "subscriptionstatus"} & members.keys():
        pairs = [(members.get("topicname", ""), members.get("subscriptionstatus"))]
    else:
        pairs = list(one.items())
    for topic, choice in pairs:
        if isinstance(choice, str) and not is_empty(choice):
            yield _choice(str(topic), choice)
        else:
            yield _UNREADABLE


_DETAILS = names_of("LastUpdateTime", "LastUpdatedTimestamp", "Attributes")

SES = Format(
    name="ses",
    title="Amazon SES",
    variants=(
        Variant(
            names_of("emailAddress", "reason"), _DETAILS, meaning=Meaning.UNCLEAR, is_exact=True
        ),
        Variant(names_of("emailAddress", "unsubscribeAll")),
        Variant(names_of("emailAddress", "topicPreferences")),
        Variant(names_of("emailAddress", "reason"), meaning=Meaning.UNCLEAR, is_certain=False),
    ),
    emails=("emailaddress",),
    columns=(
        Column(("reason",), REASONS),
        opt_out_column("unsubscribeall"),
    ),
    stopped_at=("lastupdatetime", "lastupdatedtimestamp"),
    by_topic=_preferences,
    is_by_topic=_is_preferences,
    harmless="topicdefaultpreferences|attributesdata",
    blind_spots=(
        "The suppression list is that of one account and region. Import the list of every region.",
        "A contact who chose nothing for a topic has its default, which is not in the file.",
    ),
)
