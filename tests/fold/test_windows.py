"""When tags change by the clock alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.fold.records import RecordLayout, arrange
from dipper.fold.tags import Aggregate, TagFold, fold_one, fold_table
from dipper.fold.windows import (
    NEVER,
    Watch,
    changes_between,
    changes_of_many,
    next_change,
    watch_table,
)

LAYOUT = RecordLayout(words=1, slots=1)


def matrix(rows: list[tuple[int, int]]) -> np.ndarray:
    """Rows of (time, mask)."""
    built = [[time, 0, i, 0, 0, mask, 1] for i, (time, mask) in enumerate(rows)]
    return arrange(np.array(built, dtype=np.int64).reshape(-1, LAYOUT.width))


def test_a_record_leaves_at_exactly_its_time_plus_the_window() -> None:
    """The next change is the first moment at which a record is outside."""
    table = watch_table([Watch(0, 10)], 1)
    rows = matrix([(5, 1), (7, 1)])
    assert next_change(rows, 7, table) == 15
    assert next_change(rows, 15, table) == 17
    assert next_change(rows, 17, table) == NEVER


def test_a_record_of_the_future_is_waited_for() -> None:
    """A record that lies ahead changes its tags when its time comes."""
    table = watch_table([Watch(0, 0)], 1)
    assert next_change(matrix([(50, 1)]), 7, table) == 50


def test_what_nobody_watches_rings_no_timer() -> None:
    """Records without a watched bit, and whole-life tags once entered, change nothing."""
    assert next_change(matrix([(5, 2)]), 7, watch_table([Watch(0, 10)], 1)) == NEVER
    assert next_change(matrix([(5, 1)]), 7, watch_table([Watch(0, 0)], 1)) == NEVER


rows_strategy = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 7)), max_size=10)
watches_strategy = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 5, 20])), min_size=1, max_size=5
)


def values_at(rows: np.ndarray, now: int, watches: list[tuple[int, int]]) -> list[int]:
    table = fold_table([TagFold(Aggregate.COUNT, bit, -1, window) for bit, window in watches], 1)
    return fold_one(rows, now, table)[0].tolist()


@given(rows_strategy, watches_strategy, st.integers(-1, 45), st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_nothing_changes_between_the_moments(
    rows: list[tuple[int, int]], watches: list[tuple[int, int]], after: int, length: int
) -> None:
    """Counts stay the same at every moment that is not named, and `next_change` names the first."""
    arranged = matrix(rows)
    table = watch_table([Watch(*watch) for watch in watches], 1)
    until = after + length
    moments = set(changes_between(arranged, after, until, table).tolist())
    for now in range(after + 1, until + 1):
        if now not in moments:
            assert values_at(arranged, now, watches) == values_at(arranged, now - 1, watches)
    following = next_change(arranged, until, table)
    for now in range(until + 1, min(following, 80)):
        assert values_at(arranged, now, watches) == values_at(arranged, now - 1, watches)
    starts, found, next_ = changes_of_many(
        np.concatenate([arranged, arranged]),
        np.array([0, len(arranged)]),
        np.array([len(arranged), 2 * len(arranged)]),
        np.array([after, after]),
        until,
        table,
    )
    assert found[starts[1] : starts[2]].tolist() == sorted(moments)
    assert next_.tolist() == [following, following]
