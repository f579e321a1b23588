"""The loops over rows that the runner is made of: choosing rows, taking values, copying blocks.

Values are moved as unsigned words of their own width, so that four compiled versions serve every
type. Kernels are compiled once (`numba_cache.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

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


def take(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """values[places], without numpy's checks: places are ours, and inside."""
    taken = np.empty(len(places), values.dtype)
    _take(_as_words(taken), _as_words(values), places)
    return taken


def copy_blocks(
    out: np.ndarray, values: np.ndarray, starts: np.ndarray, targets: np.ndarray
) -> None:
    """Copy rows starts[i] to starts[i+1] of `values` to place targets[i] of `out`, for every i."""
    _copy_blocks(_as_words(out), _as_words(values), starts, targets)


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
    yes, codes = (_NO_CONDITION, _NO_CODES) if condition is None else condition
    rows, starts, found = _choose(
        subjects,
        yes,
        _NO_CODES if codes is None else codes,
        _NO_TIMES if time is None else time,
        _FIRST if start_us is None else start_us,
        _LAST if end_us is None else end_us,
    )
    return (None if len(rows) == len(subjects) else rows), starts, found


_NO_CONDITION = np.zeros(0, np.bool_)
_NO_CODES = np.zeros(0, np.int32)
_NO_TIMES = np.zeros(0, np.int64)
_FIRST = int(np.iinfo(np.int64).min)
_LAST = int(np.iinfo(np.int64).max)


def _as_words(array: np.ndarray) -> np.ndarray:
    return array.view(_WORDS[array.dtype.itemsize])


@njit(cache=True, nogil=True)
def _take(out, values, places):  # type: ignore[no-untyped-def]
    for row in range(len(places)):
        out[row] = values[places[row]]


@njit(cache=True, nogil=True)
def _copy_blocks(out, values, starts, targets):  # type: ignore[no-untyped-def]
    for block in range(len(targets)):
        to = targets[block]
        for row in range(starts[block], starts[block + 1]):
            out[to] = values[row]
            to += 1


@njit(cache=True, nogil=True)
def _choose(subjects, yes, codes, time, start, end):  # type: ignore[no-untyped-def]
    count = len(subjects)
    rows = np.empty(count, np.int64)
    starts = np.empty(count + 1, np.int64)
    found = np.empty(count, np.int64)
    # Without codes and without a value for each row there is no condition.
    by_code = len(codes) > 0
    by_row = not by_code and len(yes) > 0
    chosen = 0
    blocks = 0
    last = -1
    for row in range(count):
        if by_code:
            holds = yes[codes[row]]
        else:
            holds = yes[row] if by_row else True
        if not holds:
            continue
        if len(time) > 0 and (time[row] < start or time[row] >= end):
            continue
        if subjects[row] != last:
            last = subjects[row]
            found[blocks] = last
            starts[blocks] = chosen
            blocks += 1
        rows[chosen] = row
        chosen += 1
    starts[blocks] = chosen
    return rows[:chosen].copy(), starts[: blocks + 1].copy(), found[:blocks].copy()
