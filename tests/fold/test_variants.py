"""Distinct sequences of events."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.engine.ports import Bucket
from dipper.fold.timeline import fold_all
from dipper.fold.variants import VariantFold


def bucket(subjects: list[list[str | None]]) -> Bucket:
    """Timelines of events, with codes of this bucket's own."""
    names = sorted({name for rows in subjects for name in rows if name is not None}, reverse=True)
    codes = [-1 if name is None else names.index(name) for rows in subjects for name in rows]
    starts = np.cumsum([0, *map(len, subjects)]).astype(np.int64)
    keys = [bytes(16)] * len(subjects)
    return Bucket(keys, starts, {"event": np.array(codes, np.int32)}, {"event": names})


sequences = st.lists(
    st.lists(st.sampled_from(["a", "b", "ab", "", None]), min_size=1, max_size=4),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(sequences, min_size=1, max_size=3))
def test_sequences_are_counted_over_all_buckets(parts: list[list[list[str | None]]]) -> None:
    """Equal sequences are one variant wherever they stand, though codes differ from bucket to
    bucket; different ones are not, and a missing event differs from an empty name."""
    counted = Counter(tuple(rows) for part in parts for rows in part)
    found = fold_all(VariantFold(), [bucket(part) for part in parts])
    assert found.count == len(counted)
    assert list(found.subjects) == sorted(counted.values(), reverse=True)


def test_order_makes_a_variant() -> None:
    """The same events in another order are another way."""
    assert fold_all(VariantFold(), [bucket([["a", "b"], ["b", "a"], ["a", "b"]])]).count == 2
