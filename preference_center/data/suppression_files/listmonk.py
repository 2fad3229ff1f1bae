"""listmonk: its blocklist, and a file for the list of each topic. It reads one CSV of a ZIP."""

from collections.abc import Iterator

from preference_center.data.suppression_files.system import (
    Line,
    OutputFile,
    Person,
    System,
    csv_line,
)

_HEADER = "email,name,attributes"
_BLOCKLIST = OutputFile("listmonk-blocklist.csv", _HEADER)


def _lines(person: Person) -> Iterator[Line]:
    line = csv_line(person.email, "", "{}")
    if person.from_everything:
        yield _BLOCKLIST, line
    for topic in person.topics:
        yield OutputFile(f"listmonk-{topic}-unsubscribed.csv", _HEADER), line


LISTMONK = System(
    title="listmonk",
    lines=_lines,
    has_topics=True,
    steps="""\
Import each file on its own (listmonk reads only one file of a ZIP), the blocklist last:

1. In listmonk, open Subscribers > Import. For each file listmonk-TOPIC-unsubscribed.csv choose the
   mode Subscribe, the subscription status Unsubscribed, the list that you use for this topic, and
   to overwrite the subscription status. Do not overwrite the user info: the names are empty.
2. For listmonk-blocklist.csv choose the mode Blocklist.

The blocklist has everyone who left everything, bounced or complained. A topic's file has those who
left only that topic.
""",
)
