"""Rows of many subjects as arrays: read from a file, picked, split by bucket, merged.

This is what the runner hands from file to bucket. Rows of one subject lie together in timeline
order; subjects need not be sorted, and after a change of identity one may occur in several blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dipper.engine.embedded.lake_cluster import key_column
from dipper.engine.embedded.lake_file import whole
from dipper.engine.embedded.projection import Reader
from dipper.engine.embedded.row_kernels import Values, choose, take
from dipper.engine.embedded.subject_map import Owners
from dipper.engine.embedded.timeline_order import (
    Moments,
    Run,
    append_order,
    is_sorted,
    joined_moments,
    merge_order,
    run_starts,
    sort_order,
    take_keys,
)

WHERE = "(where)"
"""The name under which a condition stands among the columns."""

Window = tuple[int | None, int | None]
"""Event times [start, end) in µs; None is open."""


class Rows(NamedTuple):
    """Subject i has the key keys[i] (two halves) and the rows starts[i] to starts[i+1].

    Columns are those of a file: the block's row r is the file's row chosen[r], or r where all were
    chosen. Moments are the block's own.
    """

    keys: np.ndarray
    starts: np.ndarray
    moments: Moments | None
    columns: Mapping[str, Values]
    chosen: np.ndarray | None

    def array(self, name: str) -> np.ndarray:
        """A column, row by row."""
        return self.columns[name].at(self.chosen)

    def pick(self, subjects: np.ndarray) -> Rows:
        """The subjects that the mask names, with their rows."""
        wanted = np.flatnonzero(subjects)
        begins, ends = self.starts[:-1][wanted], self.starts[1:][wanted]
        lengths = ends - begins
        starts = np.concatenate(([0], np.cumsum(lengths)))
        # The rows of the wanted subjects: each subject's first row, and on from there.
        rows = np.arange(starts[-1]) + np.repeat(begins - starts[:-1], lengths)
        return Rows(
            self.keys[wanted],
            starts,
            None if self.moments is None else _moments_at(self.moments, rows),
            self.columns,
            rows if self.chosen is None else take(self.chosen, rows),
        )

    def split(self, number_of: Callable[[np.ndarray], np.ndarray]) -> dict[int, Rows]:
        """The subjects by the number that the function gives their keys."""
        numbers = number_of(self.keys)
        return {int(number): self.pick(numbers == number) for number in np.unique(numbers)}


def merge(parts: Sequence[Rows], keep_moments: bool = False) -> Rows:
    """All rows as one block a subject, in timeline order, subjects sorted. Parts without moments
    must follow each other in time."""
    if len(parts) == 1 and is_sorted(parts[0].keys):
        return parts[0]
    if any(part.moments is None for part in parts):
        return _appended(parts)
    runs = [Run(part.keys, part.starts, part.moments) for part in parts]
    keys, starts, places = merge_order(runs)
    moments = _moments_at(joined_moments(runs), places) if keep_moments else None
    columns = {
        name: Values(take(np.concatenate([part.array(name) for part in parts]), places), None)
        for name in parts[0].columns
    }
    return Rows(keys, starts, moments, columns, None)


def _appended(parts: Sequence[Rows]) -> Rows:
    """Each subject's blocks one after the other, copied from where they stand."""
    keys, starts, targets = append_order([Run(part.keys, part.starts, None) for part in parts])
    arrays = {
        name: np.empty(starts[-1], column.values.dtype) for name, column in parts[0].columns.items()
    }
    first = 0
    for part in parts:
        mine = targets[first : first + len(part.keys)]
        chosen = np.arange(part.starts[-1]) if part.chosen is None else part.chosen
        for name, out in arrays.items():
            part.columns[name].copy_blocks(out, chosen, part.starts, mine)
        first += len(part.keys)
    columns = {name: Values(array, None) for name, array in arrays.items()}
    return Rows(keys, starts, None, columns, None)


def file_rows(
    reader: Reader, path: str, needs_moments: bool, window: Window, has_where: bool
) -> Rows | None:
    """The rows of one file inside the window and the condition; None when there are none."""
    plain = ["subject"]
    if needs_moments:
        plain += ["time", "seq", "order_hash"]
    elif window != (None, None):
        plain += ["time"]
    table, columns = reader.read(path, plain)
    subject = whole(table["subject"])
    condition = columns.pop(WHERE) if has_where else None
    time = None if window == (None, None) else _times(table)
    rows, starts, subjects = choose(subject.indices.to_numpy(), condition, time, *window)
    if len(subjects) == 0:
        return None
    moments = None
    if needs_moments:
        moments = _moments(table) if rows is None else _moments_at(_moments(table), rows)
    return Rows(
        take_keys(key_column(subject.dictionary), subjects),
        starts,
        moments,
        columns,
        rows,
    )


def owned_rows(
    reader: Reader, path: str, owners: Owners, window: Window, has_where: bool
) -> Rows | None:
    """The rows of a device file that belong to a person, under the persons' keys."""
    plain = ["subject", "claim", "time", "seq", "order_hash"]
    table, columns = reader.read(path, plain)
    subject = whole(table["subject"])
    devices = key_column(subject.dictionary)
    if not owners.has(devices):
        return None
    moments = _moments(table)
    codes = subject.indices.to_numpy()
    owner = owners.of(devices[codes], whole(table["claim"]), moments.time)
    condition = columns.pop(WHERE) if has_where else None
    time = None if window == (None, None) else moments.time
    chosen, _, _ = choose(codes, condition, time, *window)
    rows = np.flatnonzero(owner >= 0) if chosen is None else chosen[owner[chosen] >= 0]
    if len(rows) == 0:
        return None
    row_keys = owners.persons[owner[rows]]
    order = sort_order(row_keys, _moments_at(moments, rows))
    if order is not None:
        rows, row_keys = rows[order], row_keys[order]
    starts = run_starts(row_keys)
    return Rows(
        row_keys[starts[:-1]],
        starts,
        _moments_at(moments, rows),
        columns,
        rows,
    )


def _times(table: pa.Table) -> np.ndarray:
    return whole(table["time"]).view(pa.int64()).to_numpy()


def _moments(table: pa.Table) -> Moments:
    return Moments(_times(table), table["seq"].to_numpy(), table["order_hash"].to_numpy())


def _moments_at(moments: Moments, rows: np.ndarray) -> Moments:
    return Moments(*(take(values, rows) for values in moments))
