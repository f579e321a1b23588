"""A policy says how a placement chooses among the offers that passed, and how that is measured.

A ranker orders them by what it has learned from outcomes; exploration keeps it learning and its
probabilities logged; shares split people by a hash into those who get its choice (treated), those
who get nothing (control) and those who get the placebo, so that the effect can be proved.

`linear` learns from all `features`. `segment_best` learns the best offer of each segment that
stands among the `features`, and from nothing else; `single_best` and `random` read none.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dipper.kit.clock import parse_duration_us
from dipper.spec.document import Name, Part, Project, Ref, Spec, Words, Written
from dipper.spec.finding import Finding, unknown_word, warning, window_findings

RANKERS = ("linear", "random", "single_best", "segment_best")
EXPLORATIONS = ("inverse_gap", "epsilon")

# Which features a ranker reads: those that begin so. What has no line here reads none.
READS = {"linear": "", "segment_best": "segment."}

InputName = Annotated[
    str,
    Field(pattern=r"^(tag|segment|person|organisation|case|context|product)\.[a-z][a-z0-9_]*$"),
]


class Exploration(Part):
    """How the ranker tries what it is not sure of."""

    method: Name = Field(default="inverse_gap", description="how probabilities follow from scores")
    epsilon: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="the part of probability spread evenly over all candidates",
    )
    scale: float = Field(default=1.0, gt=0.0, description="how strongly the method explores")


class Shares(Part):
    """The arms, in parts per thousand; their sum is 1000."""

    treated: int = Field(default=1000, ge=0, le=1000, description="gets the policy's choice")
    control: int = Field(default=0, ge=0, le=1000, description="gets nothing")
    placebo: int = Field(default=0, ge=0, le=1000, description="gets the placebo offer")

    @property
    def total(self) -> int:
        return self.treated + self.control + self.placebo


class Reward(Part):
    """What an outcome is worth to the ranker."""

    clicked: float = Field(default=0.1, ge=0.0, description="a click")
    opened: float = Field(default=1.0, ge=0.0, description="an opening that the core confirmed")


class Policy(Spec):
    """How offers are chosen."""

    kind = "policy"
    plural = "policies"
    risk = "high"
    approver = "managing"

    ranker: Name = Field(description="linear, random, single_best, segment_best")
    features: tuple[InputName, ...] = Field(
        default=(), description="what linear reads; of them segment_best reads the segments"
    )
    exploration: Exploration = Field(
        default_factory=Exploration, description="how it tries what it is not sure of"
    )
    shares: Shares = Field(default_factory=Shares, description="the arms")
    reward: Reward = Field(default_factory=Reward, description="what it learns from")
    window: Words = Field(
        default="14d", description="how long after a decision an outcome belongs to it"
    )

    @property
    def window_us(self) -> int:
        """The attribution window in microseconds. Raises ValueError if malformed."""
        return parse_duration_us(self.window)

    def refs(self) -> tuple[Ref, ...]:
        return tuple(ref for text in self.written() for ref in text.refs())

    def written(self) -> tuple[Written, ...]:
        return tuple(
            Written(("features", place), name, "offer") for place, name in enumerate(self.features)
        )

    def findings(self, project: Project) -> list[Finding]:
        return [
            *self._word_findings(project),
            *self._number_findings(),
            *self._feature_findings(project),
        ]

    def _word_findings(self, project: Project) -> list[Finding]:
        words = (
            ("ranker", self.ranker, "rankers", ("ranker",)),
            ("exploration", self.exploration.method, "explorations", ("exploration", "method")),
        )
        return [
            unknown_word(what, word, project.members(family), path)
            for what, word, family, path in words
            if word not in project.members(family)
        ]

    def _number_findings(self) -> list[Finding]:
        found = []
        if self.shares.total != 1000:
            found.append(
                Finding(
                    "shares_sum",
                    f"the shares of policy '{self.name}' sum to {self.shares.total}; "
                    "expected 1000 parts per thousand.",
                    ("shares",),
                    "treated + control + placebo = 1000.",
                )
            )
        if self.reward.clicked + self.reward.opened == 0:
            found.append(
                Finding(
                    "reward_empty",
                    f"policy '{self.name}' rewards nothing, so it learns nothing.",
                    ("reward",),
                    "Give clicked or opened a weight.",
                )
            )
        return found + window_findings(self.window, ("window",))

    def _feature_findings(self, project: Project) -> list[Finding]:
        found = self._ranker_findings() if self.ranker in RANKERS else []
        places = project.objects("placement").values()
        subjects = sorted({place.subject for place in places if place.policy == self.name})
        if self.features and len(subjects) > 1:
            found.append(
                Finding(
                    "policy_of_two_subjects",
                    f"policy '{self.name}' serves placements for {' and '.join(subjects)}, "
                    "but its features read one subject.",
                    ("features",),
                    "Make a policy for each.",
                )
            )
        return found

    def _ranker_findings(self) -> list[Finding]:
        """Where a built-in ranker and the features do not fit each other."""
        prefix = READS.get(self.ranker)
        unread = [
            place
            for place, name in enumerate(self.features)
            if prefix is None or not name.startswith(prefix)
        ]
        found = [
            warning(
                "feature_unread",
                f"ranker {self.ranker} does not read {self.features[place]}.",
                ("features", place),
                "Remove it, or use linear.",
            )
            for place in unread
        ]
        if prefix is not None and len(unread) == len(self.features):
            what = "segment" if prefix else "feature"
            found.append(
                warning(
                    "ranker_without_features",
                    f"policy '{self.name}' is {self.ranker} but reads no {what}: it can only learn "
                    "which offer is best for everybody.",
                    ("ranker",),
                    f"Name {what}s among its features, or use single_best.",
                )
            )
        return found


MODEL = Policy

EXAMPLE = """\
kind: policy
name: learned
title: {zh: 学习排序, en: learned ranking}
owners: {business: retail, technical: data-platform, managing: retail-head}
ranker: linear
features: [tag.bills_paid_30d, person.age]
exploration: {method: inverse_gap, epsilon: 0.02}
shares: {treated: 700, control: 200, placebo: 100}
reward: {clicked: 0.1, opened: 1.0}
window: 14d
"""
