"""Kit (ConvertKit): the export of subscribers."""

from preference_center.data.formats.base import Column, Format, Variant, names_of
from preference_center.data.formats.meaning import Meaning

_MARKS = names_of("first_name", "tags", "created_at")
_STATUS = ("state", "status")

KIT = Format(
    name="kit",
    title="Kit",
    variants=(
        *(Variant(names_of("email_address", each), _MARKS, 3, is_exact=True) for each in _STATUS),
        *(
            Variant(names_of(email, status), _MARKS, 3, is_certain=False)
            for email in ("email_address", "email")
            for status in _STATUS
        ),
    ),
    emails=("emailaddress", "email"),
    columns=(
        Column(
            _STATUS,
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
