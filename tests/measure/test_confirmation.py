"""Openings are matched to decisions by subject, product and window."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dipper.kit.clock import DAY_US
from dipper.measure.confirmation import Decided, Opened, last_click_claims, match

DECISION = Decided(
    decision_id="d1",
    subject="p1",
    kind="person",
    time_us=10 * DAY_US,
    arm="treated",
    policy="p",
    placement="x",
    scenario="bill_payment",
    products=("wealth.a",),
    would=(),
    passed=True,
)
OPENING = Opened("p1", "person", "wealth.a", 12 * DAY_US, is_first=True)
WINDOW = 14 * DAY_US
WINDOWS = {"p": WINDOW}


def test_an_opening_belongs_to_the_latest_decision_that_offered_its_product() -> None:
    """Earlier ones, other products and other subjects do not count."""
    later = replace(DECISION, decision_id="d2", time_us=11 * DAY_US)
    other = replace(DECISION, decision_id="d3", time_us=11 * DAY_US + 1, products=("loan.b",))
    stranger = replace(DECISION, decision_id="d4", time_us=11 * DAY_US + 1, subject="p2")
    found = match([OPENING], [later, DECISION, other, stranger], WINDOWS)
    assert found.rows[0].decision == later
    assert found.rate == 1.0


def test_a_decision_after_the_opening_or_before_the_window_does_not_match() -> None:
    """An opening cannot be the effect of what came later, nor of what is long past."""
    after = replace(DECISION, time_us=OPENING.time_us + 1)
    before = replace(DECISION, time_us=OPENING.time_us - WINDOW - 1)
    assert match([OPENING], [after], WINDOWS).rows[0].decision is None
    assert match([OPENING], [before], WINDOWS).rows[0].decision is None
    edge = replace(DECISION, time_us=OPENING.time_us - WINDOW)
    assert match([OPENING], [edge], WINDOWS).rows[0].decision == edge


def test_each_policy_has_its_own_window() -> None:
    """The latest decision is passed over where its policy looks ahead less far."""
    later = replace(DECISION, decision_id="d2", time_us=11 * DAY_US, policy="short")
    windows = {"p": WINDOW, "short": DAY_US - 1}
    assert match([OPENING], [DECISION, later], windows).rows[0].decision == DECISION


def test_what_a_control_arm_would_have_given_matches_nothing() -> None:
    """Control persons open by themselves."""
    control = replace(DECISION, arm="control", products=(), would=("wealth.a",))
    assert match([OPENING], [control], WINDOWS).rate == 0.0


def test_no_openings_have_no_rate() -> None:
    """Nothing divided by nothing is not zero."""
    assert match([], [DECISION], WINDOWS).rate is None


@given(st.permutations([replace(DECISION, decision_id=f"d{n}", time_us=n) for n in range(5)]))
def test_the_order_in_which_decisions_come_does_not_matter(decisions: list[Decided]) -> None:
    """Ties in time are broken by the id."""
    opening = replace(OPENING, time_us=10)
    assert match([opening], decisions, WINDOWS).rows[0].decision == max(
        decisions, key=lambda d: d.time_us
    )


def test_last_click_claims_everybody_who_clicked_before_a_first_opening() -> None:
    """Also those who would have come anyway; only first openings count."""
    second = replace(OPENING, subject="p2", is_first=False)
    clicks = [("p1", 11 * DAY_US), ("p2", 11 * DAY_US), ("p1", 1)]
    assert last_click_claims([OPENING, second], clicks, WINDOW) == 1
    assert last_click_claims([OPENING, second], [("p1", OPENING.time_us + 1)], WINDOW) == 0
