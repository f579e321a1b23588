"""Suitability: no wealth, fund or insurance product above what the person may bear (SUIT-01 to 03).

Built in by product class. An offer's own `suitable` condition can only narrow it: it is asked after
the rule, never instead of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dipper.decide.candidate import Candidate
from dipper.decide.condition import judge_condition
from dipper.decide.gates.verdict import INPUT_MISSING, Reason, Rule, Verdict, denied, input_missing
from dipper.spec.kinds.table import RISK_LEVELS

_SOURCE = {
    "zh": "金融机构产品适当性管理办法",
    "en": "NFRA Order 2025-7, product suitability",
}

NAME = "suitable"
TITLE = {"zh": "适当性", "en": "suitability"}
RULES = (
    Rule("SUIT-01", _SOURCE),
    Rule("SUIT-02", _SOURCE),
    Rule("SUIT-03", _SOURCE),
    Rule("SUIT-05", _SOURCE),
)
OFFER = ("is_unknown_product", "is_regulated", "risk_level", "suitable")
NEEDS = ("assessment.level", "assessment.valid_until_us", "now()", "*")
CONDITION = "suitable"
REASONS = {
    INPUT_MISSING: Reason("SUIT-02", "缺少{missing}", "not known: {missing}"),
    "assessment_expired": Reason(
        "SUIT-02",
        "客户的风险承受能力评估已于 {expired_us} 过期",
        "the person's risk assessment expired on {expired_us}",
    ),
    "level_unknown": Reason(
        "SUIT-01",
        "风险等级不在 1 至 5 之间（产品 R{product_level}，客户 C{person_level}）",
        "a level is not between 1 and 5 (product R{product_level}, person C{person_level})",
    ),
    "risk_above_tolerance": Reason(
        "SUIT-03",
        "该产品风险等级为 R{product_level}，高于客户的 C{person_level}",
        "the product's risk level R{product_level} is above the person's C{person_level}",
    ),
    "condition_not_met": Reason(
        "SUIT-05",
        "不满足该方案附加的适当性条件：{condition}",
        "the offer's own condition of suitability does not hold: {condition}",
    ),
}


def needs(offer: Candidate) -> tuple[str, ...]:
    """The assessment and the time for the classes that the rule names, and the condition's own."""
    required = offer.suitable.required if offer.suitable else ()
    if not offer.is_regulated:
        return required
    own = ("assessment.level", "assessment.valid_until_us", "now()")
    return own + tuple(name for name in required if name not in own)


def check(offer: Candidate, inputs: Mapping[str, Any]) -> Verdict:
    """A valid assessment, and the higher of issuer's and seller's level not above the person's."""
    if offer.is_unknown_product:
        return input_missing("product.class")
    if offer.is_regulated:
        product, person = offer.risk_level, inputs["assessment.level"]
        if product is None:
            return input_missing("product.risk_issuer", "product.risk_seller")
        if product not in RISK_LEVELS or person not in RISK_LEVELS:
            return denied("level_unknown", product_level=product, person_level=person)
        if inputs["assessment.valid_until_us"] <= inputs["now()"]:
            return denied("assessment_expired", expired_us=inputs["assessment.valid_until_us"])
        if product > person:
            return denied("risk_above_tolerance", product_level=product, person_level=person)
    return judge_condition(offer.suitable, inputs)
