"""The order of rows in history: sorting, merging and appending runs, for any rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.engine.embedded.timeline_order import (
    Moments,
    Run,
    append_order,
    key_bytes,
    key_halves,
    merge_order,
    run_starts,
    sort_order,
)

Row = tuple[bytes, int, int, int]
"""key, time, seq, order hash"""

# Few keys, of which some agree in one half, and few moments: ties are the rule.
KEYS = [bytes(16), bytes(15) + b"\x01", b"\x80" + bytes(15), b"\xff" * 16, b"\xff" * 8 + bytes(8)]
rows_of_any_order = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.integers(0, 4),
        st.integers(0, 1),
        st.sampled_from([-(2**63), -1, 0, 2**63 - 1]),
    ),
    max_size=40,
)


def moments(rows: Sequence[Row]) -> Moments:
    return Moments(*(np.array([row[at] for row in rows], np.int64) for at in (1, 2, 3)))


def halves(rows: Sequence[Row]) -> np.ndarray:
    return key_halves(b"".join(row[0] for row in rows))


def run(rows: Sequence[Row]) -> Run:
    keys = halves(rows)
    starts = run_starts(keys)
    return Run(keys[starts[:-1]], starts, moments(rows))


@settings(max_examples=300, deadline=None)
@given(rows_of_any_order)
def test_rows_are_sorted_as_bytes_then_moments(rows: list[Row]) -> None:
    """The permutation is the stable order of (key as bytes, time, seq, order hash)."""
    order = sort_order(halves(rows), moments(rows))
    places = range(len(rows)) if order is None else order.tolist()
    assert list(places) == sorted(range(len(rows)), key=lambda place: rows[place])


@settings(max_examples=300, deadline=None)
@given(st.lists(rows_of_any_order, min_size=1, max_size=5))
def test_merged_runs_are_one_sorted_run(parts: list[list[Row]]) -> None:
    """Any sorted runs merge into the order of all their rows."""
    parts = [sorted(part) for part in parts]
    keys, starts, places = merge_order([run(part) for part in parts])
    laid = [row for part in parts for row in part]
    merged = [laid[place] for place in places]
    assert merged == sorted(laid)
    assert starts.tolist() == run_starts(halves(merged)).tolist()
    assert key_bytes(keys) == b"".join(sorted({row[0] for row in laid}))


@settings(max_examples=300, deadline=None)
@given(rows_of_any_order, st.lists(st.integers(0, 4), max_size=3))
def test_appended_runs_are_one_sorted_run(rows: list[Row], cuts: list[int]) -> None:
    """Runs that follow each other in time need no moments to become one."""
    bounds = [-1, *sorted(set(cuts)), 5]
    parts = [sorted(row for row in rows if low < row[1] <= high) for low, high in pairwise(bounds)]
    keys, starts, targets = append_order([run(part)._replace(moments=None) for part in parts])
    merged: list[Row | None] = [None] * len(rows)
    block = 0
    for part in parts:
        spans = run_starts(halves(part)).tolist()
        for start, end in pairwise(spans):
            merged[targets[block] : targets[block] + end - start] = part[start:end]
            block += 1
    assert merged == sorted(rows)
    assert starts[-1] == len(rows)
    assert key_bytes(keys) == b"".join(sorted({row[0] for row in rows}))
