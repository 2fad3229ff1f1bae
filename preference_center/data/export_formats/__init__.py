"""The formats of exports. Each has a writer with the same interface, `cells.ExportWriter`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from preference_center.core.errors import ExportRefusal
from preference_center.data.export_formats.cells import Cells, CellType, Column, ExportWriter
from preference_center.data.export_formats.text import CsvExport, JsonLinesExport


@dataclass(frozen=True)
class Format:
    """A format: what returns its writer for a file, some columns and a title.

    A format that `needs_file` is not written to standard output: it is binary, and complete only
    with its end.
    """

    writer: Callable[[BinaryIO, Sequence[Column], str], ExportWriter]
    needs_file: bool = False


def _xlsx(file: BinaryIO, columns: Sequence[Column], title: str) -> ExportWriter:
    # Not above: it takes 50 ms to import.
    from preference_center.data.export_formats.xlsx import XlsxExport

    return XlsxExport(file, columns, title)


def _parquet(file: BinaryIO, columns: Sequence[Column], title: str) -> ExportWriter:
    try:
        from preference_center.data.export_formats.parquet import ParquetExport
    except ImportError:
        raise ExportRefusal(
            "Parquet needs pyarrow, which is not installed: "
            "pip install 'preference-center[parquet]'"
        ) from None
    return ParquetExport(file, columns, title)


FORMATS: Mapping[str, Format] = {
    "csv": Format(CsvExport),
    "jsonl": Format(JsonLinesExport),
    "xlsx": Format(_xlsx, needs_file=True),
    "parquet": Format(_parquet, needs_file=True),
}

__all__ = ["FORMATS", "CellType", "Cells", "Column", "ExportWriter", "Format"]
