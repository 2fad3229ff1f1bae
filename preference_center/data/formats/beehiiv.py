"""beehiiv: the export of subscribers. An active one may have the time of an unsubscribe."""

from preference_center.data.formats.base import Column, Format, Variant, names_of
from preference_center.data.formats.meaning import Meaning

BEEHIIV = Format(
    name="beehiiv",
    title="beehiiv",
    variants=(
        Variant(names_of("email", "status", "tier", "unsubscribed_at", "stripe_customer_id")),
        Variant(names_of("email", "status", "tier"), is_certain=False),
        Variant(names_of("email", "status", "unsubscribed_at", "created_at"), is_certain=False),
    ),
    columns=(
        Column(
            ("status",),
            {
                "active": Meaning.SUBSCRIBED,
                "inactive": Meaning.UNSUBSCRIBED,
                "pending": Meaning.UNCONFIRMED,
            },
        ),
        Column(("unsubscribedat",), other=Meaning.UNSUBSCRIBED),
    ),
    stopped_at=("unsubscribedat",),
    harmless="createdat|tier|stripecustomerid",
    blind_spots=(
        "A subscriber is `inactive` for several reasons, such as an unsubscribe or a bounce: each "
        "is imported as an unsubscribe.",
        "It does not say when an active subscriber agreed.",
    ),
)
