"""Intervals for rates and differences, and the check of the arms' sizes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipper.experiment.intervals import (
    CONVERSIONS_MIN,
    SUBJECTS_MIN,
    Z95,
    Interval,
    NotEnough,
    chi_square_tail,
    difference,
    proportion,
    share_check,
)
from dipper.kit.errors import BadInput

COUNTS = st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LARGE = st.integers(100, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_wilson_solves_its_equation(counts: tuple[int, int]) -> None:
    """The observed rate is 1.96 deviations away from each end of its interval."""
    conversions, subjects = counts
    found = proportion(conversions, subjects)
    assert isinstance(found, Interval)
    assert 0 <= found.low <= found.estimate <= found.high <= 100
    observed = conversions / subjects
    for end in (found.low / 100, found.high / 100):
        if 0 < end < 1:
            deviation = math.sqrt(end * (1 - end) / subjects)
            assert abs(observed - end) == pytest.approx(Z95 * deviation, rel=1e-6)


def test_rate_of_nobody_is_not_enough() -> None:
    """Without subjects there is no rate, and that is an answer."""
    assert proportion(0, 0) == NotEnough(0, 1, 0, 0)


def test_difference_is_agresti_caffo() -> None:
    """300 of 7,000 against 60 of 2,000: 1.29 points, and the interval computed by hand."""
    found = difference(300, 7000, 60, 2000)
    assert isinstance(found, Interval)
    rate, base = 301 / 7002, 61 / 2002
    half = 1.959964 * math.sqrt(rate * (1 - rate) / 7002 + base * (1 - base) / 2002)
    assert found.estimate == pytest.approx(100 * (300 / 7000 - 60 / 2000))
    assert found.low == pytest.approx(100 * (rate - base - half))
    assert found.high == pytest.approx(100 * (rate - base + half))


@given(LARGE, LARGE)
def test_difference_holds_its_estimate_and_turns_with_its_arms(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    """The estimate lies inside its interval, and swapping the arms changes only the signs."""
    found = difference(*one, *other, conversions_min=0)
    turned = difference(*other, *one, conversions_min=0)
    assert isinstance(found, Interval)
    assert isinstance(turned, Interval)
    assert -100 <= found.low <= found.estimate <= found.high <= 100
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (-turned.estimate, -turned.high, -turned.low)
    )


@pytest.mark.parametrize(
    ("counts", "is_enough"),
    [
        ((9, 700, 1, 200), True),
        ((9, 700, 0, 200), False),
        ((9, 700, 9, 99), False),
        ((9, 99, 9, 700), False),
        ((0, 0, 0, 0), False),
        ((10, 100, 0, 100), True),
    ],
)
def test_little_data_is_an_answer(counts: tuple[int, int, int, int], is_enough: bool) -> None:
    """Few subjects in the smaller arm or few conversions in both give NotEnough."""
    found = difference(*counts)
    assert isinstance(found, Interval) == is_enough
    if not is_enough:
        assert found == NotEnough(
            min(counts[1], counts[3]), SUBJECTS_MIN, counts[0] + counts[2], CONVERSIONS_MIN
        )


@pytest.mark.parametrize("counts", [(3, 2), (-1, 2)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    """More conversions than subjects, or fewer than none, is an error of the caller."""
    with pytest.raises(BadInput, match=f"got {counts[0]}"):
        proportion(*counts)


@pytest.mark.parametrize(
    ("statistic", "degrees", "tail"),
    [
        # Percentage points as printed in the usual tables.
        (3.841, 1, 0.05),
        (6.635, 1, 0.01),
        (5.991, 2, 0.05),
        (7.815, 3, 0.05),
        (13.816, 2, 0.001),
        (18.307, 10, 0.05),
        (24.996, 15, 0.05),
        (0.0, 1, 1.0),
        (0.0, 5, 1.0),
    ],
)
def test_chi_square_tail_agrees_with_the_tables(
    statistic: float, degrees: int, tail: float
) -> None:
    """The tail probability is that of the printed tables."""
    assert chi_square_tail(statistic, degrees) == pytest.approx(tail, rel=2e-3)


def test_arms_of_the_right_size_pass() -> None:
    """7,050 : 1,980 : 970 is what 70 : 20 : 10 may give."""
    check = share_check([7050, 1980, 970], [700, 200, 100])
    assert check.chi_square == pytest.approx(50**2 / 7000 + 20**2 / 2000 + 30**2 / 1000)
    assert check.p_value == pytest.approx(math.exp(-check.chi_square / 2))
    assert not check.is_suspicious


def test_arms_of_a_wrong_size_are_suspicious() -> None:
    """A control group that lost a tenth of its subjects is found at 10,000 subjects."""
    assert share_check([7000, 1800, 1000], [700, 200, 100]).is_suspicious


def test_subjects_in_an_arm_without_share_are_suspicious() -> None:
    """An arm with share 0 plays no part, but nobody may be in it."""
    assert share_check([70, 30, 0], [70, 30, 0]).p_value == 1.0
    assert share_check([70, 30, 1], [70, 30, 0]).is_suspicious


def test_one_arm_or_nobody_cannot_mismatch() -> None:
    """With one arm, or before anybody is assigned, there is nothing to compare."""
    assert share_check([500], [1000]).p_value == 1.0
    assert share_check([0, 0], [500, 500]).p_value == 1.0


def test_share_check_needs_shares() -> None:
    """Shares of another number of arms, or all 0, are refused."""
    with pytest.raises(BadInput):
        share_check([1, 2], [1000])
    with pytest.raises(BadInput):
        share_check([0, 0], [0, 0])
