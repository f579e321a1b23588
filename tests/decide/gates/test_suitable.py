"""SUIT-01 to SUIT-03: risk levels, validity, and conditions that only narrow."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from dipper.decide.gates import suitable
from dipper.decide.screen import judge

NOW = 1_000
VALID = {"assessment.level": 3, "assessment.valid_until_us": 2_000, "now()": NOW}


def offer_of(decider: Any, issuer: int | None, seller: int | None) -> Any:
    """An insurance offer whose product has these levels."""
    offer = decider.place("result").by_name["accident"]
    return dataclasses.replace(offer, risk_issuer=issuer, risk_seller=seller)


@pytest.mark.parametrize("level", range(1, 6))
def test_matrix(decider: Any, level: int) -> None:
    """R of the product, the higher of both ratings, must not be above C of the person (SUIT-03)."""
    for issuer, seller in itertools.product((None, 1, 2, 3, 4, 5), repeat=2):
        ratings = [rating for rating in (issuer, seller) if rating is not None]
        verdict = judge(
            suitable, offer_of(decider, issuer, seller), {**VALID, "assessment.level": level}
        )
        assert verdict.passed is (bool(ratings) and max(ratings) <= level)


def test_numbers_of_a_denial(decider: Any) -> None:
    """A denial by level carries both levels."""
    verdict = judge(suitable, offer_of(decider, 2, 4), VALID)
    assert verdict.code == "risk_above_tolerance"
    assert verdict.facts == {"product_level": 4, "person_level": 3}


def test_no_rating(decider: Any) -> None:
    """A product that nobody has rated is missing an input."""
    verdict = judge(suitable, offer_of(decider, None, None), VALID)
    assert verdict.code == "input_missing"
    assert "product.risk_issuer" in verdict.facts["missing"]


@pytest.mark.parametrize("name", ["assessment.level", "assessment.valid_until_us", "now()"])
def test_missing_assessment(decider: Any, name: str) -> None:
    """Without assessment, its validity or the time the answer is no."""
    offer = decider.place("result").by_name["accident"]
    assert judge(suitable, offer, {**VALID, name: None}).facts == {"missing": (name,)}


def test_expiry(decider: Any) -> None:
    """An assessment counts until the moment when its validity ends (SUIT-02)."""
    offer = decider.place("result").by_name["accident"]
    assert judge(suitable, offer, {**VALID, "now()": 1_999}).passed
    verdict = judge(suitable, offer, {**VALID, "now()": 2_000})
    assert (verdict.code, verdict.facts) == ("assessment_expired", {"expired_us": 2_000})


@pytest.mark.parametrize("level", [0, 6, -1])
def test_level_that_is_none(decider: Any, level: int) -> None:
    """A level outside 1 to 5 denies, on either side."""
    offer = decider.place("result").by_name["accident"]
    assert judge(suitable, offer, {**VALID, "assessment.level": level}).code == "level_unknown"


@pytest.mark.parametrize("level", [0, 6])
def test_product_level_that_is_none(decider: Any, level: int) -> None:
    """A product rated 0 is not safer than every person, and 6 not merely riskier."""
    values = {**VALID, "assessment.level": 5}
    assert judge(suitable, offer_of(decider, level, level), values).code == "level_unknown"
    assert judge(suitable, offer_of(decider, level, 2), values).code == "level_unknown"
    assert judge(suitable, offer_of(decider, 2, level), values).code == "level_unknown"


def test_other_classes(decider: Any) -> None:
    """A deposit needs no assessment."""
    assert judge(suitable, decider.place("result").by_name["savings"], {}).passed


def test_unknown_product(bank: Any) -> None:
    """An offer whose product nobody knows is denied: it could be of any class."""
    text = (
        "kind: offer\nname: probe\nHEAD\nproduct: no.such\nplacements: [home]\npurposes: [service]"
    )
    offer = bank.decider(*bank.objects(text)).place("home").by_name["probe"]
    assert judge(suitable, offer, VALID).facts == {"missing": ("product.class",)}


def test_own_condition_narrows(decider: Any) -> None:
    """The offer's condition can only narrow: it is asked beside the rule and never instead."""
    offer = decider.place("result").by_name["equity_r4"]
    rich = {**VALID, "assessment.level": 4, "tag.bill_amount_90d": 100_000}
    assert judge(suitable, offer, rich).passed
    assert judge(suitable, offer, {**rich, "tag.bill_amount_90d": 99_999}).code == (
        "condition_not_met"
    )
    assert judge(suitable, offer, {**rich, "assessment.level": 3}).code == "risk_above_tolerance"
    assert judge(suitable, offer, {**rich, "tag.bill_amount_90d": None}).code == "input_missing"


def test_condition_that_would_widen(bank: Any) -> None:
    """`suitable: TRUE` opens nothing."""
    text = (
        "kind: offer\nname: probe\nHEAD\nproduct: fund.equity\nplacements: [home]\n"
        "purposes: [service]\nsuitable: 'TRUE'"
    )
    offer = bank.decider(*bank.objects(text)).place("home").by_name["probe"]
    assert not judge(suitable, offer, VALID).passed
