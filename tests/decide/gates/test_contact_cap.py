"""Contact caps: below the limit passes, at the limit denies."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.decide.gates import contact_cap
from dipper.decide.screen import judge


@pytest.mark.parametrize(("count", "passed"), [(0, True), (4, True), (5, False), (6, False)])
def test_limit(decider: Any, count: int, passed: bool) -> None:
    """The cap allows fewer than its limit before, so that this contact is the last."""
    offer = decider.place("result").by_name["savings"]
    assert judge(contact_cap, offer, {"cap.all_week": count}).passed is passed


def test_scopes(decider: Any) -> None:
    """A line's cap holds for its products, an offer's for the offer, a general one for all."""
    offers = decider.place("result").by_name
    assert contact_cap.needs(offers["savings"]) == ("cap.all_week",)
    assert contact_cap.needs(offers["growth_r2"]) == ("cap.all_week", "cap.wealth_week")
    assert contact_cap.needs(offers["equity_r4"]) == ("cap.all_week", "cap.wealth_week")
    assert contact_cap.needs(offers["autopay"]) == ("cap.all_week", "cap.autopay_month")


def test_numbers_of_a_denial(decider: Any) -> None:
    """A denial carries cap, count and limit."""
    offer = decider.place("result").by_name["growth_r2"]
    verdict = judge(contact_cap, offer, {"cap.all_week": 1, "cap.wealth_week": 2})
    assert (verdict.code, verdict.facts) == (
        "cap_reached",
        {"cap": "wealth_week", "count": 2, "limit": 2},
    )


def test_unknown_count(decider: Any) -> None:
    """A count that nobody knows denies."""
    offer = decider.place("result").by_name["savings"]
    assert judge(contact_cap, offer, {"cap.all_week": None}).code == "input_missing"


def test_cap_of_other_subjects(bank: Any) -> None:
    """A cap that protects organisations does not count for a person's placement."""
    text = "kind: cap\nname: firms\nHEAD\nlimit: 1\nwindow: 7d\nsubject: organisation"
    offer = bank.decider(*bank.objects(text)).place("result").by_name["savings"]
    assert contact_cap.needs(offer) == ("cap.all_week",)
