"""Whether the offer makes sense now: its product is on sale and its own condition holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dipper.decide.candidate import Candidate
from dipper.decide.condition import judge_condition
from dipper.decide.gates.verdict import INPUT_MISSING, Reason, Rule, Verdict, denied

NAME = "applicable"
TITLE = {"zh": "适用条件", "en": "applicability"}
RULES = (
    Rule("APPL-01", {"zh": "本行产品适用规则", "en": "the bank's rules of applicability"}),
    Rule("APPL-02", {"zh": "产品销售期", "en": "the product's period of sale"}),
)
OFFER = ("applicable", "on_sale_from_us", "on_sale_until_us")
NEEDS = ("*",)
CONDITION = "applicable"
REASONS = {
    INPUT_MISSING: Reason("APPL-01", "缺少判断所需的信息：{missing}", "not known: {missing}"),
    "condition_not_met": Reason(
        "APPL-01",
        "当前不满足适用条件：{condition}",
        "the condition of applicability does not hold: {condition}",
    ),
    "not_yet_on_sale": Reason(
        "APPL-02",
        "该产品尚未开售（{sale_from_us} 起售）",
        "the product is on sale from {sale_from_us}",
    ),
    "no_longer_on_sale": Reason(
        "APPL-02", "该产品已停售（售至 {sale_to_us}）", "the product was on sale until {sale_to_us}"
    ),
}


def needs(offer: Candidate) -> tuple[str, ...]:
    """The time where the product has a period of sale, and what the condition requires."""
    has_period = offer.on_sale_from_us is not None or offer.on_sale_until_us is not None
    required = offer.applicable.required if offer.applicable else ()
    return ("now()", *required) if has_period and "now()" not in required else required


def check(offer: Candidate, inputs: Mapping[str, Any]) -> Verdict:
    """Inside the period of sale (both ends in the bank's zone), then the condition must be TRUE."""
    if offer.on_sale_from_us is not None and inputs["now()"] < offer.on_sale_from_us:
        return denied("not_yet_on_sale", sale_from_us=offer.on_sale_from_us)
    if offer.on_sale_until_us is not None and inputs["now()"] >= offer.on_sale_until_us:
        return denied("no_longer_on_sale", sale_to_us=offer.on_sale_until_us - 1)
    return judge_condition(offer.applicable, inputs)
