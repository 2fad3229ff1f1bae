"""Mailgun: bounces, complaints, and unsubscribes with a tag for each topic."""

from collections.abc import Iterator
from email.utils import format_datetime

from preference_center.core.vocab import Scope, Source
from preference_center.data.suppression_files.system import (
    Line,
    OutputFile,
    Person,
    Stop,
    System,
    csv_line,
)

_MAX_BYTES = 25_000_000
_BOUNCES = OutputFile("bounces.csv", "address,code,error,created_at", max_bytes=_MAX_BYTES)
_COMPLAINTS = OutputFile("complaints.csv", "address,created_at", max_bytes=_MAX_BYTES)
_UNSUBSCRIBES = OutputFile("unsubscribes.csv", "address,tags,created_at", max_bytes=_MAX_BYTES)
_NO_MAILBOX = "550"  # RFC 5321 §4.2.3
_EVERYTHING = "*"


def _lines(person: Person) -> Iterator[Line]:
    """Yield one line for each file, and in `unsubscribes.csv` one for each topic."""
    lines: dict[tuple[OutputFile, str], str] = {}
    for stop in sorted(_wanted(person), key=lambda stop: stop.since):
        file, *cells = _cells(stop)
        line = csv_line(person.email, *cells, _time(stop))
        lines.setdefault((file, stop.topic), line)
    yield from ((file, line) for (file, _), line in lines.items())


def _wanted(person: Person) -> list[Stop]:
    """Return the stops of a person, without those of topics if all topics are unsubscribed."""
    everything = any(_cells(each)[0] is _UNSUBSCRIBES for each in person.from_everything)
    return person.from_everything if everything else [*person.stops]


def _cells(stop: Stop) -> tuple[OutputFile, *tuple[str, ...]]:
    """Return the file of a stop, and the cells between the address and the time."""
    if stop.scope is Scope.TOPIC:
        return _UNSUBSCRIBES, stop.topic
    if stop.source is Source.BOUNCE:
        return _BOUNCES, _NO_MAILBOX, ""
    if stop.source is Source.COMPLAINT:
        return (_COMPLAINTS,)
    return _UNSUBSCRIBES, _EVERYTHING


def _time(stop: Stop) -> str:
    """Return the time of a stop as Mailgun writes it (RFC 2822), with `UTC` for the zone."""
    return format_datetime(stop.since, usegmt=True).removesuffix("GMT") + "UTC"


MAILGUN = System(
    title="Mailgun",
    lines=_lines,
    has_topics=True,
    steps="""\
1. In Mailgun, open Sending > Suppressions, and choose the domain that you send from.
2. Import bounces.csv on the tab Bounces, complaints.csv on Complaints, and unsubscribes.csv on
   Unsubscribes. A file has at most 25 MB, so a long list is in several.

Which stop is in which file:
- bounces.csv: suppressions that bounces caused, with the code 550.
- complaints.csv: complaints.
- unsubscribes.csv: all others. The tag * ends all email from the domain, receipts too. The slug of
  a topic ends emails with that tag, so send each topic with its slug as a tag.
""",
)
