"""What a ranker has learned, frozen: a weight for each offer and feature, and how sure it is.

A published model is content-addressed, a decision names it by its hash, and a replay loads it and
scores again. Scoring is one matrix product, so that 200 offers take a few microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import Any

import numpy as np

from dipper.decide.rank.arrays import pack, unpack
from dipper.kit.errors import BadInput, Corrupt

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

MAGIC = b"DIPMODEL"

# Features beyond this are cut, in learning as in scoring: one absurd amount must not rule a score.
FEATURE_MAX = 32.0


@dataclass(frozen=True, eq=False)
class Model:
    """A snapshot of what a learner knows.

    `weights` ((k + 1) × d) has a row for each of the k `offers` in order and a last one that all
    offers share, which scores an offer that the model has not seen. `counts` (k + 1) is the number
    of outcomes behind each row, 0 for the last. `noise` is the standard deviation of a reward
    about its score. All arrays are read-only.
    """

    features: tuple[str, ...]
    offers: tuple[str, ...]
    weights: Floats
    counts: Ints
    noise: float

    @cached_property
    def _place(self) -> dict[str, int]:
        return {offer: place for place, offer in enumerate(self.offers)}

    def candidates(self, offers: Iterable[str]) -> Ints:
        """The rows of offers, in their order; k for one that the model has not seen.

        They depend on the model and the placement only: look them up once, not at each decision.
        """
        unseen = len(self.offers)
        return np.array([self._place.get(offer, unseen) for offer in offers], dtype=np.int64)

    def to_bytes(self) -> bytes:
        """The model as bytes; equal models give equal bytes, so that their hash is an address."""
        return pack(
            MAGIC,
            {"features": self.features, "offers": self.offers, "noise": self.noise},
            {"weights": self.weights, "counts": self.counts},
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Model:
        """The model in bytes of `to_bytes`. Raises Corrupt for anything else."""
        facts, arrays = unpack(MAGIC, data)
        if set(facts) != {"features", "offers", "noise"} or set(arrays) != {"weights", "counts"}:
            raise Corrupt("expected features, offers, noise, weights and counts.", where="model")
        features, offers = tuple(facts["features"]), tuple(facts["offers"])
        weights, counts = arrays["weights"], arrays["counts"]
        rows = len(offers) + 1
        if weights.shape != (rows, len(features)) or counts.shape != (rows,):
            raise Corrupt(
                f"expected {rows} × {len(features)} weights, got {weights.shape}.", where="model"
            )
        return cls(features, offers, weights, counts, float(facts["noise"]))


def scores(model: Model, x: Floats, candidates: Ints) -> Floats:
    """The expected reward of each candidate for one vector.

    `candidates` are the rows that `Model.candidates` gave. Raises like `score_rows`.
    """
    return score_rows(model, x)[candidates]


def score_rows(model: Model, x: Floats) -> Floats:
    """The expected reward of every row of the model for one vector of its d features.

    Raises BadInput when x has another length or is not finite.
    """
    if x.shape != (len(model.features),):
        raise BadInput(
            f"expected a vector of {len(model.features)} features, got shape {x.shape}.",
            where="rank.scores",
            hint="Score with the model that was trained on these features.",
        )
    cut = np.minimum(np.maximum(x, -FEATURE_MAX), FEATURE_MAX)
    # NaN is the one value that survives the cut without being finite; one product finds it.
    if isnan(cut.dot(cut)):
        raise BadInput("expected finite features, got NaN.", where="rank.scores")
    found: Floats = model.weights.dot(cut)
    return found
