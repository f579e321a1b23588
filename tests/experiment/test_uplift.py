"""Uplift by intention to treat."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from dipper.experiment.arms import ARMS, Arm, Shares
from dipper.experiment.intervals import Interval, NotEnough, difference
from dipper.experiment.uplift import Row, estimate


def arm_rows(arm: Arm, subjects: int, conversions: int, existing: bool = False) -> list[Row]:
    """Subjects of one arm, the first of whom converted."""
    kind = "existing" if existing else "new"
    return [
        Row(f"{kind}-{arm}-{n}", arm, existing, converted=n < conversions) for n in range(subjects)
    ]


def test_everybody_assigned_is_in_the_denominator() -> None:
    """Rates are over all rows of an arm, and incremental customers are uplift × treated."""
    rows = arm_rows("treated", 7000, 350) + arm_rows("control", 2000, 60)
    rows += arm_rows("placebo", 1000, 31)
    new = estimate(rows, Shares()).new
    assert (new.treated.subjects, new.treated.conversions) == (7000, 350)
    assert isinstance(new.treated.rate, Interval)
    assert new.treated.rate.estimate == 5.0
    assert new.enough
    assert new.uplift == difference(350, 7000, 60, 2000)
    assert new.placebo_effect == difference(31, 1000, 60, 2000)
    assert isinstance(new.uplift, Interval)
    assert isinstance(new.incremental_customers, Interval)
    assert round(new.incremental_customers.estimate, 9) == 350 - 7000 * 60 / 2000
    assert new.incremental_customers.low == new.uplift.low * 70
    assert new.shares.p_value == 1.0


def test_existing_customers_are_counted_apart() -> None:
    """An existing customer's further product moves the other readout only."""
    new = arm_rows("treated", 700, 35) + arm_rows("control", 200, 6)
    existing = arm_rows("treated", 300, 90, existing=True)
    alone = estimate(new, Shares())
    both = estimate(new + existing, Shares())
    assert both.new == alone.new
    assert both.existing.treated.conversions == 90
    assert not both.existing.enough


def test_too_little_data_is_said() -> None:
    """With an empty control group there is no uplift, no incremental customer, and enough is no."""
    readout = estimate(arm_rows("treated", 50, 5), Shares()).new
    assert readout.uplift == NotEnough(0, 100, 5, 10)
    assert readout.incremental_customers == readout.uplift
    assert isinstance(readout.control.rate, NotEnough)
    assert not readout.enough


def test_subject_with_several_rows_counts_once() -> None:
    """Two decisions of one person are one subject, converted if either row says so, new if either
    says new: who converts is a customer afterwards."""
    rows = [Row("p", "treated", False, False), Row("p", "treated", True, True)]
    readout = estimate(rows, Shares())
    assert (readout.new.treated.subjects, readout.new.treated.conversions) == (1, 1)
    assert readout.existing.treated.subjects == 0


def test_subject_in_two_arms_leaves_the_readout() -> None:
    """A merge that brings two assignments together takes the subject out, and says so."""
    rows = [*arm_rows("control", 3, 1), Row("new-control-0", "treated", False, True)]
    readout = estimate(rows, Shares())
    assert readout.subjects_in_two_arms == 1
    assert readout.new.control.subjects == 2
    assert readout.new.treated.subjects == 0


def test_missing_subjects_show_in_the_share_check() -> None:
    """Where the control group lost people, the sizes no longer fit the shares."""
    rows = arm_rows("treated", 7000, 10) + arm_rows("control", 1700, 10)
    rows += arm_rows("placebo", 1000, 5)
    assert estimate(rows, Shares()).new.shares.is_suspicious


ROWS = st.lists(
    st.builds(Row, st.sampled_from("abcdefgh"), st.sampled_from(ARMS), st.booleans(), st.booleans())
)


@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows: list[Row], shuffler: random.Random) -> None:
    """Any order of the rows gives the same readout; no subject is lost or counted twice."""
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    readout = estimate(rows, Shares())
    assert readout == estimate(shuffled, Shares())
    counted = sum(
        getattr(part, arm).subjects for part in (readout.new, readout.existing) for arm in ARMS
    )
    assert counted + readout.subjects_in_two_arms == len({row.subject for row in rows})
