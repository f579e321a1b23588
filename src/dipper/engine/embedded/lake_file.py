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
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 1_048_576

# Keys and ids of a bucket stay a dictionary up to this size: a fold then reads codes.
_DICTIONARY_BYTES = 16 << 20

# Written in every row: Parquet then needs no list of what is missing, which halves their reading.
REQUIRED = frozenset(
    {"partition", "offset", "first_row", "kind", "subject", "event", "time", "seq", "order_hash"}
)
_STATISTICS = ("partition", "offset", "time")
FEW_VALUES = frozenset(
    {"role", "kind", "event", "type", "source", "trust", "scenario", "channel", "program"}
    | {"campaign", "link", "placement", "org_unit", "staff", "partner", "legal_entity"}
)
"""Texts that repeat few values and name nobody: codes wherever they are read."""

_RANDOM = frozenset({"order_hash"})
_HOT = FEW_VALUES | {"subject"}
_COLD = frozenset({"message_id", "extra"})


def new_name(columns: int) -> str:
    """A fresh name for a file with so many columns."""
    return f"c{columns}-{uuid.uuid4().hex}.parquet"


def columns_of(path: str | Path) -> int:
    """The number of columns a file was written with."""
    return int(Path(path).name.split("-", 1)[0][1:])


def write_file(table: pa.Table, path: Path) -> int:
    """Write the rows in their order and sync file and folder; gives the size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A failed event may have no name: the second table shares these columns, not their promise.
    optional = {name for name in table.column_names if table[name].null_count}
    fields = [f.with_nullable(f.name in optional or f.name not in REQUIRED) for f in table.schema]
    # A column without any value has nothing to tell but that: `filled_columns` reads it.
    empty = [name for name in table.column_names if table[name].null_count == table.num_rows]
    pq.write_table(
        table.cast(pa.schema(fields)),
        path,
        row_group_size=ROW_GROUP_ROWS,
        max_rows_per_page=ROW_GROUP_ROWS,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        write_statistics=[*(n for n in _STATISTICS if n in table.column_names), *empty],
        store_schema=False,
        **_encodings(table.schema),
    )
    sync(path)
    sync(path.parent)
    return path.stat().st_size


def read_file(path: str | Path, columns: Sequence[str], dictionary: Iterable[str] = ()) -> pa.Table:
    """These columns of the file; those in `dictionary` come as codes and values."""
    file = pq.ParquetFile(path, read_dictionary=list(dictionary))
    try:
        return file.read(columns=list(columns), use_threads=False)
    finally:
        file.close()


def whole(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; the piece itself where there is but one."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def filled_columns(path: str | Path) -> list[str]:
    """The columns that have a value in some row."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    return [
        name
        for at, name in enumerate(metadata.schema.names)
        if any(_has_value(group.column(at).statistics, group.num_rows) for group in groups)
    ]


def _has_value(statistics: pq.Statistics | None, rows: int) -> bool:
    return statistics is None or not statistics.has_null_count or statistics.null_count < rows


def _encodings(schema: pa.Schema) -> dict[str, Any]:
    """How each column is written. What folds read is not compressed: codes and packed differences
    are small already, and unpacking them costs less than any codec (measured in ADR 0005)."""
    packed = [f.name for f in schema if _is_whole(f.type) and f.name not in _RANDOM]
    plain = {*packed, *_RANDOM, *_COLD}
    return {
        "use_dictionary": [name for name in schema.names if name not in plain],
        "column_encoding": dict.fromkeys(packed, "DELTA_BINARY_PACKED"),
        "compression": {field.name: _codec(field) for field in schema},
    }


def _codec(field: pa.Field) -> str:
    is_hot = field.name in _HOT or _is_whole(field.type) or pa.types.is_boolean(field.type)
    return "none" if is_hot else "zstd"


def _is_whole(kind: pa.DataType) -> bool:
    return pa.types.is_int64(kind) or pa.types.is_timestamp(kind) or pa.types.is_date32(kind)


def sync(path: Path) -> None:
    """Bring a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
