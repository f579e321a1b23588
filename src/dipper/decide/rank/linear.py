"""The linear ranker: a ridge regression for each offer that leans on what all offers share.

An offer's weights are those of a common regression plus a correction of its own, which is pulled
towards nothing with the weight of 40 outcomes: a new offer starts as the average offer for this
person, an old one stands on its own outcomes. Features are standardised by the learned sums
themselves, so that neither their unit nor their offset matters.

The sums are integers: features, rewards and weights are put on a fixed grid first. Integer sums
commute to the bit, so any order, any batches and any number of workers give the same model, the
same bytes and the same address. (Doubles of at most 2^53 carry the products of a batch exactly.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dipper.decide.rank.arrays import pack, unpack
from dipper.decide.rank.model import FEATURE_MAX, Floats, Ints, Model
from dipper.decide.rank.ranker import Learner, Outcomes
from dipper.decide.rank.ridge import NOISE_FIRST, fit
from dipper.kit.errors import BadInput, Corrupt, TooLarge

MAGIC = b"DIPLEARN"

# Grids: one step is 1/256 of a feature, 1/4096 of a reward, 1/64 of a weight.
FEATURE_STEPS = 256.0
REWARD_STEPS = 4096.0
WEIGHT_STEPS = 64.0
# A row chosen with a small probability stands for many; above this it would only add variance.
WEIGHT_MAX = 50.0
# With all values at their limits a product has 2^38 steps: 2^15 rows fit a double, 2^25 an int64.
ROWS_AT_ONCE = 1 << 15
ROWS_MAX = 1 << 25


@dataclass(frozen=True)
class Counting:
    """How a ranker counts: the columns that it sees, and whether rows are weighed by 1/probability.

    Where columns are left out, who got an offer depends on what the ranker cannot see; the weights
    undo that. Where all are seen they only add variance (ADR 0012).
    """

    seen: tuple[bool, ...]
    is_weighed: bool


@dataclass
class LinearLearner:
    """Sums of one regression an offer: as integers."""

    features: tuple[str, ...]
    counting: Counting
    sums: dict[str, _Sums] = field(default_factory=dict)

    def add(self, outcomes: Outcomes) -> None:
        """Take rows in.

        Raises BadInput when the vectors have other features or no intercept of 1 at their head,
        TooLarge above 2^25 rows of one offer.
        """
        d = len(self.features)
        if outcomes.x.shape[1] != d or not (outcomes.x[:, 0] == 1.0).all():
            raise BadInput(
                f"expected vectors of {d} features with an intercept of 1 first, "
                f"got {outcomes.x.shape[1]} features.",
                where="outcomes.x",
                hint="Learn from vectors of the feature space that the learner was made for.",
            )
        seen = np.array(self.counting.seen, dtype=np.float64)
        x = np.rint(np.clip(outcomes.x, -FEATURE_MAX, FEATURE_MAX) * (seen * FEATURE_STEPS))
        reward = np.rint(outcomes.reward * REWARD_STEPS)
        weight = np.full(len(x), WEIGHT_STEPS)
        if self.counting.is_weighed:
            weight = np.rint(np.minimum(1.0 / outcomes.probability, WEIGHT_MAX) * WEIGHT_STEPS)
        names, groups = np.unique(np.array(outcomes.offers, dtype=np.str_), return_inverse=True)
        for name, more in zip(names.tolist(), np.bincount(groups), strict=True):
            if name in self.sums and self.sums[name].rows + more > ROWS_MAX:
                raise TooLarge(
                    f"offer '{name}' has more than {ROWS_MAX:,} outcomes.",
                    where="outcomes",
                    hint="Train on a shorter period.",
                )
        for group, name in enumerate(names.tolist()):
            rows = np.flatnonzero(groups == group)
            sums = self.sums.setdefault(name, _Sums.empty(d))
            for start in range(0, len(rows), ROWS_AT_ONCE):
                part = rows[start : start + ROWS_AT_ONCE]
                sums.add(x[part], reward[part], weight[part])

    def model(self) -> Model:
        """What the rows say so far."""
        offers = tuple(sorted(self.sums))
        found = [self.sums[offer] for offer in offers]
        counts = np.array([*(sums.rows for sums in found), 0], dtype=np.int64)
        weights, noise = np.zeros((1, len(self.features))), NOISE_FIRST**0.5
        if found:
            weights, noise = fit(
                np.stack([s.gram for s in found]) / (FEATURE_STEPS**2 * WEIGHT_STEPS),
                np.stack([s.moment for s in found]) / (FEATURE_STEPS * REWARD_STEPS * WEIGHT_STEPS),
                sum(s.square for s in found) / (REWARD_STEPS**2 * WEIGHT_STEPS),
                sum(s.weight for s in found) / WEIGHT_STEPS,
            )
        for array in (weights, counts):
            array.flags.writeable = False
        return Model(self.features, offers, weights, counts, noise)

    def to_bytes(self) -> bytes:
        """The sums as bytes; equal sums give equal bytes."""
        offers = sorted(self.sums)
        found = [self.sums[offer] for offer in offers]
        d = len(self.features)
        return pack(
            MAGIC,
            {
                "features": self.features,
                "offers": offers,
                "seen": self.counting.seen,
                "is_weighed": self.counting.is_weighed,
            },
            {
                "gram": np.array([s.gram for s in found], dtype=np.int64).reshape(-1, d, d),
                "moment": np.array([s.moment for s in found], dtype=np.int64).reshape(-1, d),
                "square": np.array([s.square for s in found], dtype=np.int64),
                "weight": np.array([s.weight for s in found], dtype=np.int64),
                "rows": np.array([s.rows for s in found], dtype=np.int64),
            },
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> LinearLearner:
        """The learner in bytes of `to_bytes`. Raises Corrupt for anything else."""
        facts, arrays = unpack(MAGIC, data)
        if set(facts) != {"features", "offers", "seen", "is_weighed"}:
            raise Corrupt(f"expected other facts than {sorted(facts)}.", where="learner")
        d, k = len(facts["features"]), len(facts["offers"])
        shapes = {name: array.shape for name, array in arrays.items()}
        one = dict.fromkeys(("square", "weight", "rows"), (k,))
        if shapes != {"gram": (k, d, d), "moment": (k, d), **one}:
            raise Corrupt(f"expected sums of {k} offers, got {shapes}.", where="learner")
        sums = {
            offer: _Sums(
                arrays["gram"][place].copy(),
                arrays["moment"][place].copy(),
                int(arrays["square"][place]),
                int(arrays["weight"][place]),
                int(arrays["rows"][place]),
            )
            for place, offer in enumerate(facts["offers"])
        }
        counting = Counting(tuple(facts["seen"]), facts["is_weighed"])
        return cls(tuple(facts["features"]), counting, sums)


@dataclass
class _Sums:
    gram: Ints
    moment: Ints
    square: int
    weight: int
    rows: int

    @classmethod
    def empty(cls, d: int) -> _Sums:
        return cls(np.zeros((d, d), np.int64), np.zeros(d, np.int64), 0, 0, 0)

    def add(self, x: Floats, reward: Floats, weight: Floats) -> None:
        weighted = x * weight[:, None]
        self.gram += (weighted.T @ x).astype(np.int64)
        self.moment += (weighted.T @ reward).astype(np.int64)
        self.square += int((weight * reward) @ reward)
        self.weight += int(weight.sum())
        self.rows += len(x)


NAME = "linear"
TITLE: Mapping[str, str] = {"zh": "线性学习排序", "en": "linear ranking that learns"}


def learner(features: Sequence[str]) -> Learner:
    """A learner that sees all features."""
    return LinearLearner(tuple(features), Counting((True,) * len(features), is_weighed=False))


def resume(data: bytes) -> Learner:
    """The learner whose sums these are."""
    return LinearLearner.from_bytes(data)
