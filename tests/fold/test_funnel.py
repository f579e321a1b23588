"""The funnel against its rules, written out as slowly as they read."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.engine.ports import Bucket
from dipper.fold.funnel import Funnel, FunnelCounts, reached
from dipper.fold.timeline import fold_all

Row = tuple[int, int, int]
"""time, mask, code of the breakdown (-1: missing)"""

NAMES = ("app", "counter", "web")


def bucket(subjects: list[list[Row]], first: int = 0) -> Bucket:
    """Timelines of subjects, each with at least one row."""
    rows = [row for subject in subjects for row in subject]
    starts = np.cumsum([0, *map(len, subjects)])
    keys = [(first + place).to_bytes(16, "big") for place in range(len(subjects))]
    columns = {
        "time": np.array([time for time, _, _ in rows], np.int64),
        "steps": np.array([mask for _, mask, _ in rows], np.uint8),
        "channel": np.array([code for _, _, code in rows], np.int32),
    }
    return Bucket(keys, starts.astype(np.int64), columns, {"channel": NAMES})


def deepest_by_rule(rows: list[Row], steps: int, window_us: int | None) -> int:
    """The longest chain of different rows in order, each satisfying the next step, in time."""
    for depth in range(steps, 0, -1):
        for chosen in combinations(rows, depth):
            satisfied = all(mask >> step & 1 for step, (_, mask, _) in enumerate(chosen))
            if satisfied and (window_us is None or chosen[-1][0] - chosen[0][0] <= window_us):
                return depth
    return 0


def deepest_in_any_order(rows: list[Row], steps: int) -> int:
    """How many of the first steps there is a row for, without a gap."""
    depth = 0
    while depth < steps and any(mask >> depth & 1 for _, mask, _ in rows):
        depth += 1
    return depth


def counts_by_rule(
    subjects: list[list[Row]], steps: int, window_us: int | None, ordered: bool
) -> FunnelCounts:
    deepest = [0] * (steps + 1)
    groups: dict[str | None, list[int]] = {}
    for rows in subjects:
        depth = (
            deepest_by_rule(rows, steps, window_us)
            if ordered
            else deepest_in_any_order(rows, steps)
        )
        deepest[depth] += 1
        if depth:
            code = next(code for _, mask, code in rows if mask & 1)
            name = None if code < 0 else NAMES[code]
            groups.setdefault(name, [0] * (steps + 1))[depth] += 1
    return FunnelCounts(tuple(deepest), {name: tuple(line) for name, line in groups.items()})


timelines = st.lists(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 15), st.integers(-1, 2)),
        min_size=1,
        max_size=7,
    ).map(lambda rows: sorted(rows, key=lambda row: row[0])),
    min_size=1,
    max_size=6,
)


@settings(max_examples=400, deadline=None)
@given(
    timelines, st.integers(1, 4), st.none() | st.integers(0, 9), st.booleans(), st.integers(1, 6)
)
def test_the_kernel_counts_what_the_rules_say(
    subjects: list[list[Row]], steps: int, window_us: int | None, ordered: bool, cut: int
) -> None:
    """For any timelines, steps, window and order, and however subjects are shared out to buckets,
    the fold gives the counts of the rules."""
    window_us = window_us if ordered else None
    fold = Funnel(steps, window_us, ordered, "channel")
    expected = counts_by_rule(subjects, steps, window_us, ordered)
    parts = [subjects[:cut], subjects[cut:]] if len(subjects) > cut else [subjects]
    buckets = [bucket(part, place * 10) for place, part in enumerate(parts)]
    assert fold_all(fold, buckets) == expected
    merged = fold.start()
    for each in buckets:
        merged = fold.merge(merged, fold.step(fold.start(), each))
    assert fold.finish(merged) == expected


def test_one_row_never_serves_two_steps() -> None:
    """A row that satisfies both steps is the first or the second, not both."""
    assert fold_all(Funnel(2), [bucket([[(1, 3, 0)]])]).deepest == (0, 1, 0)
    assert fold_all(Funnel(2), [bucket([[(1, 3, 0), (1, 3, 0)]])]).deepest == (0, 0, 1)


def test_the_best_beginning_counts() -> None:
    """A later first step can be in time where the first one is not."""
    rows = [(0, 1, 0), (50, 1, 0), (55, 2, 0)]
    assert fold_all(Funnel(2, window_us=10), [bucket([rows])]).deepest == (0, 0, 1)
    assert fold_all(Funnel(2, window_us=4), [bucket([rows])]).deepest == (0, 1, 0)


def test_the_end_of_the_window_counts() -> None:
    """A step exactly `window_us` after the beginning is in time, one later is not."""
    rows = [(0, 1, 0), (10, 2, 0)]
    assert fold_all(Funnel(2, window_us=10), [bucket([rows])]).deepest == (0, 0, 1)
    assert fold_all(Funnel(2, window_us=9), [bucket([rows])]).deepest == (0, 1, 0)


def test_the_first_entry_names_the_group() -> None:
    """A subject counts under the breakdown value of its very first entry, even when a later
    beginning brought it further."""
    rows = [(0, 1, 1), (50, 1, 2), (51, 2, 0)]
    found = fold_all(Funnel(2, window_us=5, breakdown="channel"), [bucket([rows])])
    assert found.groups == {"counter": (0, 0, 1)}


def test_groups_come_largest_first() -> None:
    """The most frequent breakdown value is the first, a missing one stands as None."""
    subjects = [[(0, 1, code)] for code in (2, 2, 2, -1, -1, 0)]
    found = fold_all(Funnel(1, breakdown="channel"), [bucket(subjects)])
    assert list(found.groups) == ["web", None, "app"]


def test_reached_adds_up_from_the_end() -> None:
    """Who came to the last step has reached every step."""
    assert reached((7, 1, 2, 3)) == (6, 5, 3)


@pytest.mark.parametrize(
    ("steps", "window_us", "ordered"),
    [(0, None, True), (33, None, True), (2, 5, False), (2, -1, True)],
)
def test_what_is_no_funnel_is_refused(steps: int, window_us: int | None, ordered: bool) -> None:
    """No steps, too many, or a window without an order are errors when the fold is made."""
    with pytest.raises(ValueError, match="funnel"):
        Funnel(steps, window_us, ordered)
