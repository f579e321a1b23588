"""The flat table of fingerprints."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.collect.fingerprints import Fingerprints

KEYS = (
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(-3, 3)
    | st.integers(0, 50).map(lambda n: n << 20)
)


def enter(table: Fingerprints, keys: list[int], values: list[int]) -> list[int]:
    """Enter many; the values that they had."""
    known = table.enter(np.array(keys, np.int64), np.array(values, np.int64))
    return [0] * len(keys) if known is None else known.tolist()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["enter", "find", "remove"]), KEYS, st.integers(1, 2**63 - 1))
    )
)
def test_it_behaves_like_a_dict(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is entered, found and removed, a dict with `setdefault` says the same."""
    table, model = Fingerprints(), dict[int, int]()
    for act, raw, value in steps:
        key = raw if raw not in (0, -1) else 1
        if act == "enter":
            assert enter(table, [raw], [value]) == [model.get(key, 0)]
            model.setdefault(key, value)
        elif act == "find":
            assert table.find(raw) == model.get(key, 0)
        else:
            assert table.remove(raw) == (model.pop(key, None) is not None)
        assert len(table) == len(model)


def test_many_are_found_again_after_every_growth() -> None:
    """300,000 fingerprints pass the sizes at which tables move and at which they stay."""
    draw = random.Random(5)
    keys = [draw.getrandbits(64) - 2**63 for _ in range(300_000)]
    table = Fingerprints()
    for start in range(0, len(keys), 1_000):
        part = keys[start : start + 1_000]
        assert not any(enter(table, part, [key & 0xFFFF | 1 for key in part]))
    assert len(table) == len(keys)
    assert all(table.find(key) == key & 0xFFFF | 1 for key in keys[::7])
    assert enter(table, keys[:3], [5, 5, 5]) == [key & 0xFFFF | 1 for key in keys[:3]]
    assert not any(table.find(key + 1) for key in keys[:1_000])


def test_the_same_fingerprint_twice_in_one_call_is_known_the_second_time() -> None:
    """A batch may hold an event twice."""
    assert enter(Fingerprints(), [7, 8, 7], [1, 2, 3]) == [0, 0, 1]
