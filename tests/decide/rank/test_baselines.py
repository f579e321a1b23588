"""Rankers that know less on purpose, and the registry that lists all of them."""

from __future__ import annotations

import numpy as np
import pytest

from dipper.decide.rank import linear
from dipper.decide.rank.baselines import RANDOM, SEGMENT_BEST, SINGLE_BEST, Baseline
from dipper.decide.rank.exploration import Exploration, probabilities
from dipper.decide.rank.model import Floats, Model, scores
from dipper.decide.rank.ranker import Outcomes, Ranker
from dipper.decide.rank.registry import built_in, with_added
from dipper.kit.errors import Conflict

FEATURES = ("1", "segment.payers", "age")
OFFERS = ("fund", "card")


def targeted_outcomes(rows: int) -> Outcomes:
    """A log of somebody who targets: payers, who take anything, mostly get the card.

    Given to everybody the fund would bring 0.44 and the card 0.40; payers prefer the card.
    """
    random = np.random.default_rng(7)
    is_payer = random.random(rows) < 0.4
    card_chance = np.where(is_payer, 0.9, 0.1)
    is_card = random.random(rows) < card_chance
    chance = np.where(is_card, np.where(is_payer, 0.7, 0.2), np.where(is_payer, 0.5, 0.4))
    x = np.stack([np.ones(rows), is_payer.astype(float), random.normal(size=rows)], axis=1)
    return Outcomes(
        x,
        ["card" if card else "fund" for card in is_card],
        (random.random(rows) < chance).astype(float),
        np.where(is_card, card_chance, 1 - card_chance),
    )


def learned(ranker: Ranker, rows: Outcomes) -> Model:
    """The ranker's model over these rows."""
    learner = ranker.learner(FEATURES)
    learner.add(rows)
    return ranker.resume(learner.to_bytes()).model()


def of_person(model: Model, is_payer: bool, age: float) -> Floats:
    """The scores of both offers for one person."""
    return scores(model, np.array([1.0, float(is_payer), age]), model.candidates(OFFERS))


def test_single_best_gives_the_rate_for_everybody() -> None:
    """It undoes the targeting of the log and scores all persons alike."""
    model = learned(SINGLE_BEST, targeted_outcomes(40_000))
    assert of_person(model, True, 2.0) == pytest.approx([0.44, 0.40], abs=0.02)
    assert of_person(model, True, 2.0).tolist() == of_person(model, False, -1.0).tolist()


def test_segment_best_sees_segments_only() -> None:
    """It has a rate for each segment, and age makes no difference."""
    model = learned(SEGMENT_BEST, targeted_outcomes(40_000))
    assert of_person(model, True, 0.0) == pytest.approx([0.5, 0.7], abs=0.03)
    assert of_person(model, False, 0.0) == pytest.approx([0.4, 0.2], abs=0.03)
    assert of_person(model, True, 2.0).tolist() == of_person(model, True, -1.0).tolist()


@pytest.mark.parametrize("method", ["inverse_gap", "epsilon"])
def test_random_has_no_preference(method: str) -> None:
    """However much it has seen, all candidates keep the same probability."""
    model = learned(RANDOM, targeted_outcomes(1_000))
    found = of_person(model, True, 1.0)
    chances = probabilities(model, found, model.candidates(OFFERS), Exploration(method))
    assert chances.tolist() == [0.5, 0.5]


def test_every_ranker_has_a_title_and_takes_outcomes() -> None:
    """The four rankers that a policy may name are there, titled in both languages, and learn."""
    rankers = built_in()
    assert sorted(rankers) == ["linear", "random", "segment_best", "single_best"]
    for ranker in rankers.values():
        assert ranker.TITLE["zh"]
        assert ranker.TITLE["en"]
        assert learned(ranker, targeted_outcomes(50)).counts.sum() == 50


def test_plug_in_adds_and_never_replaces() -> None:
    """A new name joins ours; a name that is taken is refused."""
    added = Baseline("by_age", {"zh": "按年龄", "en": "by age"}, lambda place, name: name == "age")
    assert with_added([added])["by_age"] is added
    with pytest.raises(Conflict, match="linear"):
        with_added([linear])
