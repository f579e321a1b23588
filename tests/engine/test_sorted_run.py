"""Sorted runs of fingerprints."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.collect.fingerprints import look_up_sorted
from dipper.engine.sorted_run import SortedRun, holds, merged, parts_of, without

KEYS = st.integers(-(2**63), 2**63 - 1) | st.integers(2, 40)
ROWS = st.dictionaries(st.tuples(st.integers(0, 4), KEYS), st.integers(1, 9), max_size=40)


def run_of(entries: dict[tuple[int, int], int]) -> SortedRun:
    """A run of entries (day, fingerprint) -> value."""
    rows = [(*place, value) for place, value in entries.items()]
    return SortedRun.of(parts_of(np.array(rows, np.int64).reshape(-1, 3)))


def entries_of(run: SortedRun) -> dict[tuple[int, int], int]:
    """The entries, and that each day is in order."""
    for day in run.days:
        keys = run.part(day)[:, 0].tolist()
        assert keys == sorted(keys)
        assert keys
    return {(day, key): value for day in run.days for key, value in run.part(day).tolist()}


@settings(deadline=None)
@given(ROWS, ROWS, st.sets(st.tuples(st.integers(0, 4), KEYS), max_size=20))
def test_runs_are_mappings(
    one: dict[tuple[int, int], int],
    two: dict[tuple[int, int], int],
    gone: set[tuple[int, int]],
) -> None:
    """Making, merging and taking out do what they do with a dict."""
    two = {place: value for place, value in two.items() if place not in one}
    run = run_of(one)
    assert entries_of(run) == one
    both = SortedRun.of(merged([run, run_of(two)]))
    assert entries_of(both) == one | two
    by_day: dict[int, set[int]] = {}
    for day, key in [*gone, *list(one)[:3]]:
        by_day.setdefault(day, set()).add(key)
    left = {
        place: value
        for place, value in (one | two).items()
        if place[1] not in by_day.get(place[0], ())
    }
    assert entries_of(SortedRun.of(without(both, by_day))) == left
    assert holds(both, by_day) == (left != one | two)


@settings(deadline=None)
@given(ROWS, st.lists(KEYS, min_size=1, max_size=20))
def test_a_sorted_day_is_searched_like_a_dict(
    entries: dict[tuple[int, int], int], asked: list[int]
) -> None:
    """However unevenly fingerprints lie; what is known already is not looked for."""
    entries = {place: value for place, value in entries.items() if place[1] not in (0, -1)}
    run = run_of(entries)
    keys = [*asked, *(key for _, key in entries)]
    for day in range(5):
        known = np.zeros(len(keys), np.int64)
        known[0] = 77
        look_up_sorted(run.part(day), np.array(keys, np.int64), known)
        there = [1 if key in (0, -1) else key for key in keys[1:]]
        assert known.tolist() == [77, *(entries.get((day, key), 0) for key in there)]


def test_a_million_is_searched() -> None:
    """Both what is there and what is not, at the scale of a day."""
    draw = np.random.default_rng(3)
    keys = np.unique(draw.integers(-(2**63), 2**63 - 1, 1_000_000))
    run = SortedRun.of(iter([(1, np.stack([keys, keys | 1], 1))]))
    asked = np.concatenate([keys[::97], keys[::97] + 1])
    known = np.zeros(len(asked), np.int64)
    look_up_sorted(run.part(1), asked, known)
    there = np.isin(asked, keys)
    assert np.array_equal(known, np.where(there, asked | 1, 0))
