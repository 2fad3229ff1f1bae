"""Amazon SES: the suppression list as JSON or CSV, and the contacts of a contact list."""

import json
from collections.abc import Iterator
from typing import Any

from preference_center.data.formats.base import Cells, Column, Format, Variant, names_of
from preference_center.data.formats.meaning import Meaning, Statement, when_true
from preference_center.data.tabular import fold

# The columns of a file without a header, as SES imports it.
HEADERLESS = ("emailAddress", "reason")
REASONS = {"bounce": Meaning.BOUNCED, "complaint": Meaning.COMPLAINED}

_PREFIX = "topicpreferences."


def _preferences(cells: Cells) -> Iterator[Statement]:
    """Yield what a contact chose for each topic: in a column each, or in a list."""
    chosen = [
        (name.removeprefix(_PREFIX), cell)
        for name, cell in cells.items()
        if name.startswith(_PREFIX)
    ]
    for topic, choice in chosen + _listed(cells.get("topicpreferences", "")):
        if word := fold(choice):
            meaning = Meaning.SUBSCRIBED if word == "optin" else Meaning.UNSUBSCRIBED
            yield Statement(meaning, (topic,))


def _listed(text: str) -> list[tuple[str, str]]:
    """Return topics and choices in the JSON text of a list."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    each = found if isinstance(found, list) else []
    return [
        (str(one.get("topicName", one.get("TopicName", ""))), str(_status(one)))
        for one in each
        if isinstance(one, dict)
    ]


def _status(one: dict[str, Any]) -> Any:
    return one.get("subscriptionStatus", one.get("SubscriptionStatus", ""))


SES = Format(
    name="ses",
    title="Amazon SES",
    variants=(
        Variant(names_of("emailAddress", "reason")),
        Variant(names_of("emailAddress", "unsubscribeAll")),
        Variant(names_of("emailAddress", "topicPreferences")),
    ),
    emails=("emailaddress",),
    columns=(
        Column(("reason",), REASONS),
        Column(
            ("unsubscribeall",),
            when_true(Meaning.UNSUBSCRIBED_ALL),
            other=Meaning.UNSUBSCRIBED_ALL,
            is_reported=True,
        ),
    ),
    stopped_at=("lastupdatetime", "lastupdatedtimestamp"),
    by_topic=_preferences,
    harmless="topicpreferences.*|topicdefaultpreferences|attributesdata",
    blind_spots=(
        "The suppression list is that of one account and region. Import the list of every region.",
        "A contact who chose nothing for a topic has its default, which is not in the file.",
    ),
)
