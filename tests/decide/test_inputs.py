"""What a decision reads of a subject, and how a trace keeps it."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.decide.inputs import Inputs, input_of
from dipper.kit.errors import BadInput
from dipper.spec.scope import offer_scope

NAMES = (
    "assessment.level",
    "cap.all_week",
    "consent.marketing.given",
    "consent.marketing.notice_version",
    "context.amount_fen",
    "context.rain",
    "holds('payment.autopay')",
    "holds_line('wealth')",
    "now()",
    "organisation.name",
    "person.age",
    "segment.regular_payers",
    "tag.bills_paid_30d",
)


@pytest.fixture(scope="module")
def inputs(bank: Any) -> Inputs:
    """Some inputs of the bank's program."""
    text = "kind: property\nname: name\nHEAD\ntype: text\nof: organisation\npi_class: none"
    program = bank.program(*bank.objects(text))
    scope, firms = offer_scope(program, "person"), offer_scope(program, "organisation")
    return Inputs(
        tuple(input_of(name, firms if name.startswith("org") else scope) for name in NAMES)
    )


def collected(inputs: Inputs, person: Any, personalised: bool = True, **context: Any) -> Any:
    return inputs.named(inputs.collect(person, context, 1_000, is_personalised=personalised))


def test_everything_known(bank: Any, inputs: Inputs) -> None:
    """Each value comes from its place in the subject."""
    person = bank.Person(holdings=(bank.held("wealth.growth", "wealth"),))
    assert collected(inputs, person, amount_fen=7, rain=False) == {
        "assessment.level": 5,
        "cap.all_week": 0,
        "consent.marketing.given": True,
        "consent.marketing.notice_version": "v2",
        "context.amount_fen": 7,
        "context.rain": False,
        "holds('payment.autopay')": False,
        "holds_line('wealth')": True,
        "now()": 1_000,
        "organisation.name": None,
        "person.age": 30,
        "segment.regular_payers": True,
        "tag.bills_paid_30d": 4,
    }


def test_stranger(bank: Any, inputs: Inputs) -> None:
    """What is not known is None, and what an unverified subject holds is not known."""
    stranger = bank.Person(
        verified=False,
        tags={},
        segments=frozenset(),
        traits={},
        consents={},
        assessment=None,
        caps={},
    )
    found = collected(inputs, stranger)
    assert found["holds('payment.autopay')"] is None
    assert found["segment.regular_payers"] is False
    assert {name for name, value in found.items() if value is not None} == {
        "now()",
        "segment.regular_payers",
    }


def test_erased(bank: Any, inputs: Inputs) -> None:
    """Of an erased subject nothing is read but the moment and the request."""
    found = collected(inputs, bank.Person(erased=True), rain=True)
    assert {name for name, value in found.items() if value is not None} == {"now()", "context.rain"}


def test_without_personalisation(bank: Any, inputs: Inputs) -> None:
    """Who refuses personalisation is not read by tag or segment (ALG-03)."""
    found = collected(inputs, bank.Person(), personalised=False)
    assert found["tag.bills_paid_30d"] is None
    assert found["segment.regular_payers"] is None
    assert found["person.age"] == 30


def test_context_that_nothing_reads(bank: Any, inputs: Inputs) -> None:
    """Context that no candidate reads is ignored and not stored."""
    assert "context.page" not in collected(inputs, bank.Person(), page=7)


def test_other_kind_of_subject(bank: Any, inputs: Inputs) -> None:
    """An organisation's attributes are read of organisations alone."""
    firm = bank.Person(kind="organisation", traits={"name": "Acme", "age": 30})
    found = collected(inputs, firm)
    assert (found["organisation.name"], found["person.age"]) == ("Acme", None)


def test_from_a_trace(bank: Any, inputs: Inputs) -> None:
    """What a trace keeps gives the same values again: a digit for each bool, no time."""
    values = inputs.collect(bank.Person(), {"rain": None}, 1_000, is_personalised=True)
    assert values.flags == "1-001"
    assert len(values.others) == len(NAMES) - len(values.flags) - 1
    assert inputs.known(values.flags, values.others, 1_000) == values


@pytest.mark.parametrize(
    ("flags", "extra"), [("1-00", []), ("1-0011", []), ("1-001", [1]), ("1-0x1", [])]
)
def test_foreign_values(bank: Any, inputs: Inputs, flags: str, extra: list[int]) -> None:
    """Values of other inputs are noticed, not misread."""
    others = inputs.collect(bank.Person(), {}, 1_000, is_personalised=True).others
    with pytest.raises(ValueError, match="inputs"):
        inputs.known(flags, [*others, *extra], 1_000)


def test_unknown_input(bank: Any) -> None:
    """A name that nothing gives is an error when the gate is compiled."""
    with pytest.raises(BadInput, match="weather"):
        input_of("weather.today", offer_scope(bank.program(), "person"))
