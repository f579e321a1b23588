"""Consent: each of the offer's purposes that rests on it must be consented to, now (PI-01, PI-02).

Given, not withdrawn, to the notice in force, and given apart where the purpose asks for separate
consent. Purposes that rest on a contract or a legal duty need none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dipper.decide.candidate import Candidate
from dipper.decide.gates.verdict import INPUT_MISSING, PASSED, Reason, Rule, Verdict, denied


def _article(zh: str, en: str) -> dict[str, str]:
    return {
        "zh": f"个人信息保护法第{zh}条",
        "en": f"Personal Information Protection Law, art. {en}",
    }


NAME = "consent"
TITLE = {"zh": "授权同意", "en": "consent"}
RULES = (
    Rule("PI-01", _article("十三", "13")),
    Rule("PI-02", _article("十四", "14")),
    Rule("PI-03", _article("十五", "15")),
    Rule("PI-12", _article("二十九", "29")),
)
OFFER = ("consents",)
NEEDS = ("consent.*",)
CONDITION = ""
REASONS = {
    INPUT_MISSING: Reason("PI-01", "未取得客户{missing}", "not given: {missing}"),
    "consent_withdrawn": Reason(
        "PI-03",
        "客户已撤回对「{purpose}」的授权同意",
        "the person has withdrawn consent to '{purpose}'",
    ),
    "notice_outdated": Reason(
        "PI-02",
        "客户同意的是「{purpose}」旧版告知书（{given}），现行版本为 {current}，需重新征得同意",
        "consent to '{purpose}' was to notice {given}; notice {current} is in force",
    ),
    "separate_consent_missing": Reason(
        "PI-12",
        "「{purpose}」须取得单独同意，客户尚未单独同意",
        "'{purpose}' needs separate consent, which was not given",
    ),
}


def needs(offer: Candidate) -> tuple[str, ...]:
    """What is known of the consent to each purpose that rests on one."""
    return tuple(
        f"consent.{consent.purpose}.{part}" for consent in offer.consents for part in consent.parts
    )


def check(offer: Candidate, inputs: Mapping[str, Any]) -> Verdict:
    """The first purpose whose consent does not hold denies."""
    for consent in offer.consents:
        purpose = consent.purpose
        if inputs[f"consent.{purpose}.given"] is not True:
            return denied("consent_withdrawn", purpose=purpose)
        given = inputs[f"consent.{purpose}.notice_version"]
        if given != consent.notice_version:
            return denied(
                "notice_outdated", purpose=purpose, given=given, current=consent.notice_version
            )
        if consent.is_separate and inputs[f"consent.{purpose}.separate"] is not True:
            return denied("separate_consent_missing", purpose=purpose)
    return PASSED
