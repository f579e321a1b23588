"""One Parquet file of the lake: its name, how it is written, how it is read whole.

A file never changes. Its name says how many of the table's columns it was written with
(`c52-<random>.parquet`): columns are only ever added at the end, so that the number fixes them
and nobody has to open a file to know what is missing in it. Files carry no Arrow schema of their
own, and statistics for the columns that name no person.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COMPRESSION = "snappy"
"""Read by every engine; measured equal to lz4 in size and speed (ADR 0005)."""

ROW_GROUP_ROWS = 1_048_576
# Keys and ids of a bucket stay a dictionary up to this size: a fold then reads codes.
_DICTIONARY_BYTES = 16 << 20
_PLAIN = {"time", "original", "sent", "received", "order_hash", "offset", "message_id"}
_STATISTICS = ("partition", "offset", "time")


def new_name(columns: int) -> str:
    """A fresh name for a file with so many columns."""
    return f"c{columns}-{uuid.uuid4().hex}.parquet"


def columns_of(path: str | Path) -> int:
    """The number of columns a file was written with."""
    return int(Path(path).name.split("-", 1)[0][1:])


def write_file(table: pa.Table, path: Path) -> int:
    """Write the rows in their order and sync file and folder; gives the size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        used_values(table),
        path,
        compression=COMPRESSION,
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=[name for name in table.column_names if name not in _PLAIN],
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        write_statistics=[name for name in _STATISTICS if name in table.column_names],
        store_schema=False,
    )
    sync(path)
    sync(path.parent)
    return path.stat().st_size


def read_file(
    path: str | Path, columns: Sequence[str] | None = None, dictionary: Iterable[str] = ()
) -> pa.Table:
    """The file's rows, all columns or some; `dictionary` columns come as codes and values."""
    file = pq.ParquetFile(path, read_dictionary=list(dictionary))
    try:
        return file.read(columns=None if columns is None else list(columns), use_threads=False)
    finally:
        file.close()


def used_values(table: pa.Table) -> pa.Table:
    """The same rows, coded columns without values that no row has.

    Parquet would store those too: large, and an erased id among them would stay for ever.
    """
    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(at, field.name, _used(table[field.name].combine_chunks()))
    return table


def _used(column: pa.DictionaryArray) -> pa.DictionaryArray:
    count = len(column.dictionary)
    codes = column.indices.fill_null(count).to_numpy()
    used = np.bincount(codes, minlength=count + 1)[:count] > 0
    if used.all():
        return column
    places = np.append(np.cumsum(used) - 1, 0).astype(np.int32)
    missing = codes == count
    return pa.DictionaryArray.from_arrays(
        pa.array(places[codes], pa.int32(), mask=missing if missing.any() else None),
        column.dictionary.take(pa.array(np.flatnonzero(used))),
    )


def sync(path: Path) -> None:
    """Bring a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
