"""Klaviyo: the export of profiles. A profile can be both subscribed and suppressed."""

from preference_center.data.formats.base import Column, Format, Variant, names_of
from preference_center.data.formats.meaning import Meaning

KLAVIYO = Format(
    name="klaviyo",
    title="Klaviyo",
    variants=(
        Variant(names_of("Email", "Klaviyo ID")),
        Variant(names_of("Email", "Email Marketing Consent")),
        Variant(names_of("Email", "Email Suppressions")),
    ),
    columns=(
        Column(
            ("emailsuppressions",),
            {
                **dict.fromkeys(("hardbounce", "hardbounced", "invalidemail"), Meaning.BOUNCED),
                **dict.fromkeys(("bounce", "bounced"), Meaning.BOUNCED),
                **dict.fromkeys(("spamcomplaint", "complaint", "spam"), Meaning.COMPLAINED),
                **dict.fromkeys(("unsubscribe", "unsubscribed"), Meaning.UNSUBSCRIBED_ALL),
                "usersuppressed": Meaning.UNSUBSCRIBED_ALL,
            },
            other=Meaning.UNSUBSCRIBED_ALL,
            is_list=True,
            is_reported=True,
        ),
        Column(
            ("emailmarketingconsent",),
            {
                "subscribed": Meaning.SUBSCRIBED,
                "unsubscribed": Meaning.UNSUBSCRIBED_ALL,
                "unsubscribe": Meaning.UNSUBSCRIBED_ALL,
                "neversubscribed": Meaning.KNOWN,
            },
            at=("emailmarketingconsenttimestamp",),
        ),
    ),
    consent_at=("emailmarketingconsenttimestamp",),
    harmless="klaviyoid|.*smsmarketingconsent.*|smsconsent.*",
    blind_spots=(
        "The columns are chosen when it is exported. Without `Email Suppressions`, it does not say "
        "whose email bounced, who complained, and which profiles you suppressed.",
        "It does not say when a profile was suppressed: the time of the import is used.",
        "It does not say which lists a profile is on.",
    ),
)
