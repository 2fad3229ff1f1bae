"""listmonk: the export of subscribers."""

from preference_center.data.formats.base import Column, Format, Variant, names_of
from preference_center.data.formats.meaning import Meaning

LISTMONK = Format(
    name="listmonk",
    title="listmonk",
    variants=tuple(
        Variant(names_of("uuid", "email", "status", each)) for each in ("attributes", "attribs")
    ),
    columns=(
        Column(
            ("status",),
            {
                "enabled": Meaning.LISTED,
                "disabled": Meaning.KNOWN,
                "blocklisted": Meaning.UNSUBSCRIBED_ALL,
                "blacklisted": Meaning.UNSUBSCRIBED_ALL,  # before version 1
            },
        ),
    ),
    stopped_at=("updatedat",),
    harmless="createdat|name",
    blind_spots=(
        "It does not say who left a list: a person who left every list is `enabled`.",
        "With --topic, everyone who is `enabled` is subscribed to it. Use it only for the export "
        "of one list, of its confirmed subscriptions.",
        "Import the unsubscribed people of each list with --topic and --status unsubscribed. "
        "listmonk 3.0.0 ignored this filter and exported the whole list: compare the numbers.",
    ),
)
