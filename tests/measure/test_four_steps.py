"""Each step is counted within the one before."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dipper.measure.four_steps import FourSteps, four_steps
from dipper.measure.lifecycle import Facts

FACTS = Facts("p", True, True, True, False, 0, False, frozenset(), 0, None, None)


def test_each_step_has_its_condition() -> None:
    """A customer without consent is reached, and no user."""
    people = [
        replace(FACTS, is_identified=False),
        replace(FACTS, has_consented=False, lines=frozenset({"loan"})),
        replace(FACTS, has_tag=False),
        FACTS,
        replace(FACTS, lines=frozenset({"loan"}), is_existing=True),
        replace(FACTS, lines=frozenset({"loan", "fund"})),
    ]
    assert four_steps(people) == FourSteps(6, 4, 3, 2, 1, 1)


PEOPLE = st.lists(
    st.builds(
        Facts,
        subject=st.just("p"),
        is_identified=st.booleans(),
        has_consented=st.booleans(),
        has_tag=st.booleans(),
        has_clicked=st.booleans(),
        active_days_30=st.integers(0, 5),
        has_applied=st.booleans(),
        lines=st.frozensets(st.sampled_from(["loan", "fund", "card"])),
        open_accounts=st.integers(0, 3),
        last_core_us=st.none(),
        last_event_us=st.none(),
        is_existing=st.booleans(),
    )
)


@given(PEOPLE)
def test_no_step_has_more_than_the_one_before(people: list[Facts]) -> None:
    """So that it can be drawn as a funnel."""
    found = four_steps(people)
    steps = [found.reached, found.users, found.tagged, found.customers, found.deepened]
    assert steps == sorted(steps, reverse=True)
    assert found.new_customers <= found.customers
