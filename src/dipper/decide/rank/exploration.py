"""From scores to probabilities, and from probabilities to the offers of the slots.

A ranker that always gave the best-looking offer would never learn that another is better. Each
candidate therefore keeps a probability, which is logged, so that outcomes can be weighed later.

`inverse_gap` gives a candidate less the further its score lies behind the best and the more
outcomes it has: what is unknown is tried, what is known to be worse hardly ever. It is inverse gap
weighting (Abe and Long 1999; Foster and Rakhlin 2020, SquareCB) with a learning rate for each
offer instead of one for all, so that an offer that joins late is tried like one of the first day.
The gap is measured in units of the reward's noise, so that no setting depends on its scale.
`epsilon` gives the best-looking one everything but the even part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dipper.decide.rank.model import Floats, Ints, Model
from dipper.decide.rank.slots import choose_place, fill_chances
from dipper.kit.errors import BadInput, did_you_mean
from dipper.kit.hashing import unit_interval

EXPLORATIONS = ("inverse_gap", "epsilon")


@dataclass(frozen=True, slots=True)
class Exploration:
    """How probabilities follow from scores.

    `epsilon` (0 to 1) is the part of probability that is spread evenly over all candidates;
    `scale` (above 0) is how much inverse_gap explores, 1 being what was measured best.
    """

    method: str = "inverse_gap"
    epsilon: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.method not in EXPLORATIONS:
            raise BadInput(
                f"expected one of {', '.join(EXPLORATIONS)}, got '{self.method}'.",
                where="exploration.method",
                hint=did_you_mean(self.method, EXPLORATIONS),
            )
        if not 0.0 <= self.epsilon <= 1.0 or not self.scale > 0.0:
            raise BadInput(
                f"expected epsilon from 0 to 1 and scale above 0, got {self.epsilon} "
                f"and {self.scale}.",
                where="exploration",
            )

    @property
    def is_greedy(self) -> bool:
        """Whether the best-looking one gets everything but the even part."""
        return self.method == "epsilon"


@dataclass(frozen=True, eq=False)
class Slots:
    """Who got which slot.

    `order` are places in the candidates, one a slot; `propensity` the probability of each for its
    slot, given the slots before; `probabilities` those of all candidates for the first slot.
    """

    order: Ints
    propensity: Floats
    probabilities: Floats


def probabilities(
    model: Model,
    scores: Floats,
    candidates: Ints,
    exploration: Exploration,
    unit: float = 1.0,
) -> Floats:
    """The probability of each candidate for one slot; they sum to 1.

    `scores` are those of `candidates`. Where they have been multiplied by what an offer is worth,
    `unit` is the largest worth among the candidates, so that gap and noise stay comparable.
    """
    chances = np.empty(len(scores))
    if len(scores):
        noise = exploration.scale * model.noise * unit
        counts = model.counts[candidates]
        fill_chances(scores, counts, noise, exploration.epsilon, exploration.is_greedy, chances)
    return chances


def choose(probabilities: Floats, draw: float) -> int:
    """The place that a draw from [0, 1) falls on; never one of probability 0."""
    return int(choose_place(probabilities, draw))


def fill_slots(
    model: Model,
    scores: Floats,
    candidates: Ints,
    exploration: Exploration,
    draw: float,
    limit: int,
    unit: float = 1.0,
) -> Slots:
    """Candidates for up to `limit` slots, drawn one after the other without repetition.

    The first slot takes the draw as it is, a later one a hash of it and the slot's number. After
    each slot the probabilities are those among the rest: the second slot's favourite is the second
    best offer, not whatever the first draw left over.
    """
    first = probabilities(model, scores, candidates, exploration, unit)
    order: list[int] = []
    propensity: list[float] = []
    left = np.arange(len(scores))
    chances, slot_draw = first, draw
    slots = min(limit, len(scores))
    for slot in range(1, slots + 1):
        at = choose(chances, slot_draw)
        order.append(int(left[at]))
        propensity.append(float(chances[at]))
        if slot < slots:
            left = np.delete(left, at)
            chances = probabilities(model, scores[left], candidates[left], exploration, unit)
            slot_draw = unit_interval("slot", draw.hex(), str(slot))
    return Slots(np.array(order, dtype=np.int64), np.array(propensity), first)
