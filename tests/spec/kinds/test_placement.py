"""Kind `placement`."""

from __future__ import annotations


def placement(write, name: str = "bill_home", **fields) -> str:
    return write(
        "placement",
        name,
        **{"scenario": "bill_payment", "channel": "mobile", "policy": "learned"} | fields,
    )


def test_a_placement_that_no_offer_names_is_a_warning(codes, write) -> None:
    """It would always show its default."""
    assert codes(placement(write)) == ["placement_without_offers"]


def test_a_placebo_arm_needs_a_placebo_offer(codes) -> None:
    """Persons in that arm would get nothing, and the arm would measure something else."""
    assert codes(instead={"placebo: true\n": ""}) == ["placebo_missing"]


def test_an_unknown_policy_is_found(found, write) -> None:
    """The policy is a reference like any other."""
    findings = found(placement(write, policy="learnt"))
    assert ("unknown_reference", ("policy",)) in [(one.code, one.path) for one in findings]


def test_the_limit_is_a_positive_number(found, write) -> None:
    """An answer has at least one place."""
    (finding,) = found(placement(write, limit=0))
    assert (finding.code, finding.path) == ("bad_value", ("limit",))
    assert finding.message == "'limit' must be greater than or equal to 1, got 0."
