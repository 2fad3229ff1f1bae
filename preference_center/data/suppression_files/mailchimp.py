"""Mailchimp: contacts that are imported with the status Unsubscribed."""

from preference_center.data.suppression_files.system import OutputFile, System, addresses_only

MAILCHIMP = System(
    title="Mailchimp",
    lines=addresses_only(OutputFile("unsubscribed.csv", "Email Address")),
    steps="""\
1. In Mailchimp, open Audience, choose the audience, then Add contacts > Import contacts.
2. Upload unsubscribed.csv and match its column with Email Address.
3. Choose the status Unsubscribed, and let the import update existing contacts.

The file has every stop: unsubscribes, bounces and complaints. An unsubscribe in Mailchimp ends
email from one audience: import the file into each.
""",
)
