"""The table of names."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.collect.kernels.json_kernels import PAD
from dipper.collect.kernels.names import PLACE, UNKNOWN, build, find

NAMES = st.text(min_size=0, max_size=20)


def look_up(names: dict[tuple[int, str], int], asked: list[tuple[int, str]]) -> list[int]:
    """What the table says of each."""
    text = bytearray()
    table = build(names, text)
    data = np.frombuffer(bytes(text) + PAD, np.uint8)
    found = []
    for scope, name in asked:
        raw = name.encode()
        body = np.frombuffer(b"x" + raw + b"more" + PAD, np.uint8)
        places = len(table) // PLACE
        found.append(int(find(table, places, data, np.int64(scope), body, 1, 1 + len(raw))))
    return found


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.tuples(st.integers(0, 3), NAMES), st.integers(0, 99), max_size=40),
    st.lists(st.tuples(st.integers(0, 3), NAMES), max_size=10),
)
def test_it_says_what_a_dict_says(
    names: dict[tuple[int, str], int], strangers: list[tuple[int, str]]
) -> None:
    """Of every name in its scope, and of names that it does not have."""
    asked = [*names, *strangers]
    assert look_up(names, asked) == [names.get(one, UNKNOWN) for one in asked]


def test_a_name_is_no_other_one_that_begins_like_it() -> None:
    """Length and every byte count, also beyond eight."""
    names = {(1, "properties"): 5, (1, "prop"): 6}
    asked = [(1, "properties"), (1, "prop"), (1, "propertie"), (1, "propertiez"), (2, "prop")]
    assert look_up(names, asked) == [5, 6, UNKNOWN, UNKNOWN, UNKNOWN]
