"""An offer may only use what was collected for one of its purposes (PI-01, PFI-13, PI-12).

What it reads is followed through tags and segments down to events and properties
(`dipper.spec.lineage`), so that a health event does not become a marketing reason by being counted
first. `dipper check` refuses a spec that breaks this, so on an applied program the gate never
speaks. It stands here all the same: a program compiled past the check must not decide past the
rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dipper.decide.candidate import Candidate
from dipper.decide.gates.verdict import PASSED, Reason, Rule, Verdict, denied

NAME = "purpose"
TITLE = {"zh": "处理目的", "en": "purpose"}
RULES = (
    Rule(
        "PI-01",
        {"zh": "个人信息保护法第十三条", "en": "Personal Information Protection Law, art. 13"},
    ),
    Rule("PFI-13", {"zh": "个人金融信息保护技术规范", "en": "JR/T 0171-2020"}),
    Rule(
        "PI-12",
        {
            "zh": "个人信息保护法第二十八、二十九条",
            "en": "Personal Information Protection Law, art. 28-29",
        },
    ),
)
OFFER = ("purposes", "unknown_purposes", "conflicts")
NEEDS: tuple[str, ...] = ()
CONDITION = ""
REASONS = {
    "purpose_unknown": Reason(
        "PI-01",
        "该方案的处理目的「{purpose}」未登记合法性基础",
        "the offer's purpose '{purpose}' has no lawful basis on record",
    ),
    "purpose_not_carried": Reason(
        "PFI-13",
        "该方案使用的「{input}」不得用于其处理目的（{purposes}）",
        "'{input}', which the offer uses, may not serve its purpose ({purposes})",
    ),
    "sensitive_not_covered": Reason(
        "PI-12",
        "该方案使用的「{input}」属于敏感个人信息，未取得相应的单独同意，不得用于{purposes}",
        "'{input}', which the offer uses, is sensitive and may not serve {purposes}",
    ),
}


def needs(offer: Candidate) -> tuple[str, ...]:
    """Nothing: the verdict follows from the program alone."""
    return ()


def check(offer: Candidate, inputs: Mapping[str, Any]) -> Verdict:
    """Each purpose has a basis, and nothing is read against what it was collected for."""
    if not offer.purposes or offer.unknown_purposes:
        return denied("purpose_unknown", purpose=(*offer.unknown_purposes, "")[0])
    for conflict in offer.conflicts:
        code = "sensitive_not_covered" if conflict.sensitive else "purpose_not_carried"
        kind, name = conflict.chain[-1]
        return denied(code, input=f"{kind} {name}", purposes=list(offer.purposes))
    return PASSED
