"""What a ranker learns from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dipper.decide.learning import choice_of, learner_of, outcomes_of
from dipper.kit.clock import DAY_US
from dipper.kit.errors import NotFound


@pytest.fixture
def learner(decider: Any) -> Any:
    """A learner of the policy `learned` that has seen nothing."""
    return learner_of(decider, "learned")


def choice(bank: Any, decider: Any, name: str = "d-1", arm: str = "treated", **fields: Any) -> Any:
    """What a decision teaches, with the offers that it gave."""
    person = bank.Person(key=bank.key_in(arm, decider.place("result").policy))
    trace = bank.ask(decider, person, decision_id=name, **fields).trace
    return choice_of(decider, trace)


def test_choice(bank: Any, decider: Any) -> None:
    """A decision teaches the vector that it read and the chance of each offer given."""
    found = choice(bank, decider)
    assert found.features == decider.place("result").ranking.space.names
    assert found.x[0] == 1.0
    assert len(found.offers) == 2
    assert all(0.0 < chance <= 1.0 for chance in found.offers.values())


def test_what_teaches_nothing(bank: Any, decider: Any) -> None:
    """Control, placebo, a fixed order and a nameless person teach the ranker nothing."""
    assert choice(bank, decider, arm="control") is None
    assert choice(bank, decider, arm="placebo") is None
    assert choice(bank, decider, personalised=False) is None
    erased = bank.ask(decider, bank.Person(erased=True), context={"rain": True}).trace
    assert choice_of(decider, erased) is None


def test_rewards(bank: Any, decider: Any, learner: Any) -> None:
    """Seen is 0, a click its weight, an opening everything; unseen says nothing."""
    found = choice(bank, decider)
    learner.evidence.add_choice(found)
    first, second = found.offers
    assert learner.evidence.rows() == []
    learner.evidence.add_outcome("d-1", first, "shown", found.time_us + 1)
    assert [(row.offer, row.reward) for row in learner.evidence.rows()] == [(first, 0.0)]
    learner.evidence.add_outcome("d-1", first, "clicked", found.time_us + 2)
    learner.evidence.add_outcome("d-1", second, "opened", found.time_us + 3)
    assert {row.offer: row.reward for row in learner.evidence.rows()} == {
        first: pytest.approx(0.1 / 1.1),
        second: 1.0,
    }


def test_outside_the_window(bank: Any, decider: Any, learner: Any) -> None:
    """An opening counts until the window ends, and not a microsecond longer."""
    found = choice(bank, decider)
    first, second = found.offers
    learner.evidence.add_choice(found)
    for offer, late in ((first, 0), (second, 1)):
        learner.evidence.add_outcome("d-1", offer, "shown", found.time_us)
        learner.evidence.add_outcome("d-1", offer, "opened", found.time_us + 14 * DAY_US + late)
    assert {row.offer: row.reward for row in learner.evidence.rows()} == {first: 1.0, second: 0.0}


def test_outcome_before_its_decision(bank: Any, decider: Any, learner: Any) -> None:
    """An outcome that is read before its decision counts once the decision is there."""
    found = choice(bank, decider)
    (first, _) = found.offers
    learner.evidence.add_outcome("d-1", first, "clicked", found.time_us)
    assert learner.evidence.rows() == []
    learner.evidence.add_choice(found)
    assert len(learner.evidence.rows()) == 1


def test_settling_changes_no_model(bank: Any, decider: Any) -> None:
    """What is settled counts like what is still open: the model is the same to the byte."""
    kept, settled = learner_of(decider, "learned"), learner_of(decider, "learned")
    for at in range(30):
        found = choice(bank, decider, f"d-{at}", draw=at / 30, now_us=bank.NOW_US + at * DAY_US)
        for learner in (kept, settled):
            learner.evidence.add_choice(found)
            for offer in found.offers:
                kind = ("shown", "clicked", "opened")[(at + len(offer)) % 3]
                learner.evidence.add_outcome(found.decision_id, offer, kind, found.time_us + 1)
    settled.settle(bank.NOW_US + 30 * DAY_US)
    assert 0 < len(settled.evidence.rows()) < len(kept.evidence.rows())
    assert settled.model().to_bytes() == kept.model().to_bytes()
    assert kept.model().counts.sum() == 60


def test_orphans_are_forgotten(bank: Any, decider: Any, learner: Any) -> None:
    """An outcome whose decision never comes does not stay for ever."""
    learner.evidence.add_outcome("never", "savings", "clicked", bank.NOW_US)
    learner.settle(bank.NOW_US + 15 * DAY_US)
    assert learner.evidence._brought == {}


def test_forgotten_person(bank: Any, decider: Any, learner: Any) -> None:
    """After an erasure the next training leaves the person out."""
    found = choice(bank, decider)
    learner.evidence.add_choice(found)
    for offer in found.offers:
        learner.evidence.add_outcome("d-1", offer, "shown", found.time_us)
    learner.evidence.forget_subject(found.subject)
    assert learner.evidence.rows() == []
    assert learner.model().offers == ()


def test_other_features(bank: Any, decider: Any, learner: Any) -> None:
    """A decision that read fewer features teaches by name; the others count as 0."""
    person = bank.Person(key=bank.key_in("treated", decider.place("clinic").policy))
    found = choice_of(decider, bank.ask(decider, person, placement="clinic").trace)
    learner.evidence.add_choice(found)
    learner.evidence.add_outcome("d-1", "reminder", "shown", found.time_us)
    (row,) = learner.evidence.rows()
    assert row.x.tolist() == [1.0, *([0.0] * (len(learner.evidence.features) - 1))]


def test_learns(bank: Any, decider: Any, learner: Any) -> None:
    """What was clicked more scores higher in the model that is published."""
    rows = []
    for at in range(200):
        found = choice(bank, decider, f"d-{at}", draw=at / 200, limit=1)
        learner.evidence.add_choice(found)
        (offer,) = found.offers
        kind = "clicked" if offer == "accident" else "shown"
        learner.evidence.add_outcome(found.decision_id, offer, kind, found.time_us)
        rows.append(found)
    model = learner.model()
    x = rows[0].x
    scores = dict(zip(model.offers, (model.weights[:-1] @ x).tolist(), strict=True))
    assert max(scores, key=lambda name: scores[name]) == "accident"
    outcomes = outcomes_of(learner.evidence.rows())
    assert outcomes.x.shape == (200, len(model.features))
    assert np.unique(outcomes.reward).tolist() == [0.0, pytest.approx(0.1 / 1.1)]


def test_unknown_policy(decider: Any) -> None:
    """A policy that serves no placement has no learner."""
    with pytest.raises(NotFound, match="nobody"):
        learner_of(decider, "nobody")
