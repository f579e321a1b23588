"""From offers that passed to an order with probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dipper.decide.rank.exploration import fill_slots
from dipper.decide.rank.model import scores


@pytest.fixture
def ranking(decider: Any) -> Any:
    """The ranking of the placement `result`."""
    return decider.place("result").ranking


def test_one_slot_is_the_first_of_many(bank: Any, decider: Any, ranking: Any) -> None:
    """One slot takes the short way and gives what the first of several slots would."""
    model = bank.published(decider)
    passed = np.arange(len(ranking.candidates))
    x = np.linspace(1.0, 2.0, len(model.model.features))
    for draw in (0.0, 0.3, 0.7, 0.999):
        one = ranking.personalised(passed, x, model, draw, 1)
        rows = model.model.candidates([offer.name for offer in ranking.candidates])
        expected = scores(model.model, x, rows) * ranking.worth
        slots = fill_slots(
            model.model, expected, rows, ranking.exploration, draw, 3, float(ranking.worth.max())
        )
        assert one.order == slots.order.tolist()[:1]
        assert one.propensity == slots.propensity.tolist()[:1]
        assert one.probabilities.tolist() == slots.probabilities.tolist()


def test_cold(ranking: Any) -> None:
    """Before a model is published every offer has the same chance."""
    passed = np.array([0, 1, 5])
    found = ranking.personalised(passed, np.zeros(len(ranking.space.names)), None, 0.5, 1)
    assert found.probabilities.tolist() == pytest.approx([1 / 3] * 3)


def test_nobody_passed(ranking: Any) -> None:
    """Without candidates there are no slots."""
    nobody = np.array([], dtype=np.int64)
    for limit in (1, 3):
        found = ranking.personalised(nobody, np.zeros(len(ranking.space.names)), None, 0.5, limit)
        assert list(found.order) == []
    assert ranking.same_for_all(nobody, 2).order == []


def test_same_for_all(ranking: Any) -> None:
    """Without personalisation value decides and the name breaks ties."""
    found = ranking.same_for_all(np.arange(len(ranking.candidates)), 3)
    assert [ranking.candidates[at].name for at in found.order] == [
        "equity_r4",
        "growth_r2",
        "savings",
    ]
    assert found.probabilities.sum() == 1.0


def test_few_models_are_kept(bank: Any, decider: Any, ranking: Any) -> None:
    """A placement remembers the last few models and forgets the older ones."""
    x = np.zeros(len(ranking.space.names))
    for seed in range(20, 30):
        ranking.personalised(np.array([0]), x, bank.published(decider, seed=seed), 0.5, 1)
    assert len(ranking._fitted) <= 4
