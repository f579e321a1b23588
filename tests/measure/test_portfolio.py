"""Scenarios side by side: each counts its own people, decisions and openings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dipper.experiment.arms import Shares
from dipper.measure.activity import InScenario
from dipper.measure.confirmation import Decided, Opened, match
from dipper.measure.history import Period
from dipper.measure.lifecycle import Facts
from dipper.measure.portfolio import Evidence, Measured, Scenario, measure

LIVE = Period(1_000, 2_000)
USER = Facts("ann", True, True, True, False, 3, False, frozenset(), 0, None, 1_500)
DECISION = Decided("d1", "ann", "person", 1_100, "treated", "p", "x", "bills", ("fund",), (), True)
OPENING = Opened("ann", "person", "fund", 1_200, is_first=True)
SCENARIOS = [
    Scenario("bills", "person"),
    Scenario("rides", "person"),
    Scenario("till", "organisation"),
]


def seen(subject: str, scenario: str, kind: str = "person", **fields: bool) -> InScenario:
    known = {"is_active_30": True, "in_cohort": False, "has_returned": False}
    return InScenario(kind, subject, scenario, **(known | fields))


@pytest.fixture
def measured() -> dict[str, Measured]:
    """Ann paid bills and became a customer by an offer there; Bob takes rides; a shop sells."""
    bob = replace(DECISION, decision_id="d2", subject="bob", scenario="rides", arm="control",
                  products=())  # fmt: skip
    again = replace(DECISION, decision_id="d3", time_us=1_300, scenario="rides", products=())
    decisions = [DECISION, bob, again]
    facts = {
        ("person", "ann"): replace(USER, lines=frozenset({"wealth"}), open_accounts=1),
        ("person", "bob"): replace(USER, subject="bob"),
        ("organisation", "shop"): replace(USER, subject="shop", has_consented=False),
        ("device", "d7"): replace(USER, subject="d7", is_identified=False, has_consented=False),
    }
    evidence = Evidence(
        period=LIVE,
        facts=facts,
        activity=[
            seen("ann", "bills", in_cohort=True, has_returned=True),
            seen("ann", "rides", is_active_30=False),
            seen("bob", "rides", in_cohort=True),
            seen("shop", "till", "organisation"),
            seen("d7", "rides", "device"),
        ],
        decisions=decisions,
        openings=[OPENING],
        matched=match([OPENING], decisions, {"p": 1_000}).rows,
        customer_since={("person", "ann"): 1_200},
        value_of={"fund": 900},
        shares={"p": Shares()},
        withdrawn=frozenset({("person", "bob")}),
        key_groups=frozenset({("person", "ann")}),
        known_kinds=frozenset({"person"}),
    )
    return {one.scenario.name: one for one in measure(SCENARIOS, evidence)}


def test_everybody_ever_active_is_reached(measured: dict[str, Measured]) -> None:
    """A person may be in several scenarios; a device of nobody known is reached among persons and
    is no user, nor is a shop without consent."""
    assert [measured[name].steps.reached for name in ("bills", "rides", "till")] == [1, 3, 1]
    assert (measured["rides"].steps.users, measured["till"].steps.users) == (2, 0)
    assert measured["bills"].steps.customers == 1


def test_value_belongs_to_the_scenario_whose_decision_led_to_it(
    measured: dict[str, Measured],
) -> None:
    """Elsewhere the customer is known and brings nothing."""
    assert (measured["bills"].value.value_fen, measured["rides"].value.value_fen) == (900, 0)


def test_counts_are_those_of_the_scenario(measured: dict[str, Measured]) -> None:
    """Active within 30 days, cohort, key groups, withdrawals, eligible new users."""
    bills, rides, till = (measured[name].facts for name in ("bills", "rides", "till"))
    assert (bills.monthly_active, bills.key_groups_served, bills.complaints) == (1, 1, 0)
    assert (rides.monthly_active, rides.key_groups_served, rides.complaints) == (1, 0, 1)
    assert till.key_groups_served is None
    assert (rides.cohort_size, rides.cohort_returned) == (1, 0)
    assert (bills.eligible_users, bills.new_customers) == (1, 1)
    assert (rides.eligible_users, rides.new_customers) == (2, 1)


def test_a_subject_is_read_out_where_it_met_the_policy_first(
    measured: dict[str, Measured],
) -> None:
    """Ann's ride after her bill does not make her a subject of both; no policy, no readout."""
    bills, rides = measured["bills"].readout, measured["rides"].readout
    assert bills is not None
    assert rides is not None
    assert (bills.new.treated.subjects, bills.new.treated.conversions) == (1, 1)
    assert (rides.new.treated.subjects, rides.new.control.subjects) == (0, 1)
    assert measured["till"].readout is None
