"""Assignment by hash: deterministic, in proportion, stable when shares change, independent."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipper.experiment.arms import ARMS, Shares, assign
from dipper.experiment.intervals import chi_square_tail, share_check

SUBJECTS = [f"customer_no:C{n:06d}" for n in range(20_000)]
POLICIES = ("learned", "random", "首页推荐", "bill_payment", "a", "b")


@st.composite
def shares(draw: st.DrawFn) -> Shares:
    """Any shares that sum to 1000."""
    control = draw(st.integers(0, 1000))
    placebo = draw(st.integers(0, 1000 - control))
    return Shares(1000 - control - placebo, control, placebo)


@given(st.text(), st.text(), shares())
def test_same_question_same_arm(subject: str, policy: str, parts: Shares) -> None:
    """The arm depends on subject, policy and shares only, and has a share above 0."""
    arm = assign(subject, policy, parts)
    assert arm == assign(subject, policy, Shares(parts.treated, parts.control, parts.placebo))
    assert parts.by_arm()[arm] > 0


@given(st.text(), st.text(), shares(), st.data())
def test_larger_control_moves_only_treated(
    subject: str, policy: str, before: Shares, data: st.DataObject
) -> None:
    """When control grows at the cost of treated, a subject stays or leaves treated for it."""
    more = data.draw(st.integers(0, before.treated))
    after = Shares(before.treated - more, before.control + more, before.placebo)
    moved = (assign(subject, policy, before), assign(subject, policy, after))
    assert moved[0] == moved[1] or moved == ("treated", "control")


@given(st.text(), st.text(), shares(), st.data())
def test_larger_placebo_moves_only_treated(
    subject: str, policy: str, before: Shares, data: st.DataObject
) -> None:
    """When placebo grows at the cost of treated, a subject stays or leaves treated for it."""
    more = data.draw(st.integers(0, before.treated))
    after = Shares(before.treated - more, before.control, before.placebo + more)
    moved = (assign(subject, policy, before), assign(subject, policy, after))
    assert moved[0] == moved[1] or moved == ("treated", "placebo")


@pytest.mark.parametrize("policy", POLICIES)
def test_shares_hold(policy: str) -> None:
    """Each arm gets its share, within five standard deviations and by the share check."""
    parts = Shares()
    counts = Counter(assign(subject, policy, parts) for subject in SUBJECTS)
    for arm, share in parts.by_arm().items():
        chance = share / 1000
        deviation = math.sqrt(len(SUBJECTS) * chance * (1 - chance))
        assert abs(counts[arm] - len(SUBJECTS) * chance) < 5 * deviation
    check = share_check([counts[arm] for arm in ARMS], list(parts.by_arm().values()))
    assert not check.is_suspicious


@pytest.mark.parametrize(("one", "other"), list(pairwise(POLICIES)))
def test_policies_draw_independently(one: str, other: str) -> None:
    """The arm under one policy says nothing about the arm under another (chi-square, 4 degrees)."""
    parts = Shares(400, 300, 300)
    pairs = Counter(
        (assign(subject, one, parts), assign(subject, other, parts)) for subject in SUBJECTS
    )
    ones = {arm: sum(pairs[arm, b] for b in ARMS) for arm in ARMS}
    others = {arm: sum(pairs[a, arm] for a in ARMS) for arm in ARMS}
    statistic = 0.0
    for a, b in product(ARMS, ARMS):
        expected = ones[a] * others[b] / len(SUBJECTS)
        statistic += (pairs[a, b] - expected) ** 2 / expected
    assert chi_square_tail(statistic, 4) > 1e-5
