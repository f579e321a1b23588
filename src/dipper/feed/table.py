"""A file as a stream of Arrow batches, only the columns that are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq

from dipper.feed.mapping import FileShape
from dipper.kit.errors import BadInput, did_you_mean

BATCH_ROWS = 65_536


def columns_of(path: Path, shape: FileShape) -> list[str]:
    """The names of the file's columns."""
    if shape.format == "parquet":
        return list(pq.ParquetFile(path).schema_arrow.names)
    return next(iter(batches(path, shape, None))).schema.names


def count_rows(path: Path, shape: FileShape) -> int | None:
    """The number of rows where the format says it, else None. Raises BadInput."""
    if shape.format != "parquet":
        return None
    try:
        return pq.ParquetFile(path).metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"cannot be read as parquet: {error}", where=str(path)) from error


def batches(path: Path, shape: FileShape, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """Batches of at most BATCH_ROWS rows in file order.

    CSV columns come as text, so that no leading zero of an id is lost; types are the map's matter.
    Raises BadInput naming the file when it cannot be read or a column is missing.
    """
    try:
        if shape.format == "parquet":
            file = pq.ParquetFile(path)
            _require(columns, list(file.schema_arrow.names), path)
            yield from file.iter_batches(batch_size=BATCH_ROWS, columns=columns)
        elif shape.format == "csv":
            yield from _csv(path, shape, columns)
        else:
            yield from _ndjson(path, columns)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, UnicodeError) as error:
        raise BadInput(f"cannot be read as {shape.format}: {error}", where=str(path)) from error


def _require(columns: list[str] | None, found: list[str], path: Path) -> None:
    for column in columns or []:
        if column not in found:
            hint = did_you_mean(column, found) or f"Columns: {', '.join(found)}"
            raise BadInput(f"has no column '{column}'.", where=str(path), hint=hint)


def _csv(path: Path, shape: FileShape, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    encoding = "utf-8" if shape.encoding == "utf-8-sig" else shape.encoding
    read = pacsv.ReadOptions(encoding=encoding, block_size=8 << 20)
    parse = pacsv.ParseOptions(delimiter=shape.delimiter, newlines_in_values=True)
    with pacsv.open_csv(path, read_options=read, parse_options=parse) as opening:
        names = list(opening.schema.names)
    _require(columns, names, path)
    convert = pacsv.ConvertOptions(
        column_types={name: pa.string() for name in names},
        include_columns=columns,
        strings_can_be_null=True,
        null_values=[""],
    )
    with pacsv.open_csv(
        path, read_options=read, parse_options=parse, convert_options=convert
    ) as reader:
        for batch in reader:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(start, BATCH_ROWS)


def _ndjson(path: Path, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    table = pajson.read_json(path)
    _require(columns, table.column_names, path)
    if columns is not None:
        table = table.select(columns)
    yield from table.to_batches(max_chunksize=BATCH_ROWS)
