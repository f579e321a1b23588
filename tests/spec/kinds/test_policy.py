"""Kind `policy`."""

from __future__ import annotations

import numpy as np
import pytest

from dipper.decide.rank import exploration
from dipper.decide.rank.ranker import Outcomes
from dipper.decide.rank.registry import built_in
from dipper.spec.kinds.policy import EXPLORATIONS, RANKERS, Exploration


def policy(write, **fields) -> str:
    return write("policy", "p", **{"ranker": "random"} | fields)


def test_the_shares_sum_to_a_thousand(found, write) -> None:
    """The arms are parts per thousand of everybody."""
    (finding,) = found(policy(write, shares={"treated": 700, "control": 200}))
    assert finding.code == "shares_sum"
    assert "sum to 900" in finding.message


def test_a_ranker_is_a_known_one(found, write) -> None:
    """Rankers are members of a family that plug-ins may add to."""
    (finding,) = found(policy(write, ranker="linar"))
    assert (finding.code, finding.hint) == ("unknown_ranker", "Did you mean 'linear'?")


def test_an_exploration_is_a_known_one(codes, write) -> None:
    """So are explorations."""
    assert codes(policy(write, exploration={"method": "boltzmann"})) == ["unknown_exploration"]


def test_features_are_inputs_in_scope(found, write) -> None:
    """A feature is one name that an offer's condition could read."""
    (finding,) = found(policy(write, ranker="linear", features=["tag.bills_paid_7d"]))
    assert (finding.code, finding.path) == ("bad_expression", ("features", 0))
    (finding,) = found(policy(write, ranker="linear", features=["person.age + 1"]))
    assert finding.message == (
        "'features[0]' expects an input, like tag.NAME or person.NAME, "
        "got the text 'person.age + 1'."
    )


def test_a_ranker_without_features_is_a_warning(codes, found, write) -> None:
    """It can only learn what is best for everybody; segment_best needs segments for more."""
    assert codes(policy(write, ranker="linear")) == ["ranker_without_features"]
    (finding,) = found(policy(write, ranker="segment_best"))
    assert (finding.code, finding.hint) == (
        "ranker_without_features",
        "Name segments among its features, or use single_best.",
    )


@pytest.mark.parametrize("ranker", RANKERS)
def test_the_check_warns_of_exactly_what_a_ranker_does_not_read(found, write, ranker) -> None:
    """Each feature is either learned from or found to be unread."""
    features = ["person.age", "segment.regular_payers", "tag.bills_paid_30d"]
    unread = {
        finding.path[1]
        for finding in found(policy(write, ranker=ranker, features=features))
        if finding.code == "feature_unread"
    }
    learner = built_in()[ranker].learner(("1", *features))
    draw = np.random.default_rng(1)
    x = draw.normal(1.0, 1.0, (200, 4))
    x[:, 0] = 1.0
    learner.add(Outcomes(x, ["a"] * 200, draw.random(200), np.ones(200)))
    learned_from = learner.model().weights.any(axis=0)
    assert unread == {place for place in range(3) if not learned_from[place + 1]}


def test_segment_best_learns_from_the_segments_among_its_features(codes, write) -> None:
    """With one there is nothing to find."""
    features = ["segment.regular_payers"]
    assert codes(policy(write, ranker="segment_best", features=features)) == []


def test_a_policy_rewards_something(codes, write) -> None:
    """Two zeros teach nothing."""
    assert codes(policy(write, reward={"clicked": 0.0, "opened": 0.0})) == ["reward_empty"]


def test_the_attribution_window_is_a_window(codes, write) -> None:
    """Fourteen is no time."""
    assert codes(policy(write, window="14")) == ["bad_window"]


def test_a_policy_with_features_serves_one_kind_of_subject(codes, write) -> None:
    """Its features are those of one subject."""
    till = write(
        "placement",
        "till",
        scenario="bill_payment",
        channel="till",
        policy="learned",
        subject="organisation",
    )
    assert "policy_of_two_subjects" in codes(till)


def test_what_a_policy_may_name_exists() -> None:
    """The words of the spec are the rankers and explorations that decide has."""
    assert set(RANKERS) == set(built_in())
    assert set(EXPLORATIONS) == set(exploration.EXPLORATIONS)
    assert Exploration().method in EXPLORATIONS
