"""Intervals for proportions and their difference, and the check that the arms are as drawn.

Rates in a bank are small (0.5 to 5 %) and the control group is the small one. There the textbook
interval (Wald) covers the truth in as little as 70 % of experiments instead of 95. A difference
therefore has Agresti and Caffo's interval (one success and one failure added to each arm), which
covered it in 95.9 % of 15,000 simulated experiments (`bench/coverage_estimator.py`, ADR 0012), and
a single proportion Wilson's.

All results are in percentage points. Too little data is an answer, not an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dipper.kit.errors import BadInput

# The 97.5 % quantile of the normal distribution.
Z95 = 1.959963984540054

SUBJECTS_MIN = 100
CONVERSIONS_MIN = 10

# Below this probability the observed split of the arms is taken for a fault, as is usual: an
# experiment is looked at many times, and 0.05 would cry wolf.
MISMATCH_P = 0.001


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval, in the unit that its user states."""

    estimate: float
    low: float
    high: float

    def times(self, factor: float) -> Interval:
        """The interval of the same quantity in another unit; `factor` is not negative."""
        return Interval(self.estimate * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class NotEnough:
    """Not enough data yet: what is there and what would be needed."""

    subjects: int
    subjects_min: int
    conversions: int
    conversions_min: int


@dataclass(frozen=True, slots=True)
class ShareCheck:
    """Whether the arms have the sizes that their shares promise (sample ratio mismatch)."""

    chi_square: float
    p_value: float
    is_suspicious: bool


def proportion(conversions: int, subjects: int) -> Interval | NotEnough:
    """The rate in percentage points with Wilson's 95 % interval; NotEnough without subjects."""
    _check_counts(conversions, subjects)
    if subjects == 0:
        return NotEnough(0, 1, 0, 0)
    rate = conversions / subjects
    shrink = 1.0 + Z95**2 / subjects
    centre = (rate + Z95**2 / (2 * subjects)) / shrink
    half = Z95 / shrink * math.sqrt(rate * (1 - rate) / subjects + (Z95 / (2 * subjects)) ** 2)
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    return Interval(100 * rate, 100 * min(low, rate), 100 * max(high, rate))


def difference(
    conversions: int,
    subjects: int,
    base_conversions: int,
    base_subjects: int,
    *,
    subjects_min: int = SUBJECTS_MIN,
    conversions_min: int = CONVERSIONS_MIN,
) -> Interval | NotEnough:
    """Rate less base rate in percentage points, with Agresti and Caffo's 95 % interval.

    NotEnough when the smaller arm has fewer than `subjects_min`, or both arms together fewer
    than `conversions_min`. The limit is on the sum because a limit on one arm's conversions
    would pick the samples in which that arm did well.

    Source: Agresti, Caffo (2000), The American Statistician 54, 280-288.
    """
    _check_counts(conversions, subjects)
    _check_counts(base_conversions, base_subjects)
    smaller = min(subjects, base_subjects)
    together = conversions + base_conversions
    if smaller < max(subjects_min, 1) or together < conversions_min:
        return NotEnough(smaller, subjects_min, together, conversions_min)
    rate = (conversions + 1) / (subjects + 2)
    base = (base_conversions + 1) / (base_subjects + 2)
    half = Z95 * math.sqrt(
        rate * (1 - rate) / (subjects + 2) + base * (1 - base) / (base_subjects + 2)
    )
    return Interval(
        100 * (conversions / subjects - base_conversions / base_subjects),
        100 * max(rate - base - half, -1.0),
        100 * min(rate - base + half, 1.0),
    )


def share_check(counts: Sequence[int], shares: Sequence[float]) -> ShareCheck:
    """Pearson's chi-square of observed arm sizes against their shares (of any common scale).

    An arm whose share is 0 is left out, unless somebody is in it: then the check fails outright.
    Raises BadInput when the lengths differ or no share is above 0.
    """
    if len(counts) != len(shares) or not any(share > 0 for share in shares):
        raise BadInput(
            f"a share check wants one share above 0 for each of {len(counts)} arms, "
            f"got {list(shares)}.",
            where="shares",
        )
    if any(count > 0 and share == 0 for count, share in zip(counts, shares, strict=True)):
        return ShareCheck(math.inf, 0.0, True)
    kept = [(count, share) for count, share in zip(counts, shares, strict=True) if share > 0]
    total, whole = sum(count for count, _ in kept), sum(share for _, share in kept)
    if total == 0 or len(kept) == 1:
        return ShareCheck(0.0, 1.0, False)
    expected = [total * share / whole for _, share in kept]
    statistic = sum((c - e) ** 2 / e for (c, _), e in zip(kept, expected, strict=True))
    p_value = chi_square_tail(statistic, len(kept) - 1)
    return ShareCheck(statistic, p_value, p_value < MISMATCH_P)


def chi_square_tail(statistic: float, degrees: int) -> float:
    """The probability that chi-square with `degrees` ≥ 1 degrees of freedom exceeds a value ≥ 0.

    From the closed forms for one and two degrees, each two further degrees add one term.
    """
    if statistic < 0 or degrees < 1:
        raise BadInput(
            f"chi-square wants a value ≥ 0 and degrees ≥ 1, got {statistic} and {degrees}."
        )
    half = statistic / 2
    tail, done = (math.erfc(math.sqrt(half)), 1) if degrees % 2 else (math.exp(-half), 2)
    while done < degrees:
        if half > 0:
            tail += math.exp(done / 2 * math.log(half) - half - math.lgamma(done / 2 + 1))
        done += 2
    return min(tail, 1.0)


def _check_counts(conversions: int, subjects: int) -> None:
    if not 0 <= conversions <= subjects:
        raise BadInput(
            f"conversions must lie between 0 and the number of subjects {subjects}, "
            f"got {conversions}.",
            where="conversions",
        )
