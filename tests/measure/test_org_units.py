"""Outlets roll up to their branch, however deep the tree."""

from __future__ import annotations

from dipper.measure.org_units import ancestors_at

PARENTS = {"head": None, "b1": "head", "o1": "b1", "desk": "o1", "b2": "head", "lost": "gone"}
LEVELS = {"head": "head", "b1": "branch", "b2": "branch", "o1": "outlet", "desk": "outlet"}


def test_every_unit_finds_the_branch_above_it() -> None:
    """A branch is its own; head office and what hangs in the air have none."""
    found = ancestors_at("branch", PARENTS, LEVELS)
    assert found == {"b1": "b1", "o1": "b1", "desk": "b1", "b2": "b2"}


def test_a_circle_ends() -> None:
    """A table may be wrong; nobody waits for ever."""
    assert ancestors_at("branch", {"a": "b", "b": "a"}, {}) == {}
