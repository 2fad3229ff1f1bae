"""Write rows of text as CSV or JSON Lines, many at a time.

The CSV is what `csv.writer` writes after `escape_formula`, several times faster: most columns of
most batches have no cell that needs quotation marks or an apostrophe.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence

from preference_center.data.tabular.formulas import TRIGGERS, escape_formula
from preference_center.data.tabular.writers import csv_cell

Column = Sequence[str]

# In cells joined by "|". A cell where a trigger follows a comma or a line end is also found.
_SPECIAL = re.compile(f'[,"\r\n]|[;|\t][{TRIGGERS}]')
_encode = json.JSONEncoder(ensure_ascii=False).encode


def csv_lines(names: Sequence[str], columns: Iterable[Column], free: Collection[str]) -> str:
    """Return the lines of a batch, which a spreadsheet does not run as formulas.

    `free` are the names of the columns that may hold any text.
    """
    written = [
        _csv_cells(column) if name in free else column
        for name, column in zip(names, columns, strict=True)
    ]
    return "".join([f"{line}\r\n" for line in map(",".join, zip(*written, strict=True))])


def json_lines(names: Sequence[str], columns: Iterable[Column]) -> str:
    """Return the lines of a batch, without escaping. An empty cell is null."""
    rows = zip(*columns, strict=True)
    return "".join(
        _encode({name: cell or None for name, cell in zip(names, row, strict=True)}) + "\n"
        for row in rows
    )


def _csv_cells(column: Column) -> Column:
    if not _SPECIAL.search("|" + "|".join(column)):
        return column
    # Each different cell is escaped once: many rows have the same wording.
    cells = {cell: csv_cell(escape_formula(cell)) for cell in set(column)}
    return [cells[cell] for cell in column]
