"""Mailchimp: the export of an audience.

An archive has a file for each status, and a person is in one of them. The files of subscribed and
of non-subscribed people have the same columns, so only their names say which is which.
"""

from preference_center.data.formats.base import Column, Format, Variant, names_of
from preference_center.data.formats.meaning import Meaning

_MARKS = names_of("MEMBER_RATING", "OPTIN_TIME", "LEID", "EUID")
# Columns that only the files of unsubscribed, and of cleaned, people have.
_UNSUBSCRIBED = (
    *("UNSUB_TIME", "UNSUB_CAMPAIGN_TITLE", "UNSUB_CAMPAIGN_ID"),
    *("UNSUB_REASON", "UNSUB_REASON_OTHER"),
)
_CLEANED = ("CLEAN_TIME", "CLEAN_CAMPAIGN_TITLE", "CLEAN_CAMPAIGN_ID")
_CHANGED = names_of("LAST_CHANGED")

MAILCHIMP = Format(
    name="mailchimp",
    title="Mailchimp",
    variants=(
        *(
            Variant(names_of(each), _MARKS, 2, lacks=_CHANGED, meaning=meaning)
            for names, meaning in (
                (_UNSUBSCRIBED, Meaning.UNSUBSCRIBED),
                (_CLEANED, Meaning.BOUNCED),
            )
            for each in names
        ),
        Variant(frozenset(), _MARKS, 2),
    ),
    emails=("emailaddress", "email", "deineemailadresse"),
    columns=(
        Column(tuple(names_of(*_UNSUBSCRIBED)), other=Meaning.UNSUBSCRIBED),
        Column(tuple(names_of(*_CLEANED)), other=Meaning.BOUNCED),
    ),
    # A subscription to text messages is none to email.
    names=(
        *((f"{status}_sms_", Meaning.KNOWN) for status in ("subscribed", "nonsubscribed")),
        ("subscribed_", Meaning.SUBSCRIBED),
        ("nonsubscribed_", Meaning.UNCONFIRMED),
        ("unsubscribed_", Meaning.UNSUBSCRIBED),
        ("cleaned_", Meaning.BOUNCED),
    ),
    stopped_at=("unsubtime", "cleantime"),
    consent_at=("confirmtime", "optintime"),
    reasons=("unsubreason",),
    harmless="(optin|confirm)ip|lastchanged|notes|tags",
    blind_spots=(
        "Archived contacts are in none of the files, even if they had unsubscribed.",
        "An unsubscribe is from one audience. Import the files of every audience.",
        "A file of subscribed people is recognised only by its name, which begins `subscribed_`.",
        "Groups and tags are not imported.",
    ),
)
