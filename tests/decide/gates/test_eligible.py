"""The bank's admission conditions."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.decide.gates import eligible
from dipper.decide.screen import judge


@pytest.mark.parametrize(
    ("age", "code"),
    [(18, "passed"), (17, "condition_not_met"), (None, "input_missing")],
)
def test_condition(decider: Any, age: int | None, code: str) -> None:
    """TRUE passes, FALSE denies, and a missing value denies as missing."""
    offer = decider.place("result").by_name["autopay"]
    verdict = judge(eligible, offer, {"person.age": age})
    assert (verdict.passed, verdict.code) == (code == "passed", code)


def test_absent_value(decider: Any) -> None:
    """A value that is not even named among the inputs is missing."""
    offer = decider.place("result").by_name["autopay"]
    verdict = judge(eligible, offer, {})
    assert verdict.facts == {"missing": ("person.age",)}


def test_no_condition(decider: Any) -> None:
    """An offer without a condition is for everybody."""
    assert judge(eligible, decider.place("result").by_name["tip"], {}).passed


def test_value_that_may_be_unknown(decider: Any) -> None:
    """A condition that says `IS NULL` itself is asked although the value is missing."""
    offer = decider.place("result").by_name["savings"]
    assert eligible.needs(offer) == ("person.age",)
    assert judge(eligible, offer, {"person.age": 30, "person.city": None}).passed
    assert not judge(eligible, offer, {"person.age": 30, "person.city": "paris"}).passed
