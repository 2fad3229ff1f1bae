"""Write Parquet. Only this module imports pyarrow, which is an optional library."""

from collections.abc import Mapping, Sequence
from typing import BinaryIO

import pyarrow as pa
from pyarrow import parquet

from preference_center.data.export_formats.cells import Cells, CellType, Column

ROW_GROUP = 100_000  # rows
_TYPES: Mapping[CellType, pa.DataType] = {
    CellType.NUMBER: pa.int64(),
    CellType.TIME: pa.timestamp("us", tz="UTC"),
    CellType.DATE: pa.date32(),
}


class ParquetExport:
    """Writes row groups of 100,000 rows; an empty cell is null. Words are dictionary encoded."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], _: str) -> None:
        fields = [pa.field(each.name, _TYPES.get(each.type, pa.string())) for each in columns]
        self._schema = pa.schema(fields)
        words = [each.name for each in columns if each.type is CellType.WORD]
        self._writer = parquet.ParquetWriter(file, self._schema, use_dictionary=words)
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, columns: Sequence[Cells]) -> None:
        """Write a batch, together with later ones."""
        arrays = [
            pa.array([cell or None for cell in cells], pa.string()).cast(field.type)
            for cells, field in zip(columns, self._schema, strict=True)
        ]
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows += len(columns[0])
        if self._rows >= ROW_GROUP:
            self._write_group()

    def close(self) -> None:
        """Write the last row group and the end of the file."""
        if self._batches:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._batches, self._schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self._batches, self._rows = [], 0
