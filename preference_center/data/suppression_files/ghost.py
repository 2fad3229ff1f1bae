"""Ghost: members without newsletters. Ghost subscribes a member unless the row says `false`."""

from collections.abc import Iterable

from preference_center.data.suppression_files.system import (
    Line,
    OutputFile,
    Person,
    System,
    csv_line,
)

_MEMBERS = OutputFile("members.csv", "email,subscribed_to_emails")


def _lines(person: Person) -> Iterable[Line]:
    return [(_MEMBERS, csv_line(person.email, "false"))]


GHOST = System(
    title="Ghost",
    lines=_lines,
    steps="""\
1. In Ghost Admin, open Members > Import members, and upload members.csv.
2. Look at a few members who existed before: none of their newsletters may be on.

The file has every stop: unsubscribes, bounces and complaints. Ghost adds a member for each address
that it does not have, without any newsletter. Import this file after a file of members, not before.
""",
)
