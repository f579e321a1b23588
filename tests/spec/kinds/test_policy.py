"""Kind `policy`."""

from __future__ import annotations

from dipper.decide.rank import exploration
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


def test_a_linear_ranker_without_features_is_a_warning(codes, write) -> None:
    """It can only learn what is best for everybody."""
    assert codes(policy(write, ranker="linear")) == ["linear_without_features"]


def test_features_that_nobody_reads_are_a_warning(codes, write) -> None:
    """A random ranker reads none."""
    assert codes(policy(write, features=["person.age"])) == ["features_unread"]


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
