"""The sheet says what is known, and of the rest what it waits for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from dipper.experiment.arms import Shares
from dipper.experiment.uplift import Row, Uplift, estimate
from dipper.measure.evaluation import Indicator, Means, ScenarioFacts, means_of, sheet, shrunk

FACTS = ScenarioFacts(
    scenario="bills",
    monthly_active=1_000,
    key_groups_served=50,
    cohort_size=200,
    cohort_returned=100,
    eligible_users=400,
    new_customers=20,
    value_fen=500_000,
    converted_customers=25,
    complaints=3,
)
MEANS = Means(retention=0.3, conversion=0.1)
IDS = {f"GBCF-{group}{n}" for group, count in {"G": 5, "B": 5, "C": 6, "F": 6}.items()
       for n in range(1, count + 1)}  # fmt: skip


def by_id(facts: ScenarioFacts, means: Means = MEANS) -> dict[str, Indicator]:
    return {row.id: row for row in sheet(facts, means)}


def uplift(treated: int, control: int) -> Uplift:
    """Of 1,000 and 300 subjects so many converted."""
    rows = [Row(f"t{n}", "treated", False, n < treated) for n in range(1_000)]
    rows += [Row(f"c{n}", "control", False, n < control) for n in range(300)]
    return estimate(rows, Shares()).new


def test_all_indicators_stand_in_order() -> None:
    """G, B, C, F, each with a value or with what it waits for, in both languages."""
    rows = sheet(FACTS, MEANS)
    assert {row.id for row in rows} == IDS
    assert [row.id[5] for row in rows] == sorted((row.id[5] for row in rows), key="GBCF".index)
    for row in rows:
        assert (row.value is None) == bool(row.waits_zh) == bool(row.waits_en), row.id


def test_what_can_be_computed_is() -> None:
    """Rates are drawn to the mean of all scenarios; value in yuan, complaints a ten thousand."""
    rows = by_id(FACTS)
    assert rows["GBCF-C1"].value == pytest.approx(math.log(1_001))
    assert rows["GBCF-C2"].value == pytest.approx(100 * (100 + 30 * 0.3) / 230)
    assert rows["GBCF-C3"].value == pytest.approx(100 * (20 + 30 * 0.1) / 430)
    assert rows["GBCF-C5"].value == 200.0
    assert rows["GBCF-C6"].value == 30.0
    assert rows["GBCF-G5"].value == 5.0


def test_an_increment_needs_a_control_group() -> None:
    """With one it has its interval; with few subjects it waits."""
    found = by_id(replace(FACTS, uplift=uplift(100, 10)))["GBCF-C4"]
    assert found.value == pytest.approx(10 - 10 / 3)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    few = estimate([Row("a", "treated", False, True)], Shares()).new
    assert by_id(replace(FACTS, uplift=few))["GBCF-C4"].value is None
    assert by_id(FACTS)["GBCF-C4"].waits_en == "a control group of enough subjects"


def test_a_scenario_without_anybody_waits_and_divides_nothing_by_nothing() -> None:
    """Zero active persons have zero activity, and no rate."""
    nobody = ScenarioFacts("new", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    rows = by_id(nobody, means_of([nobody]))
    assert {id_ for id_, row in rows.items() if row.value is not None} == {"GBCF-C1"}


def test_cases_completed_online_are_counted_where_there_are_cases() -> None:
    """None known is not none completed."""
    assert by_id(FACTS)["GBCF-G2"].value is None
    some = replace(FACTS, submitted_cases=40, completed_cases=30)
    assert by_id(some)["GBCF-G2"].value == 75.0


def test_small_rates_are_drawn_to_the_mean_and_large_ones_hardly() -> None:
    """Three of four do not outrank three thousand of five thousand."""
    assert shrunk(3, 4, 0.3) < shrunk(3_000, 5_000, 0.3)
    assert shrunk(3_000, 5_000, 0.3) == pytest.approx(0.6, abs=0.01)


def test_the_mean_weighs_scenarios_by_their_persons() -> None:
    """Of 300 in all cohorts 110 returned."""
    small = replace(FACTS, cohort_size=100, cohort_returned=10, eligible_users=0, new_customers=0)
    found = means_of([FACTS, small])
    assert found.retention == pytest.approx(110 / 300)
    assert found.conversion == pytest.approx(20 / 400)
