"""Whether this person may have the offer at all: the bank's own admission conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dipper.decide.candidate import Candidate
from dipper.decide.condition import judge_condition
from dipper.decide.gates.verdict import INPUT_MISSING, Reason, Rule, Verdict

NAME = "eligible"
TITLE = {"zh": "准入条件", "en": "eligibility"}
RULES = (Rule("ELIG-01", {"zh": "本行产品准入规则", "en": "the bank's admission rules"}),)
OFFER = ("eligible",)
NEEDS = ("*",)
CONDITION = "eligible"
REASONS = {
    INPUT_MISSING: Reason("ELIG-01", "缺少判断所需的信息：{missing}", "not known: {missing}"),
    "condition_not_met": Reason(
        "ELIG-01",
        "客户不满足准入条件：{condition}",
        "the eligibility condition does not hold: {condition}",
    ),
}


def needs(offer: Candidate) -> tuple[str, ...]:
    """The values without which the offer's condition cannot be judged."""
    return offer.eligible.required if offer.eligible else ()


def check(offer: Candidate, inputs: Mapping[str, Any]) -> Verdict:
    """The condition must be TRUE; FALSE and NULL deny."""
    return judge_condition(offer.eligible, inputs)
