"""Tags over records: the kernel against a plain reference, and its edges."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.fold.records import RecordLayout, arrange
from dipper.fold.tags import Aggregate, FoldTable, TagFold, fold_many, fold_one, fold_table

LAYOUT = RecordLayout(words=2, slots=2)
BIT = 70  # in the second word
INT_MAX, INT_MIN = 2**63 - 1, -(2**63)
DOUBLES = (Aggregate.SUM_DOUBLE, Aggregate.MIN_DOUBLE, Aggregate.MAX_DOUBLE)


def bits(number: float) -> int:
    return struct.unpack("<q", struct.pack("<d", number))[0]


def number(pattern: int) -> float:
    return struct.unpack("<d", struct.pack("<q", pattern))[0]


def row(time_us: int, value: int, order: int = 0, bit: int = BIT) -> list[int]:
    mask = [0, 0]
    mask[bit // 64] = int(np.uint64(1 << bit % 64).view(np.int64))
    return [time_us, 0, order, 0, 0, *mask, value, value]


def matrix(rows: list[list[int]]) -> np.ndarray:
    return arrange(np.array(rows, dtype=np.int64).reshape(-1, LAYOUT.width))


def folded(rows: list[list[int]], aggregate: Aggregate, window: int = 0, now: int = 100) -> object:
    table = fold_table([TagFold(aggregate, BIT, 1, window)], LAYOUT.words)
    values, nulls = fold_one(matrix(rows), now, table)
    if nulls[0]:
        return None
    return number(int(values[0])) if aggregate in DOUBLES else int(values[0])


def test_a_window_is_open_below_and_closed_above() -> None:
    """A record counts in (now - w, now]: at now yes, at now - w no, after now not yet."""
    rows = [row(t, 1, t) for t in (90, 91, 100, 101)]
    assert folded(rows, Aggregate.COUNT, window=10) == 2
    assert folded(rows, Aggregate.COUNT) == 3


def test_nothing_counts_zero_and_sums_to_null() -> None:
    """Without a record, count and distinct are 0 and every other aggregate is null."""
    for aggregate in Aggregate:
        expected = 0 if aggregate in (Aggregate.COUNT, Aggregate.DISTINCT) else None
        assert folded([], aggregate) == expected
        assert folded([row(5, 1, bit=3)], aggregate) == expected


def test_an_integer_sum_is_exact_until_it_does_not_fit() -> None:
    """A sum that leaves 64 bits on the way and comes back is right; one that stays out is null."""
    there_and_back = [row(1, INT_MAX), row(2, INT_MAX), row(3, INT_MIN), row(4, INT_MIN), row(5, 3)]
    assert folded(there_and_back, Aggregate.SUM_INT) == 1
    assert folded([row(1, INT_MAX), row(2, 1)], Aggregate.SUM_INT) is None
    assert folded([row(1, INT_MIN), row(2, -1)], Aggregate.SUM_INT) is None
    assert folded([row(1, INT_MIN)], Aggregate.SUM_INT) == INT_MIN


def test_a_double_sum_that_is_not_finite_is_null() -> None:
    """Infinity is no sum of money."""
    assert folded([row(1, bits(1e308)), row(2, bits(1e308))], Aggregate.SUM_DOUBLE) is None


def test_first_and_last_follow_the_order_of_the_timeline() -> None:
    """Rows that share their time are told apart by their order key."""
    rows = [row(1, 10, order=5), row(1, 20, order=-5), row(1, 30, order=9)]
    assert folded(rows, Aggregate.FIRST) == 20
    assert folded(rows, Aggregate.LAST) == 30


def test_distinct_counts_any_values() -> None:
    """Different 8-byte values count once each, zero and negative ones included."""
    values = [0, -1, 0, 7, INT_MIN, 7, 2**40, 2**41]
    rows = [row(i, value, i) for i, value in enumerate(values)]
    assert folded(rows, Aggregate.DISTINCT) == 6


finite = st.floats(allow_nan=False, allow_infinity=False, width=64).map(lambda x: x + 0.0)
rows_strategy = st.lists(
    st.tuples(
        st.integers(0, 60),  # time
        st.integers(-3, 3),  # order
        st.sets(st.sampled_from([0, 1, 63, 64, 127]), max_size=3),
        st.one_of(st.integers(-5, 5), st.sampled_from([INT_MAX, INT_MIN])),
        finite,
    ),
    max_size=14,
)
tags_strategy = st.lists(
    st.tuples(
        st.sampled_from(list(Aggregate)),
        st.sampled_from([0, 1, 63, 64, 127]),
        st.sampled_from([0, 1, 7, 30]),
    ),
    min_size=1,
    max_size=8,
)


def expected(rows: list, aggregate: Aggregate, bit: int, window: int, now: int) -> object:
    """The definition, row by row over arranged rows."""
    is_double = aggregate in DOUBLES
    values = [
        number(int(r[LAYOUT.width - 1])) if is_double else int(r[LAYOUT.width - 2])
        for r in rows
        if int(r[5 + bit // 64]) >> bit % 64 & 1
        if r[0] <= now and (not window or r[0] > now - window)
    ]
    if aggregate is Aggregate.COUNT:
        return len(values)
    if aggregate is Aggregate.DISTINCT:
        return len(set(values))
    if not values:
        return None
    if aggregate is Aggregate.SUM_INT:
        total = sum(values)
        return total if INT_MIN <= total <= INT_MAX else None
    if aggregate is Aggregate.SUM_DOUBLE:
        total = values[0]
        for value in values[1:]:
            total += value
        return total if math.isfinite(total) else None
    if aggregate in (Aggregate.MIN_INT, Aggregate.MIN_DOUBLE):
        return min(values)
    if aggregate in (Aggregate.MAX_INT, Aggregate.MAX_DOUBLE):
        return max(values)
    return values[0] if aggregate is Aggregate.FIRST else values[-1]


def build(rows: list) -> np.ndarray:
    built = []
    for time_us, order, bit_set, whole, real in rows:
        mask = [0, 0]
        for bit in bit_set:
            mask[bit // 64] |= 1 << bit % 64
        signed = [int(np.uint64(word).view(np.int64)) for word in mask]
        built.append([time_us, 0, order, 0, 0, *signed, whole, bits(real)])
    return matrix(built)


def table_of(tags: list) -> FoldTable:
    folds = [
        TagFold(aggregate, bit, 1 if aggregate in DOUBLES else 0, window)
        for aggregate, bit, window in tags
    ]
    return fold_table(folds, LAYOUT.words)


@given(rows_strategy, tags_strategy, st.integers(-1, 70))
@settings(max_examples=300, deadline=None)
def test_the_kernel_computes_the_definition(rows: list, tags: list, now: int) -> None:
    """Any records, tags and moment give what the definition gives, doubles to the bit."""
    arranged = build(rows)
    values, nulls = fold_one(arranged, now, table_of(tags))
    for i, (aggregate, bit, window) in enumerate(tags):
        wanted = expected(arranged.tolist(), aggregate, bit, window, now)
        got = None if nulls[i] else int(values[i])
        if wanted is not None and aggregate in DOUBLES:
            wanted = bits(wanted + 0.0) if wanted == 0 else bits(wanted)
            got = got if got is None or number(got) != 0 else bits(0.0)
        assert got == wanted, (aggregate, bit, window)


@given(st.lists(rows_strategy, min_size=1, max_size=5), tags_strategy, st.integers(0, 70))
@settings(max_examples=60, deadline=None)
def test_many_subjects_are_folded_as_each_alone(subjects: list, tags: list, now: int) -> None:
    """A bucket of subjects in one call gives what each gives by itself, at several moments."""
    table = table_of(tags)
    parts = [build(rows) for rows in subjects]
    ends = np.cumsum([len(part) for part in parts])
    begins = ends - [len(part) for part in parts]
    moments = np.arange(len(parts)) + now
    values, nulls = fold_many(np.concatenate(parts), begins, ends, moments, table)
    for i, part in enumerate(parts):
        alone_values, alone_nulls = fold_one(part, int(moments[i]), table)
        assert values[i].tolist() == alone_values.tolist()
        assert nulls[i].tolist() == alone_nulls.tolist()


def test_a_table_without_tags_folds_to_nothing() -> None:
    """A program without tags is no special case."""
    values, nulls = fold_one(matrix([row(1, 1)]), 5, fold_table([], LAYOUT.words))
    assert values.shape == nulls.shape == (0,)


@pytest.mark.parametrize("window", [1, 30])
def test_read_only_bytes_are_folded_where_they_lie(window: int) -> None:
    """Records are read from the stored bytes without a copy."""
    data = matrix([row(99, 4), row(100, 6)]).tobytes()
    table = fold_table([TagFold(Aggregate.SUM_INT, BIT, 0, window)], LAYOUT.words)
    values, _ = fold_one(LAYOUT.matrix(data), 100, table)
    assert values[0] == (6 if window == 1 else 10)
