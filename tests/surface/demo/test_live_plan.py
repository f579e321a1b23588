"""What is planned for the live days, and what history holds before them."""

from __future__ import annotations

import numpy as np
import pytest

from dipper.kit.clock import DAY_US
from dipper.surface.demo.history import acts
from dipper.surface.demo.live_plan import (
    LIVE_DAYS,
    PLACEMENT_AFTER,
    STEP_US,
    STEPS,
    LiveAct,
    plan_acts,
    plan_openings,
)
from dipper.surface.demo.population import (
    Persons,
    make_organisations,
    make_persons,
    make_visitors,
)

START_US = 1_790_000_000_000_000
END_US = START_US + LIVE_DAYS * DAY_US


@pytest.fixture(scope="module")
def persons() -> Persons:
    return make_persons(3_000, np.random.default_rng(5))


@pytest.fixture(scope="module")
def steps(persons: Persons) -> list[list[LiveAct]]:
    draws = np.random.default_rng(6)
    everybody = {
        "person": persons,
        "visitor": make_visitors(300, draws),
        "organisation": make_organisations(200, persons, draws),
    }
    return plan_acts(everybody, START_US, 1_000, 1.0, draws)


def test_every_act_stands_in_its_step(steps: list[list[LiveAct]]) -> None:
    """In order of time; only some of those that may ask for a decision do."""
    assert len(steps) == STEPS
    for number, step in enumerate(steps):
        times = [act.time_us for act in step]
        assert times == sorted(times)
        assert all((time - START_US) // STEP_US == number for time in times)
    asking = [act for step in steps for act in step if act.placement]
    assert 850 < len(asking) < 1_150
    assert {act.kind for act in asking} == {"person", "visitor", "organisation"}
    assert all(act.placement == PLACEMENT_AFTER[act.event] for act in asking)


def test_only_who_agreed_takes_it_back(persons: Persons, steps: list[list[LiveAct]]) -> None:
    """A withdrawal comes from somebody whose consent stood, and nobody withdraws twice."""
    gone = [act.subject for step in steps for act in step if act.event == "consent_withdrawn"]
    assert gone
    assert len(gone) == len(set(gone))
    assert persons.has_agreed[gone].all()


def test_nobody_opens_what_they_hold(persons: Persons) -> None:
    """Every existing customer holds a savings account, so only others plan to open one."""
    found = plan_openings(
        persons, "person", {"deposit.savings": "saving"}, START_US, np.random.default_rng(7)
    )
    assert found
    assert not persons.is_existing[[opening.subject for opening in found]].any()
    assert {opening.at_counter for opening in found} == {True, False}
    assert all(START_US <= opening.time_us < END_US for opening in found)


def test_a_hospital_fee_follows_an_appointment(persons: Persons) -> None:
    """Of the same person, and most appointments have one."""
    found = acts(persons, START_US, START_US + 30 * DAY_US, 1.0, np.random.default_rng(8))
    made, paid = found["appointment_made"], found["hospital_fee_paid"]
    assert 0.7 * len(made[0]) < len(paid[0]) < len(made[0])
    for who, when in zip(*paid, strict=True):
        assert made[1][made[0] == who].min() <= when


def test_organisations_act_only_in_their_scenarios() -> None:
    """A supplier without a till takes no sales, a shop without the portal uploads no invoices."""
    draws = np.random.default_rng(9)
    firms = make_organisations(400, make_persons(400, draws), draws)
    found = acts(firms, START_US, END_US, 1.0, draws)
    assert firms.has_till[found["sale_taken"][0]].all()
    assert firms.has_portal[found["invoice_uploaded"][0]].all()
    assert 0 < (firms.has_till & firms.has_portal).sum() < 200
