"""All tags of a subject in one pass over its records, at any moment.

The kernel is driven by tables, so that it is compiled once and never for a program. Online it
runs over one subject's near end, at ticks over many, over history over a bucket: the same code,
therefore the same values. Windows are (now - w, now]; what lies after `now` has not happened yet.

Integer sums are exact in 128 bits and null when they do not fit into 64. Double sums are added in
timeline order, which the set of records fixes; one that is not finite is null. Sums, minima,
maxima, first and last of nothing are null; counts are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from dipper.fold.bits import DE_BRUIJN, ONE, PLACES, SHIFT
from dipper.fold.records import MASK, TIME, WORD_BITS, Matrix, sealed

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Aggregate(IntEnum):
    """What the kernel knows. DISTINCT counts different 8-byte values exactly."""

    COUNT = 0
    SUM_INT = 1
    SUM_DOUBLE = 2
    MIN_INT = 3
    MIN_DOUBLE = 4
    MAX_INT = 5
    MAX_DOUBLE = 6
    FIRST = 7
    LAST = 8
    DISTINCT = 9


class TagFold(NamedTuple):
    """One tag for the kernel: what it computes of slot `slot` over rows with bit `bit`.

    `window_us` is 0 for the whole life; `slot` is -1 where only rows are counted.
    """

    aggregate: Aggregate
    bit: int
    slot: int
    window_us: int


@dataclass(frozen=True)
class FoldTable:
    """The tags of one layout as arrays; make it with `fold_table`.

    `tags` has the columns aggregate, slot, window, bit; `order` lists tags by their bit and
    `first[b]:first[b + 1]` are those of bit b. `wanted` are the bits that have tags, by word.
    """

    words: int
    count: int
    wanted: npt.NDArray[np.uint64]
    tags: Numbers
    first: Numbers
    order: Numbers
    distinct: Numbers


def fold_table(tags: Sequence[TagFold], words: int) -> FoldTable:
    """The arrays for these tags, which keep their order in what the folds return."""
    bits = np.array([tag.bit for tag in tags], dtype=np.int64)
    # Distinct tags have a pass of their own, so that one hash table serves them all.
    plain = [i for i, tag in enumerate(tags) if tag.aggregate is not Aggregate.DISTINCT]
    order = np.array(sorted(plain, key=lambda i: (tags[i].bit, i)), dtype=np.int64)
    table = np.array(
        [(int(tag.aggregate), tag.slot, tag.window_us, tag.bit) for tag in tags], dtype=np.int64
    ).reshape(-1, 4)
    wanted = [
        sum(
            1 << bit % WORD_BITS for bit in {tags[i].bit for i in plain} if bit // WORD_BITS == word
        )
        for word in range(words)
    ]
    return FoldTable(
        words=words,
        count=len(tags),
        wanted=np.array(wanted, dtype=np.uint64),
        tags=table,
        first=np.searchsorted(bits[order], np.arange(words * WORD_BITS + 1)).astype(np.int64),
        order=order,
        distinct=np.array(
            [i for i, tag in enumerate(tags) if tag.aggregate is Aggregate.DISTINCT],
            dtype=np.int64,
        ),
    )


def fold_one(rows: Matrix, now_us: int, table: FoldTable) -> tuple[Numbers, Flags]:
    """Values (bit patterns) and null flags of all tags over one subject's rows at `now_us`."""
    values = np.empty((1, table.count), dtype=np.int64)
    nulls = np.empty((1, table.count), dtype=np.bool_)
    _fold_whole(
        sealed(rows), len(rows), rows.shape[1], now_us, table.words, table.wanted, table.tags,
        table.first, table.order, table.distinct, values, nulls,
    )  # fmt: skip
    return values[0], nulls[0]


def fold_many(
    rows: Matrix, begin: Numbers, end: Numbers, now_us: Numbers, table: FoldTable
) -> tuple[Numbers, Flags]:
    """The same for many evaluations: number e folds rows[begin[e]:end[e]] at now_us[e].

    Returns arrays of shape (evaluations, tags). Evaluations may share rows.
    """
    width = rows.shape[1]
    return fold_buffer(rows, begin * width, end - begin, width, now_us, table)


def fold_buffer(
    buffer: Numbers, at: Numbers, count: Numbers, width: int, now_us: Numbers, table: FoldTable
) -> tuple[Numbers, Flags]:
    """The same over rows anywhere in one buffer: count[e] rows of `width` numbers from at[e]."""
    values = np.empty((len(at), table.count), dtype=np.int64)
    nulls = np.empty((len(at), table.count), dtype=np.bool_)
    _fold_parts(
        sealed(buffer), at, count, width, now_us, table.words, table.wanted, table.tags,
        table.first, table.order, table.distinct, values, nulls,
    )  # fmt: skip
    return values, nulls


_WHOLE_LIFE = np.iinfo(np.int64).min
_START = np.int64(0)
"""By type: a literal number would be compiled into kernels of its own."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def _fold_whole(  # type: ignore[no-untyped-def]  # Numba infers
    buffer, count, width, now_us, words, wanted, tags, first, order, distinct, values, nulls
):
    high = np.empty(tags.shape[0], dtype=np.int64)
    low = np.empty(tags.shape[0], dtype=np.int64)
    _fold(
        buffer,
        _START,
        count,
        width,
        now_us,
        words,
        wanted,
        tags,
        first,
        order,
        high,
        low,
        values[0],
        nulls[0],
    )
    if distinct.shape[0]:
        seen, stamps = _hash_table(count)
        _count_distinct(
            buffer, _START, count, width, now_us, words, tags, distinct, seen, stamps, _START,
            values[0], nulls[0],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _fold_parts(  # type: ignore[no-untyped-def]
    buffer, at, count, width, now_us, words, wanted, tags, first, order, distinct, values, nulls
):
    high = np.empty(tags.shape[0], dtype=np.int64)
    low = np.empty(tags.shape[0], dtype=np.int64)
    most = 0
    for e in range(at.shape[0]):
        most = max(most, count[e])
    seen, stamps = _hash_table(most if distinct.shape[0] else 0)
    stamp = 0
    for e in range(at.shape[0]):
        _fold(
            buffer, at[e], count[e], width, now_us[e], words, wanted, tags, first, order, high, low,
            values[e], nulls[e],
        )  # fmt: skip
        if distinct.shape[0]:
            stamp = _count_distinct(
                buffer, at[e], count[e], width, now_us[e], words, tags, distinct, seen, stamps,
                stamp, values[e], nulls[e],
            )  # fmt: skip


@njit(cache=True, nogil=True)
def _fold(  # type: ignore[no-untyped-def]
    buffer, at, count, width, now_us, words, wanted, tags, first, order, high, low, values, nulls
):
    """All tags but the distinct ones. `low` is each window's open end, `high` the upper limbs."""
    for t in range(tags.shape[0]):
        values[t] = 0
        high[t] = 0
        nulls[t] = tags[t, 0] != 0
        low[t] = now_us - tags[t, 2] if tags[t, 2] else _WHOLE_LIFE
    base = MASK + words
    doubles = values.view(np.float64)
    numbers = buffer.view(np.float64)
    for row in range(at, at + count * width, width):
        time_us = buffer[row + TIME]
        if time_us > now_us:
            break
        for word in range(words):
            bits = np.uint64(buffer[row + MASK + word]) & wanted[word]
            while bits:
                lowest = bits & (~bits + ONE)
                bit = word * WORD_BITS + PLACES[(lowest * DE_BRUIJN) >> SHIFT]
                bits ^= lowest
                for i in range(first[bit], first[bit + 1]):
                    t = order[i]
                    if time_us <= low[t]:
                        continue
                    aggregate = tags[t, 0]
                    if aggregate == 0:
                        values[t] += 1
                        continue
                    value = buffer[row + base + tags[t, 1]]
                    if aggregate == 1:
                        before = np.uint64(values[t])
                        after = before + np.uint64(value)
                        high[t] += (value >> 63) + np.int64(after < before)
                        values[t] = np.int64(after)
                    elif aggregate == 2:
                        number = numbers[row + base + tags[t, 1]]
                        doubles[t] = number if nulls[t] else doubles[t] + number
                    elif aggregate == 3:
                        if nulls[t] or value < values[t]:
                            values[t] = value
                    elif aggregate == 5:
                        if nulls[t] or value > values[t]:
                            values[t] = value
                    elif aggregate == 4:
                        number = numbers[row + base + tags[t, 1]]
                        if nulls[t] or number < doubles[t]:
                            doubles[t] = number
                    elif aggregate == 6:
                        number = numbers[row + base + tags[t, 1]]
                        if nulls[t] or number > doubles[t]:
                            doubles[t] = number
                    elif aggregate == 7:
                        if nulls[t]:
                            values[t] = value
                    else:
                        values[t] = value
                    nulls[t] = False
    for t in range(tags.shape[0]):
        if tags[t, 0] == 1:
            nulls[t] = nulls[t] or high[t] != (values[t] >> 63)
        elif tags[t, 0] == 2:
            nulls[t] = nulls[t] or not np.isfinite(doubles[t])
        if nulls[t]:
            values[t] = 0


@njit(cache=True, nogil=True)
def _hash_table(most):  # type: ignore[no-untyped-def]
    size = 16
    while size < 2 * most:
        size *= 2
    return np.empty(size, dtype=np.int64), np.zeros(size, dtype=np.int64)


@njit(cache=True, nogil=True)
def _count_distinct(  # type: ignore[no-untyped-def]
    buffer, at, count, width, now_us, words, tags, distinct, seen, stamps, stamp, values, nulls
):
    """Count different values with one open-addressed table; a new stamp empties it."""
    limit = np.uint64(seen.shape[0] - 1)
    base = MASK + words
    for i in range(distinct.shape[0]):
        t = distinct[i]
        stamp += 1
        found = 0
        word, bit = MASK + tags[t, 3] // WORD_BITS, np.uint64(tags[t, 3] % WORD_BITS)
        low = now_us - tags[t, 2] if tags[t, 2] else _WHOLE_LIFE
        for row in range(at, at + count * width, width):
            if buffer[row + TIME] > now_us:
                break
            if buffer[row + TIME] <= low:
                continue
            if not (np.uint64(buffer[row + word]) >> bit) & np.uint64(1):
                continue
            value = buffer[row + base + tags[t, 1]]
            place = (np.uint64(value) * _SPREAD) >> np.uint64(20) & limit
            while stamps[place] == stamp and seen[place] != value:
                place = (place + np.uint64(1)) & limit
            if stamps[place] != stamp:
                stamps[place] = stamp
                seen[place] = value
                found += 1
        values[t] = found
        nulls[t] = False
    return stamp
