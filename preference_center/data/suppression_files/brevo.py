"""Brevo: contacts that are imported to the blocklist."""

from preference_center.data.suppression_files.system import OutputFile, System, addresses_only

BREVO = System(
    title="Brevo",
    lines=addresses_only(OutputFile("blocklist.csv", "EMAIL")),
    steps="""\
1. In Brevo, open Contacts > Import contacts, and upload blocklist.csv.
2. Match its column with EMAIL.
3. Mark the contacts as blocklisted for email (with the API: POST /v3/contacts/import with
   "emailBlacklist": true and "updateExistingContacts": true).

The file has every stop: unsubscribes, bounces and complaints. A blocklisted contact gets no
marketing email from Brevo.
""",
)
