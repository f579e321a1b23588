"""What openings are worth, grouped by scenario and by org unit."""

from __future__ import annotations

from dataclasses import replace

from dipper.measure.confirmation import Decided, Matched, Opened
from dipper.measure.value import by_org_unit, by_scenario

DECISION = Decided("d", "ann", "person", 1, "treated", "p", "x", "bills", ("fund",), (), True)
ANN = Opened("ann", "person", "fund", 2, is_first=True, org_unit="o1")
BOB = Opened("bob", "person", "loan", 3, is_first=False, org_unit="o2")
WORTH = {"fund": 500, "loan": 300}


def test_scenarios_have_what_their_decisions_led_to() -> None:
    """Openings without a decision stand under no scenario; the most valuable comes first."""
    again = replace(ANN, product="loan", is_first=False)
    rows = [Matched(ANN, DECISION), Matched(again, DECISION), Matched(BOB, None)]
    first, rest = by_scenario(rows, WORTH)
    assert (first.key, first.openings, first.subjects, first.new_customers) == ("bills", 2, 1, 1)
    assert (first.value_fen, first.value_per_customer_fen) == (800, 800)
    assert (rest.key, rest.value_fen) == ("", 300)


def test_units_roll_up_where_a_tree_is_given() -> None:
    """Without one each unit stands for itself; what the tree does not know has no unit."""
    rows = [Matched(ANN, None), Matched(BOB, None), Matched(replace(BOB, org_unit=None), None)]
    assert [value.key for value in by_org_unit(rows, WORTH)] == ["o1", "", "o2"]
    rolled = by_org_unit(rows, WORTH, {"o1": "b1", "o2": "b1"})
    assert [(value.key, value.value_fen) for value in rolled] == [("b1", 800), ("", 300)]


def test_a_product_without_a_value_is_an_opening_all_the_same() -> None:
    """It counts, and is worth nothing."""
    (found,) = by_scenario([Matched(BOB, None)], {})
    assert (found.openings, found.value_fen) == (1, 0)
