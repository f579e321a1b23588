"""From traces and outcomes to what a ranker learns from, whatever order they came in.

A decision and each of its outcomes arrive as records of their own, in any order and sometimes
twice. Evidence keeps the earliest time of each outcome, so that the rows depend on the set of
records alone. What lies behind the window is settled into the learner's sums and forgotten; what
lies in it is counted afresh at each training, because a click may still come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dipper.decide.arbitration import Decider
from dipper.decide.features import Vector
from dipper.decide.rank.model import Model
from dipper.decide.rank.ranker import Learner, Outcomes, Ranker
from dipper.decide.rank.registry import built_in
from dipper.decide.replay import read_again
from dipper.decide.trace import Trace
from dipper.kit.errors import NotFound
from dipper.spec.kinds.policy import Policy

Brought = Literal["shown", "clicked", "dismissed", "opened"]


@dataclass(frozen=True, eq=False)
class Choice:
    """One decision to learn from: the vector that it read and the chance of each offer given."""

    decision_id: str
    policy: str
    subject: str
    time_us: int
    features: tuple[str, ...]
    x: Vector
    offers: dict[str, float]


@dataclass(frozen=True, eq=False)
class Row:
    """One offer that somebody saw, and what it brought: 0 to 1."""

    decision_id: str
    offer: str
    time_us: int
    x: Vector
    reward: float
    probability: float


def choice_of(decider: Decider, trace: Trace) -> Choice | None:
    """What a trace teaches; None where chance or law chose and not the ranker.

    `decider` is that of the trace's program and tables. Raises Conflict for another.
    """
    if trace.arm != "treated" or not trace.personalised or not trace.offers or not trace.subject:
        return None
    place, values = read_again(decider, trace)
    return Choice(
        trace.decision_id,
        trace.policy,
        trace.subject,
        trace.now_us,
        place.ranking.space.names,
        place.reader.vector(values),
        {one.offer: one.probability for one in trace.offers},
    )


@dataclass
class Evidence:
    """Decisions of one policy and what came of their offers. `features` is the policy's space."""

    policy: Policy
    features: tuple[str, ...]
    _choices: dict[str, Choice] = field(default_factory=dict)
    _brought: dict[tuple[str, str], dict[Brought, int]] = field(default_factory=dict)

    def add_choice(self, choice: Choice) -> None:
        """Take a decision in; a second time changes nothing."""
        self._choices[choice.decision_id] = choice

    def add_outcome(self, decision_id: str, offer: str, brought: Brought, time_us: int) -> None:
        """Take an outcome in, before or after its decision. Of several the earliest counts."""
        known = self._brought.setdefault((decision_id, offer), {})
        known[brought] = min(time_us, known.get(brought, time_us))

    def forget_subject(self, subject: str) -> None:
        """Leave a person out from now on (erasure)."""
        for choice in [one for one in self._choices.values() if one.subject == subject]:
            self._forget(choice)

    def rows(self) -> list[Row]:
        """Every offer that was seen, in order of time, decision and offer."""
        found = [row for choice in self._choices.values() for row in self._rows_of(choice)]
        return sorted(found, key=lambda row: (row.time_us, row.decision_id, row.offer))

    def take_settled(self, now_us: int) -> list[Row]:
        """The rows whose window is over, which are then forgotten."""
        end = now_us - self.policy.window_us
        over = [one for one in self._choices.values() if one.time_us < end]
        found = [row for choice in over for row in self._rows_of(choice)]
        for choice in over:
            self._forget(choice)
        # An outcome whose decision never came will not be matched any more.
        for key, brought in list(self._brought.items()):
            if max(brought.values()) < end and key[0] not in self._choices:
                del self._brought[key]
        return sorted(found, key=lambda row: (row.time_us, row.decision_id, row.offer))

    def _rows_of(self, choice: Choice) -> Iterable[Row]:
        for offer, probability in choice.offers.items():
            brought = self._brought.get((choice.decision_id, offer), {})
            last = choice.time_us + self.policy.window_us
            counted = {kind for kind, time_us in brought.items() if time_us <= last}
            # An offer that nobody saw says nothing about the offer.
            if counted:
                yield Row(
                    choice.decision_id,
                    offer,
                    choice.time_us,
                    self._aligned(choice),
                    self._reward(counted),
                    probability,
                )

    def _reward(self, counted: set[Brought]) -> float:
        """What the policy's weights make of it, as a part of the most that there is."""
        weights = self.policy.reward
        most = weights.clicked + weights.opened
        clicked = weights.clicked if counted & {"clicked", "opened"} else 0.0
        return (clicked + (weights.opened if "opened" in counted else 0.0)) / most if most else 0.0

    def _aligned(self, choice: Choice) -> Vector:
        """The vector in the policy's space; what the decision did not read is 0."""
        if choice.features == self.features:
            return choice.x
        known = dict(zip(choice.features, choice.x.tolist(), strict=True))
        return np.array([known.get(name, 0.0) for name in self.features])

    def _forget(self, choice: Choice) -> None:
        del self._choices[choice.decision_id]
        for offer in choice.offers:
            self._brought.pop((choice.decision_id, offer), None)


@dataclass
class PolicyLearner:
    """Learns one policy. `settled` has the sums of what cannot change any more."""

    ranker: Ranker
    evidence: Evidence
    settled: Learner

    def settle(self, now_us: int) -> None:
        """Move what lies behind the window into the sums."""
        rows = self.evidence.take_settled(now_us)
        if rows:
            self.settled.add(outcomes_of(rows))

    def model(self) -> Model:
        """What everything so far says, to be published."""
        learner = self.ranker.resume(self.settled.to_bytes())
        rows = self.evidence.rows()
        if rows:
            learner.add(outcomes_of(rows))
        return learner.model()


def learner_of(
    decider: Decider, policy: str, rankers: Mapping[str, Ranker] | None = None
) -> PolicyLearner:
    """A learner of a policy that has seen nothing; `rankers` where plug-ins add some.

    Raises NotFound for a policy that serves no placement.
    """
    for place in decider.places.values():
        if place.policy.name == policy:
            ranker = (rankers or built_in())[place.policy.ranker]
            features = place.ranking.cold.features
            return PolicyLearner(ranker, Evidence(place.policy, features), ranker.learner(features))
    raise NotFound(f"expected a policy that serves a placement, got '{policy}'", where="policy")


def outcomes_of(rows: list[Row]) -> Outcomes:
    """Rows as the arrays that a learner adds."""
    return Outcomes(
        np.stack([row.x for row in rows]),
        tuple(row.offer for row in rows),
        np.array([row.reward for row in rows]),
        np.array([row.probability for row in rows]),
    )
