"""A published model."""

from __future__ import annotations

import numpy as np
import pytest

from dipper.decide.rank.arrays import pack
from dipper.decide.rank.model import MAGIC, Model, scores
from dipper.kit.errors import BadInput, Corrupt
from dipper.kit.hashing import digest

MODEL = Model(
    features=("1", "age"),
    offers=("card", "fund"),
    weights=np.array([[0.1, 0.2], [0.3, -0.1], [0.2, 0.05]]),
    counts=np.array([5, 7, 0]),
    noise=0.25,
)


def test_scores_are_weights_times_features() -> None:
    """Each candidate scores its own weights, in the order asked; an unseen one the shared ones."""
    rows = MODEL.candidates(["fund", "new", "card"])
    assert scores(MODEL, np.array([1.0, 2.0]), rows) == pytest.approx([0.1, 0.3, 0.5])


def test_absurd_features_are_cut() -> None:
    """A feature beyond 32 scores as 32, an infinite one too."""
    rows = MODEL.candidates(["card"])
    cut = scores(MODEL, np.array([1.0, 32.0]), rows)
    assert scores(MODEL, np.array([1.0, 1e9]), rows) == cut
    assert scores(MODEL, np.array([1.0, np.inf]), rows) == cut


@pytest.mark.parametrize("x", [np.ones(3), np.ones((1, 2)), np.array([1.0, np.nan])])
def test_vector_that_does_not_fit_is_refused(x: np.ndarray) -> None:
    """Another number of features, or NaN, is an error and not a score."""
    with pytest.raises(BadInput):
        scores(MODEL, x, MODEL.candidates(["card"]))


def test_bytes_give_the_model_back() -> None:
    """A model read from its bytes has the same parts and the same bytes, and cannot be written."""
    again = Model.from_bytes(MODEL.to_bytes())
    assert (again.features, again.offers, again.noise) == (("1", "age"), ("card", "fund"), 0.25)
    assert (again.weights == MODEL.weights).all()
    assert again.counts.tolist() == [5, 7, 0]
    assert again.to_bytes() == MODEL.to_bytes()
    with pytest.raises(ValueError, match="read-only"):
        again.weights[0, 0] = 1.0


def test_address_of_a_model_is_fixed() -> None:
    """The layout of the bytes is a contract: published models are addressed by this hash."""
    assert digest(MODEL.to_bytes()) == (
        "6fe209c8692a4e6d50e843cedd1feed4936013549a8c0583fec253fb70736a17"
    )


def test_broken_bytes_are_corrupt() -> None:
    """Every cut and every changed byte of the lead is noticed, and says what was expected."""
    good = MODEL.to_bytes()
    for length in range(len(good)):
        with pytest.raises(Corrupt):
            Model.from_bytes(good[:length])
    with pytest.raises(Corrupt, match="follow"):
        Model.from_bytes(good + b"\0")
    for place in range(13):
        broken = bytearray(good)
        broken[place] ^= 0x55
        with pytest.raises(Corrupt):
            Model.from_bytes(bytes(broken))


def test_arrays_that_do_not_fit_each_other_are_corrupt() -> None:
    """Weights for another number of offers than the header names are refused."""
    facts = {"features": ["1"], "offers": ["card"], "noise": 0.1}
    arrays = {"weights": np.zeros((3, 1)), "counts": np.zeros(2, dtype=np.int64)}
    with pytest.raises(Corrupt, match="2 × 1 weights"):
        Model.from_bytes(pack(MAGIC, facts, arrays))
    with pytest.raises(Corrupt, match="expected features"):
        Model.from_bytes(pack(MAGIC, {}, arrays))
