"""Read and write rows: CSV as spreadsheets and other tools write it, and JSON Lines.

Files are not trusted. A row with a problem is read as far as possible, and lists its problems. A
row that cannot be read is refused by line number, and the rows after it are read. Memory use does
not depend on the length of a line or a file.
"""

from typing import BinaryIO

from preference_center.data.tabular.csv_file import CsvFile, read_csv
from preference_center.data.tabular.json_lines import (
    JsonLinesFile,
    json_object,
    read_json_lines,
)
from preference_center.data.tabular.lines import MAX_LINE, Lines
from preference_center.data.tabular.names import fold, fold_letters, words_of
from preference_center.data.tabular.row import FileRefusedError, RefusedRow, Row, batches
from preference_center.data.tabular.writers import CsvWriter


def read_rows(file: BinaryIO) -> CsvFile | JsonLinesFile:
    """Return the rows of a file: JSON Lines if its first line is JSON, else CSV.

    Raises:
        FileRefusedError: the file as a whole cannot be read.
    """
    lines = Lines(file)
    is_json = lines.peek().lstrip().startswith(("{", "[{"))
    return JsonLinesFile(lines) if is_json else CsvFile(lines)


__all__ = [
    "MAX_LINE",
    "CsvFile",
    "CsvWriter",
    "FileRefusedError",
    "JsonLinesFile",
    "RefusedRow",
    "Row",
    "batches",
    "fold",
    "fold_letters",
    "json_object",
    "read_csv",
    "read_json_lines",
    "read_rows",
    "words_of",
]
