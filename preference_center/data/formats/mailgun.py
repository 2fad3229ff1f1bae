"""Mailgun: bounces, complaints and unsubscribes of a domain."""

import re
from collections.abc import Iterator

from preference_center.data.formats.base import Cells, Format, Variant, names_of
from preference_center.data.formats.meaning import Meaning, Statement

_SEPARATORS = re.compile(r"[\[\],;|\"]+")


def _tags(cells: Cells) -> Iterator[Statement]:
    """Yield the unsubscribe from each tag; `*`, or none, is the whole domain."""
    if "tags" not in cells:
        return
    tags = [tag for each in _SEPARATORS.split(cells["tags"]) if (tag := each.strip().strip("'"))]
    if not tags or "*" in tags:
        yield Statement(Meaning.UNSUBSCRIBED_ALL)
        return
    for tag in tags:
        yield Statement(Meaning.UNSUBSCRIBED, (tag,))


MAILGUN = Format(
    name="mailgun",
    title="Mailgun",
    variants=(
        Variant(names_of("address", "tags", "created_at")),
        Variant(names_of("address", "code", "error", "created_at"), meaning=Meaning.BOUNCED),
        Variant(
            names_of("address", "created_at"),
            lacks=names_of("email", "status", "topic"),
            meaning=Meaning.COMPLAINED,
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
