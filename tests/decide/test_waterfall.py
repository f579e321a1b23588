"""A decision as data for a picture."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.decide.waterfall import waterfall


def test_steps(bank: Any, decider: Any) -> None:
    """Each gate takes its offers away, and what is left at the end was ranked or is a placebo."""
    person = bank.Person(assessment=bank.Assessment(2, bank.NOW_US + 1))
    trace = bank.ask(decider, person, model=bank.published(decider)).trace
    found = waterfall(decider, trace)
    left = found["candidates"]
    for step in found["gates"]:
        assert step["left"] == left - len(step["denied"])
        left = step["left"]
    assert {step["gate"]: step["denied"] for step in found["gates"] if step["denied"]} == {
        "applicable": ["old_note", "umbrella"],
        "suitable": ["equity_r4"],
    }
    assert left == len(found["ranked"]) + 1


def test_ranked(bank: Any, decider: Any) -> None:
    """The ranked offers come best first, and propensity times value is the score."""
    trace = bank.ask(decider, bank.Person(), model=bank.published(decider)).trace
    ranked = waterfall(decider, trace)["ranked"]
    scores = [one["score"] for one in ranked]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    for one in ranked:
        assert one["propensity"] * one["value_fen"] == pytest.approx(one["score"])
    assert sum(one["probability"] for one in ranked) == pytest.approx(1.0, rel=1e-2)
