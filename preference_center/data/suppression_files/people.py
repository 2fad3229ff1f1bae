"""Read who has stopped, with all stops of each person."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from preference_center.core.vocab import Scope, Source
from preference_center.data.export_formats import Cells
from preference_center.data.suppression_files.system import Person, Stop

# The columns of `stops`, with SPELLING.
_EMAIL, _ID, _KIND, _TOPIC, _SINCE, _SOURCE, _ERASED, _SPELLING = range(8)

_Row = Sequence[str]


def people(batches: Iterable[Sequence[Cells]]) -> Iterator[Person]:
    """Yield each person, and each other spelling of an address as one.

    Rows are in the order of subscribers.
    """
    rows = (row for columns in batches for row in zip(*columns, strict=True))
    for _, own in groupby(rows, key=itemgetter(_ID)):
        found = list(own)
        stops = tuple(map(_stop, found))
        first = found[0]
        yield Person(first[_EMAIL], stops, bool(first[_ERASED]), bool(first[_SPELLING]))


def _stop(row: _Row) -> Stop:
    since = datetime.fromisoformat(row[_SINCE])
    return Stop(Scope(row[_KIND]), row[_TOPIC], since, Source(row[_SOURCE]))
