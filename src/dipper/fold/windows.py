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

from dipper.fold.bits import DE_BRUIJN, ONE, PLACES, SHIFT
from dipper.fold.records import MASK, TIME, WORD_BITS, Matrix, sealed

Numbers = npt.NDArray[np.int64]

NEVER = np.iinfo(np.int64).max


class Watch(NamedTuple):
    """A condition bit and one window in which it counts; 0 for the whole life."""

    bit: int
    window_us: int


@dataclass(frozen=True)
class WatchTable:
    """Watched windows by bit: `windows[first[b]:first[b + 1]]`; make it with `watch_table`.

    `wanted` are the watched bits, by word.
    """

    words: int
    wanted: npt.NDArray[np.uint64]
    first: Numbers
    windows: Numbers
    per_row_max: int


def watch_table(watches: Sequence[Watch], words: int) -> WatchTable:
    """The arrays for these watches; equal ones count once."""
    known = sorted(set(watches))
    bits = np.array([watch.bit for watch in known], dtype=np.int64)
    wanted = [
        sum(1 << bit % WORD_BITS for bit in {w.bit for w in known} if bit // WORD_BITS == word)
        for word in range(words)
    ]
    return WatchTable(
        words=words,
        wanted=np.array(wanted, dtype=np.uint64),
        first=np.searchsorted(bits, np.arange(words * WORD_BITS + 1)).astype(np.int64),
        windows=np.array([watch.window_us for watch in known], dtype=np.int64),
        per_row_max=1 + len({watch.window_us for watch in known if watch.window_us}),
    )


def next_change(rows: Matrix, now_us: int, table: WatchTable) -> int:
    """The first moment after `now_us` at which a watched tag may change, or NEVER."""
    return int(_between(rows, now_us, now_us, table, _room(0, table))[1])


def changes_between(rows: Matrix, after_us: int, until_us: int, table: WatchTable) -> Numbers:
    """The moments in (after, until] at which a watched tag may change, ascending, each once."""
    moments = _room(len(rows), table)
    return moments[: _between(rows, after_us, until_us, table, moments)[0]]


def changes_of_many(
    rows: Matrix, begin: Numbers, end: Numbers, after_us: Numbers, until_us: int, table: WatchTable
) -> tuple[Numbers, Numbers, Numbers]:
    """For subject s with rows[begin[s]:end[s]] the moments in (after[s], until], and what follows.

    Returns (starts of shape subjects + 1, moments, next): those of s are
    moments[starts[s]:starts[s + 1]], and next[s] is the first moment after `until`, or NEVER.
    """
    width = rows.shape[1]
    return changes_in_buffer(rows, begin * width, end - begin, width, after_us, until_us, table)


def changes_in_buffer(
    buffer: Numbers,
    at: Numbers,
    count: Numbers,
    width: int,
    after_us: Numbers,
    until_us: int,
    table: WatchTable,
) -> tuple[Numbers, Numbers, Numbers]:
    """The same over rows anywhere in one buffer: count[s] rows of `width` numbers from at[s]."""
    moments = _room(int(count.sum()), table)
    starts = np.zeros(len(at) + 1, dtype=np.int64)
    following = np.empty(len(at), dtype=np.int64)
    _moments_of_many(
        sealed(buffer), at, count, width, after_us, until_us, table.words, table.wanted,
        table.first, table.windows, moments, starts, following,
    )  # fmt: skip
    return starts, moments[: starts[-1]], following


def _between(
    rows: Matrix, after_us: int, until_us: int, table: WatchTable, moments: Numbers
) -> tuple[int, int]:
    found: tuple[int, int] = _moments(
        sealed(rows), 0, len(rows), rows.shape[1], after_us, until_us, table.words,
        table.wanted,
        table.first, table.windows, moments, 0,
    )  # fmt: skip
    return found


def _room(rows: int, table: WatchTable) -> Numbers:
    return np.empty(rows * table.per_row_max, dtype=np.int64)


@njit(cache=True, nogil=True)
def _moments_of_many(  # type: ignore[no-untyped-def]  # Numba infers
    buffer,
    at,
    count,
    width,
    after_us,
    until_us,
    words,
    wanted,
    first,
    windows,
    moments,
    starts,
    following,
):
    for s in range(at.shape[0]):
        starts[s + 1], following[s] = _moments(
            buffer, at[s], count[s], width, after_us[s], until_us, words, wanted, first, windows,
            moments,
            starts[s],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _moments(  # type: ignore[no-untyped-def]
    buffer, at, count, width, after_us, until_us, words, wanted, first, windows, moments, start
):
    """Write the moments behind `start`, sorted and each once; give their end and what follows."""
    noted = start
    following = NEVER
    for row in range(at, at + count * width, width):
        time_us = buffer[row + TIME]
        if time_us > following:
            break
        is_watched = False
        own = noted
        for word in range(words):
            bits = np.uint64(buffer[row + MASK + word]) & wanted[word]
            while bits:
                is_watched = True
                lowest = bits & (~bits + ONE)
                bits ^= lowest
                bit = word * WORD_BITS + PLACES[(lowest * DE_BRUIJN) >> SHIFT]
                for i in range(first[bit], first[bit + 1]):
                    if windows[i]:
                        leaves = time_us + windows[i]
                        if leaves > until_us:
                            following = min(following, leaves)
                        elif leaves > after_us:
                            noted = _note(moments, own, noted, leaves)
        if is_watched:
            if time_us > until_us:
                following = min(following, time_us)
            elif time_us > after_us:
                noted = _note(moments, own, noted, time_us)
    return _sorted_once(moments, start, noted), following


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


def evaluation_moments(
    starts: Numbers, moments: Numbers, since_us: Numbers, before_us: int, now_us: int
) -> tuple[Numbers, Numbers]:
    """When each subject is to be evaluated, as pairs (subject, moment) in order.

    `starts` and `moments` are those of `changes_of_many` for (before, now]. Who has changed from a
    moment up to `before` on (`since_us`) is evaluated at `before` too; a change in between that is
    no record's is a moment of its own; who has none at all is evaluated now.
    """
    room = len(moments) + 2 * len(since_us)
    which, when = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    count = _pairs(starts, moments, since_us, before_us, now_us, which, when)
    return which[:count], when[:count]


@njit(cache=True, nogil=True)
def _pairs(starts, moments, since_us, before_us, now_us, which, when):  # type: ignore[no-untyped-def]
    count = 0
    for s in range(since_us.shape[0]):
        begin = count
        waiting = before_us < since_us[s] <= now_us
        if since_us[s] <= before_us < now_us:
            which[count], when[count] = s, before_us
            count += 1
        for i in range(starts[s], starts[s + 1]):
            if waiting and since_us[s] <= moments[i]:
                if since_us[s] < moments[i]:
                    which[count], when[count] = s, since_us[s]
                    count += 1
                waiting = False
            which[count], when[count] = s, moments[i]
            count += 1
        if waiting or count == begin:
            which[count] = s
            when[count] = since_us[s] if waiting else now_us
            count += 1
    return count
