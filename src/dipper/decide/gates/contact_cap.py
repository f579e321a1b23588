"""Contact caps: nobody is offered more than the bank has set for itself (ALG-04).

Counts come from the projection (`offer_shown`, `contact_sent` by event time); an unknown count
denies. Within one reply the arbitration counts on, so that a page of offers keeps the cap too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dipper.decide.candidate import Candidate
from dipper.decide.gates.verdict import INPUT_MISSING, PASSED, Reason, Rule, Verdict, denied

NAME = "contact_cap"
TITLE = {"zh": "触达频控", "en": "contact cap"}
RULES = (
    Rule(
        "ALG-04",
        {
            "zh": "互联网信息服务算法推荐管理规定第八条",
            "en": "Provisions on Algorithmic Recommendation, art. 8",
        },
    ),
)
OFFER = ("caps",)
NEEDS = ("cap.*",)
CONDITION = ""
REASONS = {
    INPUT_MISSING: Reason("ALG-04", "缺少触达次数：{missing}", "contacts not known: {missing}"),
    "cap_reached": Reason(
        "ALG-04",
        "已达触达频控上限：「{cap}」{count} 次，上限 {limit} 次",
        "the contact cap '{cap}' is reached: {count} of {limit}",
    ),
}


def needs(offer: Candidate) -> tuple[str, ...]:
    """The count of each cap that holds for the offer."""
    return tuple(f"cap.{cap.name}" for cap in offer.caps)


def check(offer: Candidate, inputs: Mapping[str, Any]) -> Verdict:
    """Each count must be below its limit."""
    for cap in offer.caps:
        count = inputs[f"cap.{cap.name}"]
        if count >= cap.limit:
            return denied("cap_reached", cap=cap.name, count=count, limit=cap.limit)
    return PASSED
