"""Parquet exports, as DuckDB and pyarrow read them."""

import io
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from pyarrow import parquet

from preference_center.core.errors import ExportRefusal
from preference_center.data.export_formats import FORMATS, CellType, Column
from preference_center.data.export_formats.parquet import ROW_GROUP, ParquetExport

COLUMNS = [
    Column("email", CellType.TEXT),
    Column("status", CellType.WORD),
    Column("seq", CellType.NUMBER),
    Column("at", CellType.TIME),
    Column("day", CellType.DATE),
]
ROW = ("=1+1", "subscribed", "12", "2026-11-22T14:05:00.000250+00:00", "2026-11-23")


def _write(path: Path, rows: list[tuple[str, ...]], at_once: int = 1000) -> None:
    with path.open("wb") as file:
        writer = ParquetExport(file, COLUMNS, "people")
        for first in range(0, len(rows), at_once):
            writer.write(list(zip(*rows[first : first + at_once], strict=True)))
        writer.close()


def test_duckdb_reads_typed_values(tmp_path: Path) -> None:
    _write(tmp_path / "x.parquet", [ROW, ("",) * 5])
    with duckdb.connect() as connection:
        query = f"SELECT * FROM '{tmp_path}/x.parquet'"
        types = connection.execute(f"DESCRIBE {query}").fetchall()
        times = query.replace("*", '* REPLACE (epoch_us("at") AS "at")')
        rows = connection.execute(times).fetchall()
    assert {name: kind for name, kind, *_ in types} == {
        "email": "VARCHAR",
        "status": "VARCHAR",
        "seq": "BIGINT",
        "at": "TIMESTAMP WITH TIME ZONE",
        "day": "DATE",
    }
    at = round(datetime(2026, 11, 22, 14, 5, 0, 250, UTC).timestamp() * 1_000_000)
    assert rows == [("=1+1", "subscribed", 12, at, date(2026, 11, 23)), (None,) * 5]


def test_row_groups_are_of_one_size_and_words_are_dictionary_encoded(tmp_path: Path) -> None:
    _write(tmp_path / "x.parquet", [ROW] * (ROW_GROUP + 1500))
    metadata = parquet.ParquetFile(tmp_path / "x.parquet").metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [each.num_rows for each in groups] == [ROW_GROUP, 1500]
    encodings = {
        groups[0].column(at).path_in_schema: groups[0].column(at).encodings for at in range(5)
    }
    assert "RLE_DICTIONARY" in encodings["status"]
    assert "RLE_DICTIONARY" not in encodings["email"]


def test_an_export_without_rows_has_columns(tmp_path: Path) -> None:
    _write(tmp_path / "x.parquet", [])
    table = parquet.read_table(tmp_path / "x.parquet")
    assert (table.num_rows, table.column_names) == (0, [each.name for each in COLUMNS])


def test_without_pyarrow_parquet_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "preference_center.data.export_formats.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExportRefusal, match=r"pip install 'preference-center\[parquet\]'"):
        FORMATS["parquet"].writer(io.BytesIO(), COLUMNS, "people")
