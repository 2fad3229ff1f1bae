"""Amazon SES: the account-level suppression list, and contacts who left everything.

A contact that is imported replaces the one that SES has. So there is no file of single topics: it
would subscribe people again who have left everything at SES.
"""

import json
from collections.abc import Iterator

from preference_center.core.vocab import Scope, Source
from preference_center.data.suppression_files.system import (
    Line,
    OutputFile,
    Person,
    System,
    csv_line,
)

_SUPPRESSION = OutputFile("suppression.csv", max_rows=100_000)
_CONTACTS = OutputFile("contacts.json", max_rows=1_000_000)


def _lines(person: Person) -> Iterator[Line]:
    word = _word(person)
    if word:
        yield _SUPPRESSION, csv_line(person.email, word)
    else:
        contact = {"emailAddress": person.email, "unsubscribeAll": True}
        yield _CONTACTS, json.dumps(contact, ensure_ascii=False)


def _word(person: Person) -> str:
    """Return the reason for the suppression list, or "" for a person who is not on it."""
    stops = person.from_everything
    sources = {each.source for each in stops}
    if Source.COMPLAINT in sources:
        return "COMPLAINT"
    if Source.BOUNCE in sources:
        return "BOUNCE"
    return "COMPLAINT" if any(each.scope is Scope.ADDRESS for each in stops) else ""


SES = System(
    title="Amazon SES",
    lines=_lines,
    steps="""\
The account must have production access. Upload the files to a bucket of Amazon S3, then start an
import job for each. SES takes at most 100,000 addresses of a suppression list and 1,000,000
contacts at once, so a long list is in several files:

1. suppression.csv: the account-level suppression list. It has no header.
   aws sesv2 create-import-job \\
     --import-destination '{"SuppressionListDestination":{"SuppressionListImportAction":"PUT"}}' \\
     --import-data-source '{"S3Url":"s3://BUCKET/suppression.csv","DataFormat":"CSV"}'
2. contacts.json: your contact list, if you send with list management. One JSON object a line.
   aws sesv2 create-import-job --import-destination '{"ContactListDestination":
     {"ContactListName":"LIST","ContactListImportAction":"PUT"}}' \\
     --import-data-source '{"S3Url":"s3://BUCKET/contacts.json","DataFormat":"JSON"}'
   An imported contact replaces the one that the list has, with its attributes and topics.

Which stop is in which file. The suppression list ends every email from the account, receipts too:
- COMPLAINT: complaints, and people who want no email at all to their address (kind "address").
- BOUNCE: suppressions that bounces caused. A person with both is a COMPLAINT.
- contacts.json: all other people. They left your topics, but may get email about an account.
""",
)
