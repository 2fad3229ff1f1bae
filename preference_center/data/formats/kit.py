"""Kit (ConvertKit): the export of subscribers."""

from preference_center.data.formats.base import Column, Format, Variant, names_of
from preference_center.data.formats.meaning import Meaning

_MARKS = names_of("first_name", "tags", "created_at")

KIT = Format(
    name="kit",
    title="Kit",
    variants=(
        *(
            Variant(names_of(email, status), _MARKS, 3, is_certain=email == "email_address")
            for email in ("email_address", "email")
            for status in ("state", "status")
        ),
    ),
    emails=("emailaddress", "email"),
    columns=(
        Column(
            ("state", "status"),
            {
                "active": Meaning.SUBSCRIBED,
                "inactive": Meaning.UNCONFIRMED,
                "cancelled": Meaning.UNSUBSCRIBED_ALL,
                "bounced": Meaning.BOUNCED,
                "complained": Meaning.COMPLAINED,
            },
        ),
    ),
    harmless="createdat|tags|firstname",
    blind_spots=(
        "It does not say when or why a person unsubscribed.",
        "Tags, forms and sequences are not imported.",
        "The export of the dashboard has only the subscribers that it shows: choose all of them, "
        "also cancelled, bounced and complained ones.",
    ),
)
