"""The loops over rows that the runner is made of: choosing rows, taking values, copying blocks.

Values are moved as unsigned words of their own width, so that four compiled versions serve every
type. Kernels are compiled once (`numba_cache.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dipper.fold.timeline import read_only

_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


class Values(NamedTuple):
    """A column: row r has values[r], or values[codes[r]] where there are codes."""

    values: np.ndarray
    codes: np.ndarray | None

    def at(self, rows: np.ndarray | None) -> np.ndarray:
        """The values of these rows, or of all."""
        if self.codes is None:
            return self.values if rows is None else take(self.values, rows)
        return take(self.values, self.codes if rows is None else take(self.codes, rows))

    def copy_blocks(
        self, out: np.ndarray, rows: np.ndarray, starts: np.ndarray, targets: np.ndarray
    ) -> None:
        """Copy the values of rows[starts[i]] to rows[starts[i+1]] to place targets[i] of `out`."""
        words = read_only(_as_words(self.values))
        places = map(read_only, (rows, starts, targets))
        if self.codes is None:
            _copy_blocks(_as_words(out), words, *places)
        else:
            _copy_coded(_as_words(out), words, read_only(self.codes), *places)


def take(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """values[places], without numpy's checks: places are ours, and inside."""
    taken = np.empty(len(places), values.dtype)
    _take(_as_words(taken), read_only(_as_words(values)), read_only(places))
    return taken


def choose(
    subjects: np.ndarray,
    condition: Values | None,
    time: np.ndarray | None,
    start_us: int | None,
    end_us: int | None,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """The rows that count, where each subject's begin among them, and the subjects' codes.

    `subjects` are codes that change where the next subject begins; `time` is needed for a bound.
    The rows are None where all count.
    """
    rows = None
    if condition is not None:
        yes, codes = condition
        rows = np.flatnonzero(yes) if codes is None else _where(read_only(yes), read_only(codes))
    if time is not None and (start_us is not None or end_us is not None):
        first = _FIRST if start_us is None else start_us
        last = _LAST if end_us is None else end_us
        times = read_only(time)
        rows = (
            _within(times, first, last)
            if rows is None
            else _rows_within(read_only(rows), times, first, last)
        )
    if rows is not None and len(rows) == len(subjects):
        rows = None
    starts, found = _spans(read_only(subjects if rows is None else take(subjects, rows)))
    return rows, starts, found


_FIRST = int(np.iinfo(np.int64).min)
_LAST = int(np.iinfo(np.int64).max)


def _as_words(array: np.ndarray) -> np.ndarray:
    return array.view(_WORDS[array.dtype.itemsize])


@njit(cache=True, nogil=True)
def _take(out, values, places):  # type: ignore[no-untyped-def]
    for row in range(len(places)):
        out[row] = values[places[row]]


@njit(cache=True, nogil=True)
def _copy_blocks(out, values, rows, starts, targets):  # type: ignore[no-untyped-def]
    for block in range(len(targets)):
        to = targets[block]
        for row in range(starts[block], starts[block + 1]):
            out[to] = values[rows[row]]
            to += 1


@njit(cache=True, nogil=True)
def _copy_coded(out, values, codes, rows, starts, targets):  # type: ignore[no-untyped-def]
    for block in range(len(targets)):
        to = targets[block]
        for row in range(starts[block], starts[block + 1]):
            out[to] = values[codes[rows[row]]]
            to += 1


# These loops write first and count afterwards: a branch that is taken at random costs more.


@njit(cache=True, nogil=True)
def _where(yes, codes):  # type: ignore[no-untyped-def]
    rows = np.empty(len(codes) + 1, np.int64)
    chosen = 0
    for row in range(len(codes)):
        rows[chosen] = row
        chosen += yes[codes[row]]
    return rows[:chosen]


@njit(cache=True, nogil=True)
def _within(time, first, last):  # type: ignore[no-untyped-def]
    rows = np.empty(len(time) + 1, np.int64)
    chosen = 0
    for row in range(len(time)):
        rows[chosen] = row
        chosen += (time[row] >= first) & (time[row] < last)
    return rows[:chosen]


@njit(cache=True, nogil=True)
def _rows_within(rows, time, first, last):  # type: ignore[no-untyped-def]
    kept = np.empty(len(rows) + 1, np.int64)
    chosen = 0
    for row in rows:
        kept[chosen] = row
        chosen += (time[row] >= first) & (time[row] < last)
    return kept[:chosen]


@njit(cache=True, nogil=True)
def _spans(subjects):  # type: ignore[no-untyped-def]
    """Where each subject begins, at the end the number of rows, and the subjects' codes."""
    count = len(subjects)
    starts = np.empty(count + 2, np.int64)
    found = np.empty(count + 1, np.int64)
    starts[0] = 0
    blocks = 0
    for row in range(count):
        found[blocks] = subjects[row]
        starts[blocks + 1] = row + 1
        blocks += row + 1 == count or subjects[row + 1] != subjects[row]
    return starts[: blocks + 1].copy(), found[:blocks].copy()
