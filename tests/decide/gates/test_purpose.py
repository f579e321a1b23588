"""The gate of purposes, on programs that no check has seen."""

from __future__ import annotations

from typing import Any

OFFER = """
kind: offer
name: probe
HEAD
placements: [home]
purposes: [{purpose}]
applicable: {condition}
"""


def first_denial(bank: Any, purpose: str, condition: str) -> tuple[str, Any]:
    """The first denying gate of a probing offer, and what the purpose gate says."""
    from dipper.decide.replay import recompute

    text = OFFER.format(purpose=purpose, condition=condition)
    decider = bank.decider(*bank.objects(text))
    trace = bank.ask(decider, bank.Person(), placement="home").trace
    row = next(row for row in recompute(decider, trace).rows if row.offer.name == "probe")
    denied = [name for name, verdict in row.verdicts.items() if not verdict.passed]
    return (denied or [""])[0], row.verdicts["purpose"]


def test_own_purpose(bank: Any) -> None:
    """An offer may use what carries one of its purposes."""
    assert first_denial(bank, "marketing", "tag.bills_paid_30d >= 1")[0] == ""


def test_sensitive_input_for_marketing(bank: Any) -> None:
    """A tag counted from hospital visits never serves marketing, whatever its consent."""
    gate, verdict = first_denial(bank, "marketing", "tag.visits_90d >= 1")
    assert gate == "purpose"
    assert verdict.code == "sensitive_not_covered"
    assert verdict.facts["input"] == "event hospital_visited"


def test_declaring_marketing_does_not_help(bank: Any) -> None:
    """A tag that claims marketing for itself is followed down to the hospital's event."""
    text = """
kind: tag
name: many_visits
HEAD
purposes: [marketing]
value: {formula: "tag.visits_90d > 3"}
---
kind: offer
name: probe
HEAD
placements: [home]
purposes: [marketing]
applicable: tag.many_visits
"""
    decider = bank.decider(*bank.objects(text))
    person = bank.Person(tags={**bank.Person().tags, "many_visits": True})
    trace = bank.ask(decider, person, placement="home").trace
    place = decider.place("home")
    assert trace.denied[place.by_name["probe"].index] == "1"
    assert trace.gates[0] == "purpose"


def test_input_of_another_purpose(bank: Any) -> None:
    """What was collected for the service and marketing does not serve the health service."""
    gate, verdict = first_denial(bank, "health", "tag.bills_paid_30d >= 1")
    assert (gate, verdict.code) == ("purpose", "purpose_not_carried")
    assert verdict.facts["purposes"] == ["health"]


def test_sensitive_input_for_its_own_purpose(bank: Any) -> None:
    """The health service, which rests on separate consent, may use the visits."""
    assert first_denial(bank, "health", "tag.visits_90d >= 1")[0] == ""


def test_unknown_purpose(bank: Any) -> None:
    """A purpose without a basis on record denies."""
    gate, verdict = first_denial(bank, "whatever", "person.age > 0")
    assert (gate, verdict.code) == ("purpose", "purpose_unknown")
    assert verdict.facts["purpose"] == "whatever"
