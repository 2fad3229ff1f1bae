"""Ghost: the export of members."""

from preference_center.data.formats.base import Column, Format, Variant, names_of, opt_out_column
from preference_center.data.formats.meaning import FALSE, TRUE, Meaning

GHOST = Format(
    name="ghost",
    title="Ghost",
    variants=(Variant(names_of("email", "subscribed_to_emails")),),
    columns=(
        Column(
            ("subscribedtoemails",),
            dict.fromkeys(TRUE, Meaning.LISTED) | dict.fromkeys(FALSE, Meaning.UNSUBSCRIBED_ALL),
        ),
        opt_out_column("emaildisabled"),
        Column(("deletedat",), other=Meaning.KNOWN),
    ),
    harmless="giftid|createdat|note|name|complimentaryplan|tiers|products|labels",
    blind_spots=(
        "It does not say which newsletters a member gets: with --topic, every member with at least "
        "one is subscribed to it. Use it only if the site has one newsletter.",
        "It does not say whose email bounced or who complained: such members are still subscribed.",
        "It does not say when a member unsubscribed.",
    ),
)
