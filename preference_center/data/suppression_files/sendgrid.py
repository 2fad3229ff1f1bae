"""SendGrid: global unsubscribes, and an unsubscribe group for each topic."""

from collections.abc import Iterator

from preference_center.data.suppression_files.system import (
    Line,
    OutputFile,
    Person,
    System,
    csv_line,
)

_GLOBAL = OutputFile("global-unsubscribes.csv", "email")


def _lines(person: Person) -> Iterator[Line]:
    if person.from_everything:
        yield _GLOBAL, csv_line(person.email)
    for topic in person.topics:
        yield OutputFile(f"group-{topic}.csv", "email"), csv_line(person.email)


SENDGRID = System(
    title="SendGrid",
    lines=_lines,
    has_topics=True,
    steps="""\
1. In SendGrid, open Suppressions > Global Unsubscribes, and upload global-unsubscribes.csv
   (with the API: POST /v3/asm/suppressions/global).
2. Open Suppressions > Unsubscribe Groups. For each file group-TOPIC.csv, open the group that you
   use for this topic, and upload the file (POST /v3/asm/groups/GROUP/suppressions).

global-unsubscribes.csv has everyone who left everything, bounced or complained. SendGrid then
drops every email to them that does not bypass its list management, receipts included. SendGrid
takes no bounces and no spam reports from a file. A group file has those who left only that topic.
""",
)
