"""Brevo: the export of contacts, separated by semicolons."""

from preference_center.data.formats.base import Column, Format, Variant, names_of
from preference_center.data.formats.meaning import FALSE, Meaning, when_true

_OTHER_CHANNELS = dict.fromkeys(
    ("smsmarketing", "whatsappmarketing", "sms", "whatsapp"), Meaning.UNSTATED
)
_EMAIL = ("emailmarketing", "email")

BREVO = Format(
    name="brevo",
    title="Brevo",
    variants=(
        Variant(
            names_of("EMAIL"),
            names_of(
                *("CONTACT ID", "ADDED_TIME", "MODIFIED_TIME", "EXT_ID", "LANDLINE_NUMBER"),
                *("CONTACT_TIMEZONE", "DOUBLE_OPT-IN", "_BLOCKLISTED", "_SUBSCRIBED", "_listIds"),
                *("BLACKLISTED", "EMAIL_BLACKLISTED", "SMS_BLACKLISTED"),
            ),
            2,
        ),
    ),
    columns=(
        Column(
            ("blocklisted", "blacklisted", "emailblacklisted", "emailblocklisted"),
            when_true(Meaning.UNSUBSCRIBED_ALL)
            | dict.fromkeys(_EMAIL, Meaning.UNSUBSCRIBED_ALL)
            | _OTHER_CHANNELS,
            other=Meaning.UNSUBSCRIBED_ALL,
            is_list=True,
            is_reported=True,
        ),
        Column(
            ("subscribed",),
            dict.fromkeys(_EMAIL, Meaning.SUBSCRIBED)
            | _OTHER_CHANNELS
            | dict.fromkeys(FALSE, Meaning.KNOWN),
            is_list=True,
        ),
        Column(
            ("optin",),
            when_true(Meaning.UNSTATED) | dict.fromkeys(FALSE, Meaning.KNOWN),
            other=Meaning.UNSTATED,
        ),
    ),
    stopped_at=("modifiedtime",),
    harmless="smsblacklisted|smsblocklisted|doubleoptin|addedtime|sms|whatsapp",
    blind_spots=(
        "Only exports with the subscription status have the columns `_SUBSCRIBED` and "
        "`_BLOCKLISTED`. Without them, a contact is a known address, unless it is blacklisted.",
        "It does not say who left a single list, or why a contact is blocklisted.",
        "The time of a stop is that of the last change to the contact, if there is one.",
    ),
)
