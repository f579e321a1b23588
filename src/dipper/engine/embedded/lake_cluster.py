"""Rows in any order become sorted pieces, one for each partition: the heart of bulk and compaction.

What fits into memory is cut at once. What does not is first parted by kind and bucket into spill
files, each of which then fits: every row is written twice, every subject once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dipper.engine.embedded.lake_file import FEW_VALUES, whole
from dipper.engine.embedded.lake_partition import (
    Partition,
    bucket_numbers,
    month_codes,
    month_text,
)
from dipper.engine.embedded.timeline_order import Moments, key_halves, sort_order
from dipper.kit.errors import BadInput

SPILL_ROWS = 2_000_000
"""Rows that are cut in memory; more go through spill files."""


class Cut:
    """A table cut into partitions: `parts` names each with the places of its rows."""

    def __init__(self, table: pa.Table, buckets: Mapping[str, int], oldest_month: int) -> None:
        self._table = table.combine_chunks()
        self._keys = subject_keys(self._table)
        self._moments = moments(self._table)
        self.parts = list(self._parts(buckets, oldest_month))

    def _parts(
        self, buckets: Mapping[str, int], oldest_month: int
    ) -> Iterator[tuple[Partition, np.ndarray]]:
        months = month_codes(self._moments.time, oldest_month)
        for kind, mine in _by_kind(self._table):
            if not len(mine):
                continue  # A dictionary may name a kind that no row of this part has.
            numbers = bucket_numbers(self._keys[mine], buckets.get(kind, 1))
            order = np.lexsort((months[mine], numbers))
            mine, numbers = mine[order], numbers[order]
            change = np.flatnonzero((np.diff(numbers) != 0) | (np.diff(months[mine]) != 0)) + 1
            starts = [0, *change.tolist()]
            for start, end in zip(starts, [*starts[1:], len(mine)], strict=True):
                month = month_text(int(months[mine[start]]))
                yield Partition(kind, month, int(numbers[start])), mine[start:end]

    def rows(self, places: np.ndarray) -> pa.Table:
        """These rows in the order of timelines."""
        found = Moments(*(each[places] for each in self._moments))
        order = sort_order(self._keys[places], found)
        return self._table.take(pa.array(places if order is None else places[order]))


def lean(table: pa.Table) -> pa.Table:
    """The same rows as they are cheapest to move: texts of few values as codes, and without the
    columns that have no value."""
    found = {}
    for name in table.column_names:
        column = table[name]
        if column.null_count == len(column) and len(column):
            continue
        few = name in FEW_VALUES and not pa.types.is_dictionary(column.type)
        found[name] = column.dictionary_encode() if few else column
    return pa.table(found)


def joined(tables: Sequence[pa.Table], each: Callable[..., Iterable[Any]] = map) -> pa.Table:
    """The tables one after the other, every column in one piece; a column that some of them have
    not is empty there."""
    table = pa.concat_tables(tables, promote_options="default")
    columns = each(whole, table.columns)
    return pa.Table.from_arrays(list(columns), names=table.column_names)


def in_order(table: pa.Table) -> pa.Table:
    """The rows in the order of timelines."""
    table = table.combine_chunks()
    order = sort_order(subject_keys(table), moments(table))
    return table if order is None else table.take(pa.array(order))


def _by_kind(table: pa.Table) -> Iterator[tuple[str, np.ndarray]]:
    """Each kind with the places of its rows."""
    column = whole(table["kind"]).dictionary_encode()
    codes = column.indices.to_numpy()
    for code, kind in sorted(enumerate(column.dictionary.to_pylist()), key=lambda pair: pair[1]):
        yield kind, np.flatnonzero(codes == code)


class Spill:
    """Spill files of one bulk import, a file for each kind and bucket; removes them at the end."""

    def __init__(self, folder: Path, buckets: Mapping[str, int]) -> None:
        self._folder = folder / uuid.uuid4().hex
        self._buckets = buckets
        self._open = ExitStack()
        self._writers: dict[tuple[str, int, int], pa.ipc.RecordBatchStreamWriter] = {}
        self._parts: dict[tuple[str, int], list[Path]] = {}
        self._forms: dict[str, int] = {}

    def __enter__(self) -> Spill:
        self._folder.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()

    def add(self, table: pa.Table) -> None:
        """Part the rows by kind and bucket; each part keeps its rows' order."""
        table = table.combine_chunks()
        keys = subject_keys(table)
        for kind, mine in _by_kind(table):
            numbers = bucket_numbers(keys[mine], self._buckets.get(kind, 1)).astype(np.uint16)
            part = table.take(pa.array(mine[np.argsort(numbers, kind="stable")]))
            ends = np.cumsum(np.bincount(numbers))
            for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
                if end > start:
                    piece = part.slice(int(start), int(end - start))
                    self._writer(kind, number, table.schema).write_table(piece)

    def _writer(self, kind: str, number: int, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter:
        # Tables without some column are another schema, and so another file of the same part.
        form = self._forms.setdefault(str(schema), len(self._forms))
        if (kind, number, form) not in self._writers:
            path = self._folder / f"{kind}-{number}.{form}"
            sink = self._open.enter_context(pa.OSFile(str(path), "wb"))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            writer = pa.ipc.new_stream(sink, schema, options=options)
            self._writers[kind, number, form] = self._open.enter_context(writer)
            self._parts.setdefault((kind, number), []).append(path)
        return self._writers[kind, number, form]

    def parts(self) -> list[list[Path]]:
        """The files of each kind and bucket, complete; nothing may be added any more."""
        self._open.close()
        return [self._parts[key] for key in sorted(self._parts)]


def read_part(paths: Sequence[Path]) -> pa.Table:
    """All rows of one kind and bucket."""
    tables = []
    for path in paths:
        with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as stream:
            tables.append(stream.read_all())
    return joined(tables)


def slices(tables: Iterable[pa.Table], rows: int = SPILL_ROWS) -> Iterator[pa.Table]:
    """The tables in parts of at most so many rows."""
    for table in tables:
        for start in range(0, table.num_rows, rows):
            yield table.slice(start, rows)


def moments(table: pa.Table) -> Moments:
    """What orders the rows inside a subject."""
    time = table["time"].cast(pa.int64()).to_numpy()
    return Moments(time, table["seq"].to_numpy(), table["order_hash"].to_numpy())


def subject_keys(table: pa.Table) -> np.ndarray:
    """Column `subject` as (rows, 2) halves.

    Raises BadInput unless every key has 16 bytes.
    """
    column = whole(table["subject"])
    if pa.types.is_dictionary(column.type):
        return key_column(column.dictionary)[column.indices.to_numpy()]
    return key_column(column)


def key_column(column: pa.Array) -> np.ndarray:
    """An array of 16-byte keys as (rows, 2) halves. Raises BadInput for other lengths."""
    _, offsets_buffer, data = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset :][: len(column) + 1]
    if len(column) == 0:
        return np.zeros((0, 2), np.uint64)
    if column.null_count or not (np.diff(offsets) == 16).all():
        raise BadInput("a subject's key must have 16 bytes in every row.", where="lake")
    return key_halves(data[int(offsets[0]) : int(offsets[-1])])
