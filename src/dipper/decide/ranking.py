"""From the offers that passed to an order with probabilities: propensity times value, explored.

Expected value = propensity x `value_fen`: the model's expected reward of the offer for this person,
times what an opening is worth to the bank. Slots are drawn from the policy's exploration, and each
one's probability is logged. Without personalisation the order is by value and name, the same for
everybody (PI-10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dipper.decide.candidate import Candidate
from dipper.decide.features import FeatureSpace, Vector
from dipper.decide.rank.exploration import Exploration, fill_slots
from dipper.decide.rank.model import Floats, Ints, Model, score_rows
from dipper.decide.rank.slots import first_slot
from dipper.kit.hashing import digest

MODELS_KEPT = 4


@dataclass(frozen=True)
class Published:
    """A model with its address."""

    hash: str
    model: Model

    @classmethod
    def from_bytes(cls, data: bytes) -> Published:
        """A published model's bytes. Raises Corrupt."""
        return cls(digest(data), Model.from_bytes(data))


class Ranked(NamedTuple):
    """The order of a decision. `candidates` are the places of those that were ranked.

    `scores` are expected values in 分 and `probabilities` those of the first slot, both aligned to
    `candidates`; `order` are places in them, one a slot, with the `propensity` of each for its
    slot, given the slots before.
    """

    candidates: Ints
    scores: Floats
    probabilities: Floats
    order: Sequence[int]
    propensity: Sequence[float]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A model beside a placement: the row of each candidate, and which of our numbers it reads
    (None: exactly these)."""

    model: Model
    rows: Ints
    columns: Ints | None


@dataclass(frozen=True, eq=False)
class Ranking:
    """How a placement ranks. `space` has the features that it may read, `cold` is the model before
    the first one is published."""

    candidates: tuple[Candidate, ...]
    space: FeatureSpace
    exploration: Exploration
    cold: Model
    _fitted: dict[str, _Fitted] = field(default_factory=dict)

    @cached_property
    def worth(self) -> Floats:
        """What an opening of each candidate is worth, in 分."""
        return np.array([float(offer.value_fen) for offer in self.candidates])

    def personalised(
        self,
        passed: Ints,
        vector: Vector,
        published: Published | None,
        draw: float,
        limit: int,
    ) -> Ranked:
        """Slots for one person. `passed` are the places of the candidates to rank."""
        fitted = self._fit(published)
        x = vector if fitted.columns is None else np.append(vector, 0.0)[fitted.columns]
        found = score_rows(fitted.model, x)
        how = self.exploration
        if limit == 1 and len(passed):
            # The same as one slot of `fill_slots`, in a quarter of the time.
            noise = how.scale * fitted.model.noise
            at, expected, chances = first_slot(
                found, fitted.rows, fitted.model.counts, self.worth, passed,
                noise, how.epsilon, how.is_greedy, draw,
            )  # fmt: skip
            return Ranked(passed, expected, chances, [at], [float(chances[at])])
        rows, worth = fitted.rows[passed], self.worth[passed]
        unit = max(1.0, float(worth.max())) if len(worth) else 1.0
        expected = found[rows] * worth
        slots = fill_slots(fitted.model, expected, rows, how, draw, limit, unit)
        return Ranked(
            passed, expected, slots.probabilities, slots.order.tolist(), slots.propensity.tolist()
        )

    def same_for_all(self, passed: Ints, limit: int) -> Ranked:
        """Slots by value and name, whoever asks."""
        worth = self.worth[passed]
        order = np.lexsort((passed, -worth))[:limit].tolist()
        first = np.zeros(len(passed))
        first[order[:1]] = 1.0
        return Ranked(passed, worth, first, order, [1.0] * len(order))

    def _fit(self, published: Published | None) -> _Fitted:
        address = published.hash if published is not None else ""
        known = self._fitted.get(address)
        if known is None:
            model = published.model if published is not None else self.cold
            names = self.space.names
            # One that we do not read stands behind the others: a zero is appended there.
            places = {name: place for place, name in enumerate(names)}
            known = _Fitted(
                model,
                model.candidates(offer.name for offer in self.candidates),
                None
                if model.features == names
                else np.array([places.get(name, -1) for name in model.features], dtype=np.int64),
            )
            while len(self._fitted) >= MODELS_KEPT:
                self._fitted.pop(next(iter(self._fitted)))
            self._fitted[address] = known
        return known
