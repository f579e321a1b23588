"""What a ranker is: a name, a title, and a learner that sums outcomes and publishes models.

Every ranker publishes the same `Model` (model.py): weights for each offer and feature. They differ
in what they see and in how they count, so that scoring, exploring, storing and replaying are one
code for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dipper.decide.rank.model import Floats, Model
from dipper.kit.errors import BadInput


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Decisions with what came of them, one a row.

    `x` (m × d) are the vectors that the decisions read, `offers` the m offers given, `reward` what
    each brought (-1 to 1: the caller divides by the largest possible), `probability` with which
    each was chosen (above 0, at most 1). Raises BadInput when shapes or values are others.
    """

    x: Floats
    offers: Sequence[str]
    reward: Floats
    probability: Floats

    def __post_init__(self) -> None:
        rows = (len(self.offers),)
        shapes = (self.x.ndim, self.x.shape[:1], self.reward.shape, self.probability.shape)
        if shapes != (2, rows, rows, rows):
            raise BadInput(
                f"expected x, rewards and probabilities for {rows[0]} offers, got shapes "
                f"{self.x.shape}, {self.reward.shape} and {self.probability.shape}.",
                where="outcomes",
            )
        if not np.isfinite(self.x).all():
            raise BadInput("expected finite features.", where="outcomes.x")
        if not (np.abs(self.reward) <= 1.0).all():
            raise BadInput(
                "expected rewards between -1 and 1.",
                where="outcomes.reward",
                hint="Divide rewards by the largest possible one.",
            )
        if not ((self.probability > 0.0) & (self.probability <= 1.0)).all():
            raise BadInput(
                "expected probabilities above 0 and at most 1.",
                where="outcomes.probability",
                hint="Give the probability that the decision's trace holds.",
            )


class Learner(Protocol):
    """Sums over outcomes. They depend neither on the order of rows nor on how they were batched."""

    def add(self, outcomes: Outcomes) -> None:
        """Take rows in."""

    def model(self) -> Model:
        """What the rows say so far, to publish."""

    def to_bytes(self) -> bytes:
        """The sums, for the ranker's `resume`. Equal sums give equal bytes."""


class Ranker(Protocol):
    """The members of a ranker. `NAME` is what a policy writes."""

    @property
    def NAME(self) -> str: ...
    @property
    def TITLE(self) -> Mapping[str, str]: ...

    def learner(self, features: Sequence[str]) -> Learner:
        """A learner that has seen nothing, for vectors of these features, the intercept first."""

    def resume(self, data: bytes) -> Learner:
        """The learner whose sums these are. Raises Corrupt for other bytes."""
