"""SendGrid: the downloads of suppressions, one file for each list, and of marketing contacts.

Bounces and blocks have the same columns. A block is a temporary refusal, and no reason to stop.
"""

from collections.abc import Iterator

from preference_center.data.formats.base import Cells, Format, Variant, first_cell, names_of
from preference_center.data.formats.meaning import Meaning, Statement


def _groups(cells: Cells) -> Iterator[Statement]:
    """Yield the unsubscribe from a group, which is named or numbered."""
    names = [first_cell(cells, name) for name in ("groupname", "groupid")]
    if any(names):
        yield Statement(Meaning.UNSUBSCRIBED, tuple(filter(None, names)))
    elif names[1] is not None:
        yield Statement(Meaning.UNSUBSCRIBED_ALL)


_STATUS = names_of("status")
# Columns of lists of people, which are no lists of suppressions.
_OTHER = names_of("name", "first_name", "last_name", "topic", "kind", "subscribed")

SENDGRID = Format(
    name="sendgrid",
    title="SendGrid",
    variants=(
        Variant(
            names_of("email", "group_id", "group_name", "created_at"),
            meaning=Meaning.UNCLEAR,
            is_exact=True,
        ),
        Variant(
            names_of("email", "group_id"),
            lacks=_OTHER | _STATUS,
            meaning=Meaning.UNCLEAR,
            is_certain=False,
        ),
        Variant(
            names_of("ip", "email", "created"),
            lacks=_OTHER | _STATUS,
            meaning=Meaning.COMPLAINED,
            is_certain=False,
        ),
        Variant(
            names_of("status", "reason", "email", "created"),
            lacks=_OTHER,
            meaning=Meaning.UNCLEAR,
            is_certain=False,
        ),
        Variant(
            names_of("reason", "email", "created"),
            lacks=_OTHER | _STATUS,
            meaning=Meaning.BOUNCED,
            is_certain=False,
        ),
        Variant(
            names_of("EMAIL", "CONTACT_ID", "CREATED_AT", "UPDATED_AT"),
            names_of("FIRST_NAME", "LAST_NAME"),
            1,
            is_certain=False,
        ),
        Variant(
            names_of("email", "created"),
            meaning=Meaning.UNSUBSCRIBED_ALL,
            is_exact=True,
            is_certain=False,
        ),
    ),
    names=(
        ("suppression_blocks", Meaning.NOTHING),
        ("suppression_bounces", Meaning.BOUNCED),
    ),
    stopped_at=("created", "createdat"),
    reasons=("reason",),
    by_topic=_groups,
    harmless="status|groupid|groupname|ip",
    blind_spots=(
        "Each list is a file of its own: bounces, invalid emails, spam reports, global "
        "unsubscribes, and one for each unsubscribe group. Import all of them.",
        "Its files have columns that many files have: most are read only with --from sendgrid.",
        "Blocks are temporary refusals and stop nothing. A file of them is recognised only by its "
        "name, which begins `suppression_blocks`.",
        "The contacts do not say who agreed to what.",
    ),
)
