"""From scores to probabilities to slots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipper.decide.rank.exploration import (
    EXPLORATIONS,
    Exploration,
    choose,
    fill_slots,
    probabilities,
)
from dipper.decide.rank.model import Model
from dipper.kit.errors import BadInput

DRAWS = st.floats(0.0, 1.0, exclude_max=True)


def model_of(counts: list[int], noise: float = 0.3) -> Model:
    """A model with these counts; its weights play no part here."""
    offers = tuple(f"o{k}" for k in range(len(counts)))
    return Model(("1",), offers, np.zeros((len(counts) + 1, 1)), np.array([*counts, 0]), noise)


@st.composite
def settings_of_choice(draw: st.DrawFn) -> tuple[Model, np.ndarray, np.ndarray, Exploration]:
    """Any model, scores, candidates and exploration."""
    size = draw(st.integers(1, 12))
    counts = draw(st.lists(st.integers(0, 10**7), min_size=size, max_size=size))
    found = draw(st.lists(st.floats(-1e3, 1e3), min_size=size, max_size=size))
    exploration = Exploration(
        draw(st.sampled_from(EXPLORATIONS)),
        draw(st.floats(0.0, 1.0)),
        draw(st.floats(0.01, 100.0)),
    )
    noise = draw(st.floats(1e-3, 1e3))
    return model_of(counts, noise), np.array(found), np.arange(size), exploration


@given(settings_of_choice())
def test_probabilities_sum_to_one_and_favour_the_best(
    drawn: tuple[Model, np.ndarray, np.ndarray, Exploration],
) -> None:
    """They are a distribution, and no candidate has more than the best-scored one."""
    model, found, rows, exploration = drawn
    chances = probabilities(model, found, rows, exploration)
    assert chances.sum() == pytest.approx(1.0)
    assert (chances >= 0.0).all()
    assert chances[found.argmax()] >= chances.max() - 1e-12
    assert (chances >= exploration.epsilon / len(found) - 1e-12).all()


def test_inverse_gap_tries_what_is_unknown() -> None:
    """At the same gap a new offer keeps an even chance; one with 10,000 outcomes next to none."""
    model = model_of([10_000, 10_000, 0])
    found = np.array([0.10, 0.05, 0.05])
    chances = probabilities(model, found, np.arange(3), Exploration())
    assert chances[2] == pytest.approx(1 / 3)
    rate = 300 * np.sqrt(3 * 10_000) / 0.3
    assert chances[1] == pytest.approx(1 / (3 + rate * 0.05))


def test_scale_widens_exploration() -> None:
    """Ten times the scale gives about ten times the chance to a candidate that lies behind."""
    model, found = model_of([1000, 1000]), np.array([0.2, 0.1])
    narrow, wide = (
        probabilities(model, found, np.arange(2), Exploration(scale=scale))[1]
        for scale in (1.0, 10.0)
    )
    assert wide == pytest.approx(10 * narrow, rel=0.01)


def test_unit_of_scores_does_not_matter() -> None:
    """Scores in 分 with their unit give the probabilities of plain scores."""
    model, rows = model_of([50, 20, 70]), np.arange(3)
    found = np.array([0.2, 0.1, 0.15])
    plain = probabilities(model, found, rows, Exploration())
    assert probabilities(model, found * 12_000, rows, Exploration(), 12_000) == pytest.approx(plain)


def test_epsilon_shares_ties() -> None:
    """Two best ones share what the even part leaves."""
    chances = probabilities(
        model_of([9, 9, 9]), np.array([0.5, 0.5, 0.1]), np.arange(3), Exploration("epsilon", 0.3)
    )
    assert chances == pytest.approx([0.45, 0.45, 0.1])


def test_no_candidates_no_probabilities() -> None:
    """Where nothing passed, there is nothing to choose and no slot is filled."""
    nothing = np.empty(0)
    rows = np.empty(0, dtype=np.int64)
    assert len(probabilities(model_of([1]), nothing, rows, Exploration())) == 0
    assert len(fill_slots(model_of([1]), nothing, rows, Exploration(), 0.5, 3).order) == 0


@given(st.lists(st.sampled_from([0.0, 1e-9, 0.1, 1.0]), min_size=1).filter(any), DRAWS)
def test_chosen_is_possible(weights: list[float], draw: float) -> None:
    """Whatever the draw, a candidate of probability 0 is never chosen."""
    chances = np.array(weights) / sum(weights)
    assert chances[choose(chances, draw)] > 0.0


def test_choice_follows_the_probabilities() -> None:
    """Draws spread evenly fall on each place as often as its probability says."""
    chances = np.array([0.5, 0.0, 0.2, 0.3])
    chosen = [choose(chances, (n + 0.5) / 1000) for n in range(1000)]
    assert np.bincount(chosen, minlength=4).tolist() == [500, 0, 200, 300]


@given(settings_of_choice(), DRAWS, st.integers(1, 15))
def test_slots_hold_each_candidate_once(
    drawn: tuple[Model, np.ndarray, np.ndarray, Exploration], draw: float, limit: int
) -> None:
    """Slots are filled without repetition; the first one's propensity is the logged probability."""
    model, found, rows, exploration = drawn
    slots = fill_slots(model, found, rows, exploration, draw, limit)
    order = slots.order.tolist()
    assert len(order) == len(set(order)) == min(limit, len(found))
    assert slots.propensity[0] == slots.probabilities[order[0]]
    assert (slots.propensity > 0.0).all()
    again = fill_slots(model, found, rows, exploration, draw, limit)
    assert again.order.tolist() == order


def test_second_slot_prefers_the_second_best() -> None:
    """Over many draws the second slot nearly always goes to the best of the rest."""
    model = model_of([100_000] * 4)
    found = np.array([0.1, 0.4, 0.3, 0.2])
    seconds = [
        fill_slots(model, found, np.arange(4), Exploration(), n / 1000, 2).order[1]
        for n in range(1000)
    ]
    assert seconds.count(2) > 990


@pytest.mark.parametrize(
    ("method", "epsilon", "scale"),
    [("inverse_gab", 0.0, 1.0), ("epsilon", 1.5, 1.0), ("epsilon", -0.1, 1.0), ("epsilon", 0.1, 0)],
)
def test_exploration_out_of_range_is_refused(method: str, epsilon: float, scale: float) -> None:
    """An unknown method or a number out of range is an error that says what was expected."""
    with pytest.raises(BadInput, match="expected"):
        Exploration(method, epsilon, scale)
