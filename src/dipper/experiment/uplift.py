"""What a policy brought, by intention to treat.

In the denominator is everybody who had at least one offer that passed all gates: in the control
group those who would have got one, whether or not a treated person ever looked at theirs. In the
numerator are confirmed openings by any channel. So the two groups differ by the draw alone, and a
customer who would have come anyway counts in neither's favour. Existing customers are counted
apart: for them an opening is a further product, not a new customer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dipper.experiment.arms import ARMS, Arm, Shares
from dipper.experiment.intervals import (
    Interval,
    NotEnough,
    ShareCheck,
    difference,
    proportion,
    share_check,
)


@dataclass(frozen=True, slots=True)
class Row:
    """A subject with a passed offer: its arm, whether it was a customer then, and if it opened."""

    subject: str
    arm: Arm
    is_existing_customer: bool
    converted: bool


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm: subjects, those who converted, and the rate in percentage points."""

    subjects: int
    conversions: int
    rate: Interval | NotEnough


@dataclass(frozen=True, slots=True)
class Uplift:
    """Treated against control, and placebo against control.

    `uplift` and `placebo_effect` are in percentage points, `incremental_customers` in customers:
    the uplift times the number of treated subjects.
    """

    treated: ArmResult
    control: ArmResult
    placebo: ArmResult
    uplift: Interval | NotEnough
    incremental_customers: Interval | NotEnough
    placebo_effect: Interval | NotEnough
    shares: ShareCheck

    @property
    def enough(self) -> bool:
        """Whether there is data enough to say what the policy brought."""
        return isinstance(self.uplift, Interval)


@dataclass(frozen=True, slots=True)
class Readout:
    """The experiment read out: new-to-bank and existing customers apart.

    `subjects_in_two_arms` counts subjects that left the readout because a merge of identities
    brought together two assignments.
    """

    new: Uplift
    existing: Uplift
    subjects_in_two_arms: int


def estimate(rows: Iterable[Row], shares: Shares) -> Readout:
    """The readout of an experiment over its rows, in any order.

    Several rows of one subject count as one: converted when any of them is, and an existing
    customer only when all of them say so (who converts is a customer in the later rows).
    """
    subjects: dict[str, Row] = {}
    in_two_arms: set[str] = set()
    for row in rows:
        known = subjects.get(row.subject)
        if known is None:
            subjects[row.subject] = row
        elif known.arm != row.arm:
            in_two_arms.add(row.subject)
        else:
            subjects[row.subject] = Row(
                row.subject,
                row.arm,
                known.is_existing_customer and row.is_existing_customer,
                known.converted or row.converted,
            )
    kept = [row for subject, row in subjects.items() if subject not in in_two_arms]
    return Readout(
        new=_uplift([row for row in kept if not row.is_existing_customer], shares),
        existing=_uplift([row for row in kept if row.is_existing_customer], shares),
        subjects_in_two_arms=len(in_two_arms),
    )


def _uplift(rows: list[Row], shares: Shares) -> Uplift:
    arms = {arm: _arm_result([row for row in rows if row.arm == arm]) for arm in ARMS}
    treated, control, placebo = arms["treated"], arms["control"], arms["placebo"]
    uplift = _against(treated, control)
    return Uplift(
        treated=treated,
        control=control,
        placebo=placebo,
        uplift=uplift,
        incremental_customers=(
            uplift.times(treated.subjects / 100) if isinstance(uplift, Interval) else uplift
        ),
        placebo_effect=_against(placebo, control),
        shares=share_check(
            [arms[arm].subjects for arm in ARMS], [shares.by_arm()[arm] for arm in ARMS]
        ),
    )


def _arm_result(rows: list[Row]) -> ArmResult:
    conversions = sum(row.converted for row in rows)
    return ArmResult(len(rows), conversions, proportion(conversions, len(rows)))


def _against(arm: ArmResult, base: ArmResult) -> Interval | NotEnough:
    return difference(arm.conversions, arm.subjects, base.conversions, base.subjects)
