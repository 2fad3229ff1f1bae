"""Write the people of a list to a file: those whom its filters select, or a frozen one has."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import tzinfo
from typing import BinaryIO
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core.lists import people, reading
from preference_center.data.export_formats import FORMATS, Cells
from preference_center.data.export_rows import Rows
from preference_center.data.jobs.options import LIST, ListOptions
from preference_center.store import list_queries
from preference_center.store.text_cells import as_text


def write(
    session: Session,
    options: ListOptions,
    file: BinaryIO,
    zone: tzinfo,
    advance: Callable[[int], None],
) -> None:
    """Write the file; `advance` gets the rows of each batch. Days are those of `zone`.

    Raises:
        ListRefusal: the frozen list is no longer kept.
    """
    columns = Rows(list_queries.rows_of([])).columns
    with closing(FORMATS[options.output].writer(file, columns, LIST)) as writer:
        for batch in _batches(session, options, zone):
            writer.write(batch)
            advance(len(batch[0]))


def _batches(session: Session, options: ListOptions, zone: tzinfo) -> Iterator[list[Cells]]:
    """Yield the columns of each batch of people."""
    if options.frozen:
        for ids in reading.ids_of(session, UUID(options.frozen)):
            if rows := session.execute(as_text(list_queries.rows_of(ids))).all():
                yield list(zip(*rows, strict=True))
        return
    wanted = people.selection(session, options.selected(), zone)
    with Rows(list_queries.with_columns(wanted)).read(session) as batches:
        yield from batches
