"""Confirmed openings matched to the decisions that may have led to them.

The core tells of an opening with customer, product, date and place, and no decision id. Rule: an
opening belongs to the latest decision about the same subject that gave an offer of the same product
not longer before it than the window of that decision's policy. An opening that no decision offered
stays unmatched; it counts for conversion all the same, because uplift asks who opened, not who
clicked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Decided:
    """A decision as measuring sees it. `products` are those of the given offers, `would` those that
    another arm would have given; `passed` says that at least one offer passed all gates."""

    decision_id: str
    subject: str
    kind: str
    time_us: int
    arm: str
    policy: str
    placement: str
    scenario: str
    products: tuple[str, ...]
    would: tuple[str, ...]
    passed: bool


@dataclass(frozen=True)
class Opened:
    """A confirmed opening. `is_first` says that the subject held nothing before it."""

    subject: str
    kind: str
    product: str
    time_us: int
    is_first: bool
    channel: str | None = None
    org_unit: str | None = None
    staff: str | None = None


@dataclass(frozen=True)
class Matched:
    """An opening and its decision, or None."""

    opening: Opened
    decision: Decided | None


@dataclass(frozen=True)
class Matching:
    """All openings with their decisions, in the order of the openings."""

    rows: tuple[Matched, ...]

    @property
    def rate(self) -> float | None:
        """Matched openings / openings; None where there is no opening."""
        if not self.rows:
            return None
        return sum(row.decision is not None for row in self.rows) / len(self.rows)


def match(
    openings: Sequence[Opened], decisions: Iterable[Decided], windows_us: Mapping[str, int]
) -> Matching:
    """Match every opening by subject, product and window; `windows_us` has the one of each policy.

    A decision of a policy without a window matches nothing.
    """
    offered: dict[tuple[str, str], list[Decided]] = {}
    for decision in sorted(decisions, key=lambda d: (d.time_us, d.decision_id), reverse=True):
        for product in decision.products:
            offered.setdefault((decision.subject, product), []).append(decision)

    def led_to(opening: Opened) -> Decided | None:
        for decision in offered.get((opening.subject, opening.product), []):
            window_us = windows_us.get(decision.policy, -1)
            if 0 <= opening.time_us - decision.time_us <= window_us:
                return decision
        return None

    return Matching(tuple(Matched(opening, led_to(opening)) for opening in openings))


def last_click_claims(
    openings: Iterable[Opened], clicks: Iterable[tuple[str, int]], window_us: int
) -> int:
    """What last click claims: new customers whose first opening follows any click of theirs.

    `clicks` are (subject, time). This is the number that a click-based report shows; it counts
    those who would have come anyway.
    """
    clicked: dict[str, list[int]] = {}
    for subject, time_us in clicks:
        clicked.setdefault(subject, []).append(time_us)
    claimed = set()
    for opening in openings:
        if opening.is_first and any(
            0 <= opening.time_us - time_us <= window_us
            for time_us in clicked.get(opening.subject, [])
        ):
            claimed.add(opening.subject)
    return len(claimed)
