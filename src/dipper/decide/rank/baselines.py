"""Rankers that know less on purpose: what learning about a person is worth is measured by them.

`random` has no preference, `single_best` looks for the offer that is best for everybody,
`segment_best` for the best in each segment. They are the linear ranker with columns hidden, and
weigh rows by 1/probability, so that the rate of an offer is the one that it would have if it were
given to everybody, whoever ranked when the outcomes came in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dipper.decide.rank.linear import Counting, LinearLearner
from dipper.decide.rank.ranker import Learner

SEGMENT_PREFIX = "segment."


@dataclass(frozen=True)
class Baseline:
    """A ranker that sees only some columns; `sees` judges a column by place and name."""

    NAME: str
    TITLE: Mapping[str, str]
    sees: Callable[[int, str], bool]

    def learner(self, features: Sequence[str]) -> Learner:
        """A learner that has seen nothing, for vectors of these features, the intercept first."""
        seen = tuple(self.sees(place, name) for place, name in enumerate(features))
        return LinearLearner(tuple(features), Counting(seen, is_weighed=True))

    def resume(self, data: bytes) -> Learner:
        """The learner whose sums these are."""
        return LinearLearner.from_bytes(data)


RANDOM = Baseline("random", {"zh": "随机", "en": "random"}, lambda place, name: False)
SINGLE_BEST = Baseline(
    "single_best",
    {"zh": "单一最优方案", "en": "best single offer"},
    lambda place, name: place == 0,
)
SEGMENT_BEST = Baseline(
    "segment_best",
    {"zh": "分客群最优方案", "en": "best offer per segment"},
    lambda place, name: place == 0 or name.startswith(SEGMENT_PREFIX),
)
