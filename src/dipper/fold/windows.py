"""When the tags of a subject change by the clock alone: the moments at which a record enters or
leaves a window.

A record enters all its windows at its own time (which lies ahead when a clock was fast) and leaves
a window w at time + w exactly, because windows are (now - w, now]. Between two such moments no tag
changes without an event, so that a timer needs to ring at none other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from dipper.fold.records import MASK, TIME, WORD_BITS, Matrix

Numbers = npt.NDArray[np.int64]

NEVER = np.iinfo(np.int64).max


class Watch(NamedTuple):
    """A condition bit and one window in which it counts; 0 for the whole life."""

    bit: int
    window_us: int


@dataclass(frozen=True)
class WatchTable:
    """Watched windows by bit: `windows[first[b]:first[b + 1]]`; make it with `watch_table`."""

    words: int
    first: Numbers
    windows: Numbers
    per_row_max: int


def watch_table(watches: Sequence[Watch], words: int) -> WatchTable:
    """The arrays for these watches; equal ones count once."""
    known = sorted(set(watches))
    bits = np.array([watch.bit for watch in known], dtype=np.int64)
    return WatchTable(
        words=words,
        first=np.searchsorted(bits, np.arange(words * WORD_BITS + 1)).astype(np.int64),
        windows=np.array([watch.window_us for watch in known], dtype=np.int64),
        per_row_max=1 + len({watch.window_us for watch in known if watch.window_us}),
    )


def next_change(rows: Matrix, now_us: int, table: WatchTable) -> int:
    """The first moment after `now_us` at which a watched tag may change, or NEVER."""
    moments = _room(0, table)
    return int(_moments(rows, 0, len(rows), now_us, now_us, table.words, table.first,
                        table.windows, moments, 0)[1])  # fmt: skip


def changes_between(rows: Matrix, after_us: int, until_us: int, table: WatchTable) -> Numbers:
    """The moments in (after, until] at which a watched tag may change, ascending, each once."""
    moments = _room(len(rows), table)
    count, _ = _moments(rows, 0, len(rows), after_us, until_us, table.words, table.first,
                        table.windows, moments, 0)  # fmt: skip
    return moments[:count]


def changes_of_many(
    rows: Matrix, begin: Numbers, end: Numbers, after_us: Numbers, until_us: int, table: WatchTable
) -> tuple[Numbers, Numbers, Numbers]:
    """For subject s with rows[begin[s]:end[s]] the moments in (after[s], until], and what follows.

    Returns (starts of shape subjects + 1, moments, next): those of s are
    moments[starts[s]:starts[s + 1]], and next[s] is the first moment after `until`, or NEVER.
    """
    moments = _room(int((end - begin).sum()), table)
    starts = np.zeros(len(begin) + 1, dtype=np.int64)
    following = np.empty(len(begin), dtype=np.int64)
    _moments_of_many(
        rows, begin, end, after_us, until_us, table.words, table.first, table.windows,
        moments, starts, following,
    )  # fmt: skip
    return starts, moments[: starts[-1]], following


def _room(rows: int, table: WatchTable) -> Numbers:
    return np.empty(rows * table.per_row_max, dtype=np.int64)


@njit(cache=True, nogil=True)
def _moments_of_many(  # type: ignore[no-untyped-def]  # Numba infers
    rows, begin, end, after_us, until_us, words, first, windows, moments, starts, following
):
    for s in range(begin.shape[0]):
        starts[s + 1], following[s] = _moments(
            rows, begin[s], end[s], after_us[s], until_us, words, first, windows, moments,
            starts[s],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _moments(  # type: ignore[no-untyped-def]
    rows, begin, end, after_us, until_us, words, first, windows, moments, start
):
    """Write the moments behind `start`, sorted and each once; give their end and what follows."""
    count = start
    following = NEVER
    for r in range(begin, end):
        time_us = rows[r, TIME]
        if time_us > following:
            break
        is_watched = False
        own = count
        for word in range(words):
            bits = np.uint64(rows[r, MASK + word])
            place = word * WORD_BITS
            while bits:
                if bits & np.uint64(1):
                    for i in range(first[place], first[place + 1]):
                        is_watched = True
                        if windows[i]:
                            leaves = time_us + windows[i]
                            if leaves > until_us:
                                following = min(following, leaves)
                            elif leaves > after_us:
                                count = _note(moments, own, count, leaves)
                bits >>= np.uint64(1)
                place += 1
        if is_watched:
            if time_us > until_us:
                following = min(following, time_us)
            elif time_us > after_us:
                count = _note(moments, own, count, time_us)
    return _sorted_once(moments, start, count), following


@njit(cache=True, nogil=True)
def _note(moments, own, count, moment):  # type: ignore[no-untyped-def]
    """Add a moment unless this row has given it already, which bounds the room by windows."""
    for i in range(own, count):
        if moments[i] == moment:
            return count
    moments[count] = moment
    return count + 1


@njit(cache=True, nogil=True)
def _sorted_once(moments, start, end):  # type: ignore[no-untyped-def]
    if end - start > 32:
        moments[start:end] = np.sort(moments[start:end])
    else:
        for i in range(start + 1, end):
            moment, j = moments[i], i
            while j > start and moments[j - 1] > moment:
                moments[j] = moments[j - 1]
                j -= 1
            moments[j] = moment
    kept = start
    for i in range(start, end):
        if kept == start or moments[kept - 1] != moments[i]:
            moments[kept] = moments[i]
            kept += 1
    return kept
