"""Phrases that end consent, and texts that have the words but do not."""

import pytest

from preference_center.core.vocab import ImportStatus
from preference_center.data.import_phrases import ending_status
from tests.support.foreign_files import Outcome, csv_of

UNSUBSCRIBED = [
    "DNC - asked by phone",
    *("Unsubscribed on 3 May", "Opted out (manual)", "GLOBAL_UNSUBSCRIBE", "GlobalUnsubscribe"),
    *(
        "Do not contact",
        "Do Not Contact (phone call)",
        "User has opted out",
        "contact: don't email",
    ),
    *("N/A (Unsubscribed by an admin)", "No longer subscribed", "Unsubscribed - no longer needed"),
    *("Unsubscribed: not relevant", "unsubscribed, never signed up", "Opt-out via link", "Opt Out"),
    *("Hat sich abgemeldet", "Bitte nicht kontaktieren!", "s'est désabonné le 3 mai", "OPTED OUT"),
    *("se ha dado de baja", "Ne pas contacter", "1 - Unsubscribed", "unsubscribed2024"),
    *("Unsubscribed, not bounced", "was active, then unsubscribed", "Unsubscribed/3"),
]
OTHERS = [
    ("Hard bounced (550)", ImportStatus.BOUNCED),
    ("HardBounce", ImportStatus.BOUNCED),
    ("Permanently bounced", ImportStatus.BOUNCED),
    ("Marked as spam", ImportStatus.COMPLAINED),
    ("SpamComplaint", ImportStatus.COMPLAINED),
    ("Unsubscribed (spam complaint)", ImportStatus.COMPLAINED),
]
NOT_ENDING = [
    *("", "subscribed", "not unsubscribed", "Has never opted out", "Unsubscribed: no", "opt-out=0"),
    *("Unsubscribed no", "opted out? false", "nicht abgemeldet", "n'est pas désabonné"),
    *("Soft bounce", "soft bounced", "temporarily bounced", "Resubscribed (was unsubscribed)"),
    *("reactivated after opt-out", "Never subscribed", "not subscribed", "optouter", "Inactive"),
    "no complaint",
]


@pytest.mark.parametrize(
    ("text", "status"), [*((each, ImportStatus.UNSUBSCRIBED) for each in UNSUBSCRIBED), *OTHERS]
)
def test_a_phrase_anywhere_in_a_text_ends_consent(text: str, status: ImportStatus) -> None:
    assert ending_status(text) is status


@pytest.mark.parametrize("text", NOT_ENDING)
def test_a_phrase_that_is_denied_does_not(text: str) -> None:
    assert ending_status(text) is None


@pytest.mark.parametrize(
    ("source", "header", "column"),
    [
        ("kit", "first_name,email_address,state,created_at,tags", "state"),
        ("brevo", "EMAIL,CONTACT ID,ADDED_TIME,_SUBSCRIBED", "_SUBSCRIBED"),
        ("brevo", "EMAIL,CONTACT ID,ADDED_TIME,OPT_IN", "OPT_IN"),
        ("hubspot", "Record ID,Email,Create Date,Marketing contact status", ""),
        ("klaviyo", "Email,Klaviyo ID,Email Marketing Consent", "Email Marketing Consent"),
        ("listmonk", "uuid,email,name,attributes,status,created_at,updated_at", "status"),
        ("beehiiv", "email,status,tier,unsubscribed_at,stripe_customer_id", "status"),
        ("ghost", "email,subscribed_to_emails", "subscribed_to_emails"),
    ],
)
def test_phrases_in_the_files_of_other_systems_are_stops(
    source: str, header: str, column: str
) -> None:
    names = header.split(",")
    email = next(each for each in names if "mail" in each.lower() and "consent" not in each.lower())
    for text in UNSUBSCRIBED:
        row = {email: "p@example.org", column or names[-1]: text}
        outcome = Outcome(csv_of(names, [row]), source=source, topic="weekly-news")
        assert outcome.stopped == {"p@example.org"}, text


def test_a_huge_cell_is_read_in_part() -> None:
    assert ending_status("x " * 1_000_000 + "unsubscribed") is None
