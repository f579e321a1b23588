"""From a program to placements that can decide."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.decide.arbitration import compile_decider
from dipper.expr.problems import ExpressionError
from dipper.kit.errors import BadInput
from dipper.spec.tables import TableVersion


def test_candidates(decider: Any) -> None:
    """A placement's candidates are the offers that name it, in order of their names."""
    place = decider.place("result")
    assert [offer.name for offer in place.candidates] == sorted(place.by_name)
    assert "reminder" not in place.by_name
    assert [offer.index for offer in place.candidates] == list(range(len(place.candidates)))


def test_product_is_folded_in(decider: Any) -> None:
    """Product facts are read when compiling, so that they are no inputs of a decision."""
    place = decider.place("result")
    assert not any(name.startswith("product.") for name in place.inputs.names)
    growth = place.by_name["growth_r2"]
    assert (growth.product_class, growth.line, growth.risk_level) == ("wealth", "wealth", 2)


def test_inputs_are_those_that_somebody_reads(decider: Any) -> None:
    """A value is read only if a gate, a condition or a feature declares it."""
    assert decider.place("clinic").inputs.names == (
        "cap.all_week",
        "consent.health.given",
        "consent.health.notice_version",
        "consent.health.separate",
        "now()",
        "tag.visits_90d",
    )


def test_bad_condition(bank: Any) -> None:
    """A condition that does not parse is an error of the program, not a denial by chance."""
    text = (
        "kind: offer\nname: probe\nHEAD\nplacements: [home]\npurposes: [service]\n"
        "eligible: person.aage > 3"
    )
    with pytest.raises(ExpressionError, match="aage"):
        bank.decider(*bank.objects(text))


def test_condition_over_a_broken_tag(bank: Any) -> None:
    """A condition that reads a tag without a type is refused with the offer's name."""
    text = """
kind: tag
name: broken
HEAD
purposes: [marketing]
value: {formula: no_such + 1}
---
kind: offer
name: probe
HEAD
placements: [home]
purposes: [service]
eligible: tag.broken > 3
"""
    with pytest.raises(BadInput, match="probe"):
        bank.decider(*bank.objects(text))


def test_missing_policy(bank: Any) -> None:
    """A placement whose policy does not exist is refused with its name."""
    text = "kind: placement\nname: lost\nHEAD\nscenario: bills\nchannel: app\npolicy: nobody"
    with pytest.raises(BadInput, match="nobody"):
        bank.decider(*bank.objects(text))


def test_unknown_ranker(bank: Any) -> None:
    """A policy whose ranker does not exist is refused with the one that was meant."""
    text = "kind: policy\nname: plain\nHEAD\nranker: liner"
    with pytest.raises(BadInput) as caught:
        bank.decider(*bank.objects(text))
    assert caught.value.hint == "Did you mean 'linear'?"


def test_tables_that_are_read(bank: Any) -> None:
    """A decision names the tables that it read, so that others may change without it."""
    tables = bank.tables()
    other = TableVersion.of("rates", ("day",), {"day": "date"}, {}, "2026-11-24")
    decider = compile_decider(bank.program(), {**tables, "rates": other})
    assert decider.tables == {"product": tables["product"].hash}


def test_no_product_table(bank: Any) -> None:
    """Without a product table offers of products are denied and services live on."""
    decider = compile_decider(bank.program(), {})
    person = bank.Person(key=bank.key_in("treated", decider.place("result").policy))
    decided = bank.ask(decider, person, context={"rain": True})
    assert [one.offer for one in decided.reply.offers] == ["umbrella"]
