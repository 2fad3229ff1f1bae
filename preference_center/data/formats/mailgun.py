"""Mailgun: bounces, complaints and unsubscribes of a domain."""

import re
from collections.abc import Iterator

from preference_center.data.formats.base import Cells, Format, Variant, first_cell, names_of
from preference_center.data.formats.meaning import Meaning, Statement

_SEPARATORS = re.compile(r"[\[\],;|\"]+")


def _tags(cells: Cells) -> Iterator[Statement]:
    """Yield the unsubscribe from each tag; `*`, or none, is the whole domain."""
    if (cell := first_cell(cells, "tags")) is None:
        return
    tags = [tag for each in _SEPARATORS.split(cell) if (tag := each.strip().strip("'"))]
    if not tags or "*" in tags:
        yield Statement(Meaning.UNSUBSCRIBED_ALL)
        return
    for tag in tags:
        yield Statement(Meaning.UNSUBSCRIBED, (tag,))


_UNSUBSCRIBES = names_of("address", "tags", "created_at")
_BOUNCES = names_of("address", "code", "error", "created_at")
# Columns of lists of people, which are no lists of suppressions.
_OTHER = names_of("email", "name", "first_name", "last_name", "status", "topic", "kind")

MAILGUN = Format(
    name="mailgun",
    title="Mailgun",
    variants=(
        Variant(_UNSUBSCRIBES, meaning=Meaning.UNCLEAR, is_exact=True),
        Variant(_UNSUBSCRIBES, lacks=_OTHER, meaning=Meaning.UNCLEAR, is_certain=False),
        Variant(_BOUNCES, meaning=Meaning.BOUNCED, is_exact=True),
        Variant(_BOUNCES, lacks=_OTHER, meaning=Meaning.BOUNCED, is_certain=False),
        Variant(
            names_of("address", "created_at"),
            meaning=Meaning.COMPLAINED,
            is_exact=True,
            is_certain=False,
        ),
    ),
    emails=("address",),
    stopped_at=("createdat",),
    reasons=("error",),
    by_topic=_tags,
    harmless="tags|code",
    blind_spots=(
        "Each list of each domain is a file of its own: bounces, complaints and unsubscribes. "
        "Import all of them.",
        "They do not say who agreed to get email.",
    ),
)
