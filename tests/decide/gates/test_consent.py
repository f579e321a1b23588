"""Consent to each of an offer's purposes that rests on it."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.decide.gates import consent
from dipper.decide.screen import judge

GIVEN = {"consent.marketing.given": True, "consent.marketing.notice_version": "v2"}
HEALTH = {
    "consent.health.given": True,
    "consent.health.notice_version": "v1",
    "consent.health.separate": True,
}


@pytest.fixture
def offer(decider: Any) -> Any:
    """An offer for marketing, which rests on consent."""
    return decider.place("result").by_name["autopay"]


def test_given(offer: Any) -> None:
    """Consent to the notice in force lets pass."""
    assert judge(consent, offer, GIVEN).passed


def test_withdrawn(offer: Any) -> None:
    """A withdrawal holds although consent was given before (PI-03)."""
    verdict = judge(consent, offer, {**GIVEN, "consent.marketing.given": False})
    assert (verdict.code, verdict.facts) == ("consent_withdrawn", {"purpose": "marketing"})


def test_older_notice(offer: Any) -> None:
    """Consent to an older notice is stale (PI-02)."""
    verdict = judge(consent, offer, {**GIVEN, "consent.marketing.notice_version": "v1"})
    assert verdict.facts == {"purpose": "marketing", "given": "v1", "current": "v2"}


def test_never_asked(offer: Any) -> None:
    """Who was never asked has given none."""
    assert judge(consent, offer, {}).code == "input_missing"


def test_purpose_without_consent(decider: Any) -> None:
    """A purpose that rests on the contract needs none."""
    assert judge(consent, decider.place("result").by_name["umbrella"], {}).passed


def test_separate(decider: Any) -> None:
    """A purpose that asks for separate consent takes no other (PI-12)."""
    reminder = decider.place("clinic").by_name["reminder"]
    assert judge(consent, reminder, HEALTH).passed
    verdict = judge(consent, reminder, {**HEALTH, "consent.health.separate": False})
    assert verdict.code == "separate_consent_missing"


def test_every_purpose(bank: Any) -> None:
    """An offer with two purposes needs consent to both."""
    text = (
        "kind: offer\nname: probe\nHEAD\nplacements: [home]\npurposes: [marketing, service, health]"
    )
    offer = bank.decider(*bank.objects(text)).place("home").by_name["probe"]
    assert judge(consent, offer, {**GIVEN, **HEALTH}).passed
    for purpose in ("marketing", "health"):
        values = {**GIVEN, **HEALTH, f"consent.{purpose}.given": False}
        assert judge(consent, offer, values).facts == {"purpose": purpose}
