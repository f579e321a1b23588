"""Rows of many subjects as arrays: read from a file, picked, split by bucket, merged.

This is what the runner hands from file to bucket. Rows of one subject lie together in timeline
order; subjects need not be sorted, and after a change of identity one may occur in several blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dipper.engine.embedded.lake_cluster import key_column
from dipper.engine.embedded.projection import Reader
from dipper.engine.embedded.subject_map import Owners
from dipper.engine.embedded.timeline_order import Moments, Run, merge_order, run_starts, sort_order

WHERE = "(where)"
"""The name under which a condition stands among the columns."""

Window = tuple[int | None, int | None]
"""Event times [start, end) in µs; None is open."""


class Rows(NamedTuple):
    """Subject i has the key keys[i] (two halves) and the rows starts[i] to starts[i+1]."""

    keys: np.ndarray
    starts: np.ndarray
    moments: Moments | None
    columns: dict[str, np.ndarray]

    def pick(self, subjects: np.ndarray) -> Rows:
        """The subjects that the mask names, with their rows."""
        chosen = np.flatnonzero(subjects)
        begins, ends = self.starts[:-1][chosen], self.starts[1:][chosen]
        lengths = ends - begins
        starts = np.concatenate(([0], np.cumsum(lengths)))
        # The rows of the chosen subjects: each subject's first row, and on from there.
        rows = np.arange(starts[-1]) + np.repeat(begins - starts[:-1], lengths)
        return self.at(rows)._replace(keys=self.keys[chosen], starts=starts)

    def at(self, rows: np.ndarray) -> Rows:
        """The columns and moments at these places; keys and starts are left as they are."""
        moments = None if self.moments is None else Moments(*(m[rows] for m in self.moments))
        columns = {name: values[rows] for name, values in self.columns.items()}
        return self._replace(moments=moments, columns=columns)

    def split(self, number_of: Callable[[np.ndarray], np.ndarray]) -> dict[int, Rows]:
        """The subjects by the number that the function gives their keys."""
        numbers = number_of(self.keys)
        return {int(number): self.pick(numbers == number) for number in np.unique(numbers)}


def merge(parts: Sequence[Rows], keep_moments: bool = False) -> Rows:
    """All rows as one block a subject, in timeline order, subjects sorted. Parts without moments
    must follow each other in time."""
    if len(parts) == 1 and _is_sorted(parts[0].keys):
        return parts[0]
    keys, starts, places = merge_order(
        [Run(part.keys, part.starts, part.moments) for part in parts]
    )
    names = parts[0].columns
    columns = {name: np.concatenate([p.columns[name] for p in parts])[places] for name in names}
    moments = None
    if keep_moments:
        each = zip(*(part.moments for part in parts if part.moments), strict=True)
        moments = Moments(*(np.concatenate(arrays)[places] for arrays in each))
    return Rows(keys, starts, moments, columns)


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
    subject = table["subject"].combine_chunks()
    codes = subject.indices.to_numpy()
    kept = _kept(table, columns, window, has_where)
    if kept is not None:
        codes = codes[kept]
    if len(codes) == 0:
        return None
    starts = np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1, [len(codes)]))
    keys = key_column(subject.dictionary)[codes[starts[:-1]]]
    rows = Rows(keys, starts, _moments(table) if needs_moments else None, columns)
    return rows if kept is None else rows.at(kept)


def owned_rows(
    reader: Reader, path: str, owners: Owners, window: Window, has_where: bool
) -> Rows | None:
    """The rows of a device file that belong to a person, under the persons' keys."""
    plain = ["subject", "claim", "time", "seq", "order_hash"]
    table, columns = reader.read(path, plain)
    subject = table["subject"].combine_chunks()
    devices = key_column(subject.dictionary)
    if not owners.has(devices):
        return None
    moments = _moments(table)
    claims = table["claim"].combine_chunks()
    owner = owners.of(devices[subject.indices.to_numpy()], claims, moments.time)
    mine = owner >= 0
    kept = _kept(table, columns, window, has_where)
    if kept is not None:
        inside = np.zeros(len(mine), bool)
        inside[kept] = True
        mine &= inside
    places = np.flatnonzero(mine)
    if len(places) == 0:
        return None
    row_keys = owners.persons[owner[places]]
    rows = Rows(row_keys, np.zeros(1, np.int64), moments, columns).at(places)
    order = sort_order(row_keys, rows.moments)
    if order is not None:
        rows, row_keys = rows.at(order), row_keys[order]
    starts = run_starts(row_keys)
    return rows._replace(keys=row_keys[starts[:-1]], starts=starts)


def _kept(
    table: pa.Table, columns: dict[str, np.ndarray], window: Window, has_where: bool
) -> np.ndarray | None:
    """The places of the rows that count, or None for all of them."""
    masks = [columns.pop(WHERE)] if has_where else []
    start, end = window
    if start is not None or end is not None:
        time = _times(table)
        masks += [] if start is None else [time >= start]
        masks += [] if end is None else [time < end]
    if not masks:
        return None
    inside = np.logical_and.reduce(masks)
    return None if inside.all() else np.flatnonzero(inside)


def _times(table: pa.Table) -> np.ndarray:
    return table["time"].combine_chunks().view(pa.int64()).to_numpy()


def _moments(table: pa.Table) -> Moments:
    return Moments(_times(table), table["seq"].to_numpy(), table["order_hash"].to_numpy())


def _is_sorted(keys: np.ndarray) -> bool:
    upper, lower = keys[:-1], keys[1:]
    equal = upper[:, 0] == lower[:, 0]
    return bool(((upper[:, 0] < lower[:, 0]) | (equal & (upper[:, 1] < lower[:, 1]))).all())
