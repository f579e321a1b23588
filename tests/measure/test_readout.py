"""Who is counted, in which arm, and as what."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dipper.experiment.arms import Shares
from dipper.experiment.uplift import Row
from dipper.kit.clock import DAY_US
from dipper.measure.confirmation import Decided, Opened
from dipper.measure.history import Period
from dipper.measure.readout import read_out, rows

START = 100 * DAY_US
LIVE = Period(START, START + 2 * DAY_US)
DECISION = Decided(
    decision_id="d1",
    subject="ann",
    kind="person",
    time_us=START + 10,
    arm="treated",
    policy="p",
    placement="x",
    scenario="bills",
    products=("fund",),
    would=(),
    passed=True,
)
OPENING = Opened("ann", "person", "fund", START + 20, is_first=True)
ANN = ("person", "ann")


def test_a_subject_is_counted_in_the_arm_of_its_first_passed_decision() -> None:
    """Whether or not anything came of it."""
    assert rows([DECISION], [], {}, LIVE) == [Row("ann", "treated", False, False)]


def test_decisions_without_a_passed_offer_count_nobody() -> None:
    """Nor do those outside of the period or about nobody."""
    left_out = [
        replace(DECISION, passed=False),
        replace(DECISION, time_us=LIVE.end_us + 1),
        replace(DECISION, time_us=LIVE.start_us - 1),
        replace(DECISION, subject=""),
    ]
    assert rows(left_out, [OPENING], {}, LIVE) == []


def test_an_opening_through_any_channel_converts() -> None:
    """Of any product, whatever the arm, but not after the end of the period."""
    control = replace(DECISION, arm="control", products=())
    counter = replace(OPENING, product="loan", channel="counter")
    assert rows([control], [counter], {}, LIVE) == [Row("ann", "control", False, True)]
    late = replace(OPENING, time_us=LIVE.end_us + 1)
    assert rows([control], [late], {}, LIVE) == [Row("ann", "control", False, False)]


def test_who_was_a_customer_at_the_first_decision_is_an_existing_one() -> None:
    """An opening before the decision is no effect of it; a further one converts."""
    since = {ANN: START + 5}
    before = replace(OPENING, time_us=START + 5)
    assert rows([DECISION], [before], since, LIVE) == [Row("ann", "treated", True, False)]
    assert rows([DECISION], [before, OPENING], since, LIVE) == [Row("ann", "treated", True, True)]


def test_another_arm_after_the_conversion_changes_nothing() -> None:
    """The opening binds ids that were in two arms; the subject stays where it was first."""
    after = replace(DECISION, decision_id="d2", arm="control", time_us=OPENING.time_us + 1)
    found = rows([DECISION, after], [OPENING], {ANN: OPENING.time_us}, LIVE)
    assert found == [Row("ann", "treated", False, True)]


def test_two_arms_before_any_conversion_leave_the_readout() -> None:
    """A merge of ids brought two assignments together."""
    other = replace(DECISION, decision_id="d2", arm="control", time_us=START + 15)
    found = read_out([DECISION, other], [OPENING], {}, LIVE, {"p": Shares()})["p"]
    assert found.subjects_in_two_arms == 1
    assert found.new.treated.subjects == found.new.control.subjects == 0


def test_policies_are_read_out_apart() -> None:
    """A decision of one policy is no row of another."""
    other = replace(DECISION, policy="q", arm="control")
    found = read_out([DECISION, other], [], {}, LIVE, {"p": Shares(), "q": Shares()})
    assert (found["p"].new.treated.subjects, found["p"].new.control.subjects) == (1, 0)
    assert (found["q"].new.treated.subjects, found["q"].new.control.subjects) == (0, 1)


@given(st.permutations([replace(DECISION, decision_id=f"d{n}", time_us=START + n) for n in (1, 2)]))
def test_the_order_of_decisions_does_not_matter(decisions: list[Decided]) -> None:
    """The first is first by time."""
    between = replace(OPENING, time_us=START + 1)
    assert rows(decisions, [between], {}, LIVE) == [Row("ann", "treated", False, True)]
