"""Read who has stopped, with all stops of each person."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from preference_center.core.vocab import Scope, Source
from preference_center.data.export_formats import Cells
from preference_center.data.suppression_files.system import Person, Stop

_EMAIL, _ID, _KIND, _TOPIC, _SINCE, _SOURCE, _ERASED = range(7)  # the columns of `stops`

_Row = Sequence[str]


def people(batches: Iterable[Sequence[Cells]]) -> Iterator[tuple[Person, bool]]:
    """Yield each person, and whether the person was erased; `email` is "" if it is not known.

    Rows are in the order of subscribers.
    """
    rows = (row for columns in batches for row in zip(*columns, strict=True))
    for _, own in groupby(rows, key=itemgetter(_ID)):
        found = list(own)
        stops = tuple(map(_stop, found))
        yield Person(found[0][_EMAIL], stops), bool(found[0][_ERASED])


def _stop(row: _Row) -> Stop:
    since = datetime.fromisoformat(row[_SINCE])
    return Stop(Scope(row[_KIND]), row[_TOPIC], since, Source(row[_SOURCE]))
