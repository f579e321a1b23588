"""The linear ranker: what it learns, and that its sums do not care about order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.decide.rank import linear
from dipper.decide.rank.linear import ROWS_AT_ONCE, LinearLearner
from dipper.decide.rank.model import Model, scores
from dipper.decide.rank.ranker import Outcomes
from dipper.kit.errors import BadInput, Corrupt

FEATURES = ("1", "age", "is_payer")
OFFERS = ("fund", "card", "loan")


def outcomes(seed: int, rows: int) -> Outcomes:
    """Rows in which payers want the fund, the old want the card, and nobody wants the loan."""
    random = np.random.default_rng(seed)
    age = random.normal(4.0, 0.5, rows)
    is_payer = (random.random(rows) < 0.3).astype(float)
    offers = random.integers(0, 3, rows)
    chance = np.choose(
        offers, [0.1 + 0.6 * is_payer, np.clip(0.3 + 0.3 * (age - 4), 0, 1), np.full(rows, 0.02)]
    )
    x = np.stack([np.ones(rows), age, is_payer], axis=1)
    reward = (random.random(rows) < chance).astype(float)
    return Outcomes(x, [OFFERS[k] for k in offers], reward, np.full(rows, 1 / 3))


def part(whole: Outcomes, rows: Any) -> Outcomes:
    """Some of the rows, in the order given."""
    return Outcomes(
        whole.x[rows],
        [whole.offers[row] for row in rows],
        whole.reward[rows],
        whole.probability[rows],
    )


def learned(whole: Outcomes) -> Model:
    """The model of a fresh learner over these rows."""
    learner = linear.learner(FEATURES)
    learner.add(whole)
    return learner.model()


def test_it_learns_who_wants_what() -> None:
    """After 20,000 outcomes the scores are within 0.05 of the true chances, the noise is right."""
    model = learned(outcomes(1, 20_000))
    rows = model.candidates(OFFERS)
    young_payer = scores(model, np.array([1.0, 3.5, 1.0]), rows)
    old_other = scores(model, np.array([1.0, 5.0, 0.0]), rows)
    assert young_payer == pytest.approx([0.7, 0.15, 0.02], abs=0.05)
    assert old_other == pytest.approx([0.1, 0.6, 0.02], abs=0.05)
    assert model.noise == pytest.approx(0.333, abs=0.01)
    assert model.counts[rows].sum() == 20_000


def test_new_offer_starts_as_the_average_offer() -> None:
    """An offer without outcomes, or with one, scores about what all offers together score."""
    rows = outcomes(2, 20_000)
    model = learned(rows)
    x = np.array([1.0, 4.0, 0.0])
    known = scores(model, x, model.candidates(OFFERS))
    unseen = scores(model, x, model.candidates(["deposit"]))
    assert unseen[0] == pytest.approx(known.mean(), abs=0.03)
    one = Outcomes(x[None, :], ["deposit"], np.array([0.0]), np.array([0.5]))
    learner = linear.learner(FEATURES)
    learner.add(rows)
    learner.add(one)
    after = learner.model()
    tried = scores(after, x, after.candidates(["deposit"]))[0]
    assert unseen[0] * 0.9 < tried < unseen[0]


def test_units_and_offsets_of_features_do_not_matter() -> None:
    """Age in other units about another zero gives the same scores, up to the grid."""
    rows = outcomes(3, 2_000)
    other = Outcomes(
        rows.x * [1.0, 5.0, 1.0] + [0.0, -10.0, 0.0], rows.offers, rows.reward, rows.probability
    )
    x = np.array([1.0, 4.6, 1.0])
    one, two = learned(rows), learned(other)
    turned = scores(two, x * [1.0, 5.0, 1.0] + [0.0, -10.0, 0.0], two.candidates(OFFERS))
    assert turned == pytest.approx(scores(one, x, one.candidates(OFFERS)), abs=2e-3)


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 60), st.data())
def test_any_order_and_any_batches_give_the_same_bytes(
    seed: int, rows: int, data: st.DataObject
) -> None:
    """Sums and model are equal to the bit, however rows are shuffled and batched."""
    whole = outcomes(seed, rows)
    order = data.draw(st.permutations(range(rows)))
    cut = data.draw(st.integers(0, rows))
    once, twice = linear.learner(FEATURES), linear.learner(FEATURES)
    once.add(whole)
    for some in (order[:cut], order[cut:]):
        twice.add(part(whole, some))
    assert once.to_bytes() == twice.to_bytes()
    assert once.model().to_bytes() == twice.model().to_bytes()


def test_sums_at_the_limits_are_exact() -> None:
    """With every value at its limit, more rows than fit one product still sum to the integer."""
    rows = ROWS_AT_ONCE + 5
    x = np.full((rows, 2), 40.0)
    x[:, 0] = 1.0
    learner = LinearLearner(("1", "f"), linear.Counting((True, True), is_weighed=True))
    learner.add(Outcomes(x, ["fund"] * rows, np.full(rows, -1.0), np.full(rows, 1e-9)))
    sums = learner.sums["fund"]
    assert sums.gram[1, 1] == rows * (32 * 256) ** 2 * 50 * 64
    assert sums.moment[1] == -rows * 32 * 256 * 4096 * 50 * 64
    assert sums.square == rows * 4096**2 * 50 * 64
    assert (sums.weight, sums.rows) == (rows * 50 * 64, rows)


def test_learner_goes_on_from_its_bytes() -> None:
    """Stopped after half of the rows and resumed, a learner ends with the same bytes."""
    whole = outcomes(4, 300)
    straight = linear.learner(FEATURES)
    straight.add(whole)
    first = linear.learner(FEATURES)
    first.add(part(whole, range(150)))
    resumed = linear.resume(first.to_bytes())
    resumed.add(part(whole, range(150, 300)))
    assert resumed.to_bytes() == straight.to_bytes()


def test_empty_learner_publishes_a_model_that_knows_nothing() -> None:
    """Before any outcome all offers score 0, and learner and model survive their bytes."""
    empty = linear.resume(linear.learner(FEATURES).to_bytes())
    model = Model.from_bytes(empty.model().to_bytes())
    assert scores(model, np.array([1.0, 3.0, 0.0]), model.candidates(OFFERS)).tolist() == [0, 0, 0]


def test_vectors_of_other_features_are_refused() -> None:
    """A learner takes vectors of its own features only, with the intercept first."""
    learner = linear.learner(("1", "f"))
    one = np.array([0.5])
    with pytest.raises(BadInput, match="got 3 features"):
        learner.add(Outcomes(np.ones((1, 3)), ["fund"], one, one))
    with pytest.raises(BadInput, match="intercept"):
        learner.add(Outcomes(np.zeros((1, 2)), ["fund"], one, one))


def test_bytes_of_a_model_are_no_learner() -> None:
    """A learner does not resume from a model's bytes."""
    with pytest.raises(Corrupt, match="DIPLEARN"):
        linear.resume(learned(outcomes(5, 10)).to_bytes())


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("x", np.ones((3, 2)), "2 offers"),
        ("x", np.array([[1.0, np.nan], [1.0, 0.0]]), "finite"),
        ("reward", np.array([0.0, 1.01]), "between -1 and 1"),
        ("reward", np.array([0.0, np.nan]), "between -1 and 1"),
        ("probability", np.array([0.5, 0.0]), "above 0"),
        ("probability", np.array([0.5]), "2 offers"),
    ],
)
def test_outcomes_that_mean_nothing_are_refused(field: str, value: Any, says: str) -> None:
    """Shapes that differ and values out of range are refused before they reach a sum."""
    good: dict[str, Any] = {
        "x": np.ones((2, 2)),
        "offers": ["fund", "card"],
        "reward": np.array([0.0, 1.0]),
        "probability": np.array([0.5, 0.5]),
    }
    Outcomes(**good)
    with pytest.raises(BadInput, match=says):
        Outcomes(**{**good, field: value})
