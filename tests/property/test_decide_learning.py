"""Learning depends on the set of records, not on how they came."""

from __future__ import annotations

from typing import Any

from decide_bank import bank
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.decide.learning import choice_of, learner_of
from dipper.kit.clock import DAY_US

DECIDER = bank.decider()
PERSON = bank.Person(key=bank.key_in("treated", DECIDER.place("result").policy))
CHOICES = [
    choice_of(
        DECIDER,
        bank.ask(
            DECIDER, PERSON, decision_id=f"d-{at}", draw=at / 8, now_us=bank.NOW_US + at * DAY_US
        ).trace,
    )
    for at in range(8)
]

outcomes = st.tuples(
    st.integers(0, 7),
    st.integers(0, 1),
    st.sampled_from(["shown", "clicked", "dismissed", "opened"]),
    st.integers(0, 20),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(outcomes, max_size=30), st.randoms(use_true_random=False))
def test_any_order(brought: list[Any], random: Any) -> None:
    """Decisions and outcomes in any order, some twice, give the same model to the byte."""
    records: list[Any] = [("choice", choice) for choice in CHOICES]
    for at, slot, kind, days in brought:
        choice = CHOICES[at]
        assert choice is not None
        offer = sorted(choice.offers)[slot]
        time_us = choice.time_us + days * DAY_US
        records.append(("outcome", (choice.decision_id, offer, kind, time_us)))
    models = set()
    for _ in range(3):
        learner = learner_of(DECIDER, "learned")
        for sort, record in [*records, *random.sample(records, len(records) // 2)]:
            if sort == "choice":
                learner.evidence.add_choice(record)
            else:
                learner.evidence.add_outcome(*record)
        models.add(learner.model().to_bytes())
        random.shuffle(records)
    assert len(models) == 1
