"""Hashes that stored data depends on: their values may never change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dipper.kit.hashing import canonical_json, digest, hash64, hash128, unit_interval


def test_the_values_are_fixed() -> None:
    """Changing one of these is a migration of every log and lake."""
    assert hash64("customer_no:C1") == -5614147690563576352
    assert hash128("customer_no:C1").hex() == "1aee336065930226fe9071a2fee8bcba"
    assert unit_interval("a", "b") == 0.06574825183479505
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_equal_values_have_equal_bytes() -> None:
    """Key order and spaces do not matter."""
    assert canonical_json({"b": 1, "a": [1, {"d": 1, "c": 2}]}) == b'{"a":[1,{"c":2,"d":1}],"b":1}'


@given(st.text(), st.text())
def test_a_draw_lies_in_the_unit_interval(one: str, other: str) -> None:
    """And the same parts draw the same number."""
    assert 0.0 <= unit_interval(one, other) < 1.0
    assert unit_interval(one, other) == unit_interval(one, other)
