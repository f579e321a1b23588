"""The arms of a policy."""

from __future__ import annotations

import pytest

from dipper.experiment.arms import Shares, assign
from dipper.kit.errors import BadInput


@pytest.mark.parametrize(
    ("shares", "arm"),
    [
        (Shares(1000, 0, 0), "treated"),
        (Shares(0, 1000, 0), "control"),
        (Shares(0, 0, 1000), "placebo"),
    ],
)
def test_whole_share_takes_everybody(shares: Shares, arm: str) -> None:
    """An arm with all parts gets every subject, the ends of the interval included."""
    assert {assign(f"customer_no:{n}", "learned", shares) for n in range(500)} == {arm}


def test_assignment_is_fixed_for_ever() -> None:
    """These arms were once told to people: a change of the hash would break running experiments."""
    arms = [assign(f"customer_no:C{n}", "learned", Shares(500, 300, 200)) for n in range(8)]
    assert arms == [
        *("control", "control", "placebo", "placebo"),
        *("control", "treated", "treated", "control"),
    ]


@pytest.mark.parametrize("parts", [(700, 200, 99), (1100, -100, 0), (0, 0, 0)])
def test_shares_must_sum_to_a_thousand(parts: tuple[int, int, int]) -> None:
    """Shares that do not sum to 1000, or are negative, are refused with the sum that came."""
    with pytest.raises(BadInput, match=f"= {sum(parts)}"):
        Shares(*parts)
