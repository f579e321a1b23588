"""What a request may say of its moment, and which of it a gate believes."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.kit.errors import BadInput

EXTRA = """\
kind: property
name: coupon
HEAD
type: text
pi_class: none
---
kind: property
name: due_on
HEAD
type: date
pi_class: none
---
kind: property
name: door_pin
HEAD
type: text
pi_class: C3
"""


@pytest.fixture(scope="module")
def context(bank: Any) -> Any:
    """What requests to the placement `result` may carry: one of its offers reads `rain`."""
    return bank.decider(*bank.objects(EXTRA)).place("result").context


def test_values_come_in_the_form_that_expressions_read(context: Any) -> None:
    """A date as its day since 1970, null as unknown, the rest as it is."""
    said = {"rain": False, "amount_fen": 7, "city": "beijing", "due_on": "1970-01-03", "page": None}
    read = context.read(said, is_claimed=False)
    assert read == {**said, "due_on": 2}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rain", 1, "expected bool, got 1"),
        ("rain", "yes", "expected bool, got 'yes'"),
        ("amount_fen", 1.5, "expected int, got 1.5"),
        ("amount_fen", True, "expected int, got True"),
        ("page", 7, "expected text, got 7"),
        ("due_on", "tomorrow", "expected date, got 'tomorrow'"),
        ("city", "paris", "expected one of beijing, tianjin, got 'paris'"),
        ("rian", True, "expected a declared property, got 'rian'"),
        ("door_pin", "1234", "expected a declared property, got 'door_pin'"),
        ("coupon", "password: hunter2", "expected a text without what authenticates somebody"),
    ],
)
@pytest.mark.parametrize("is_claimed", [True, False])
def test_what_is_not_declared_so_is_refused(
    context: Any, name: str, value: Any, message: str, is_claimed: bool
) -> None:
    """Whoever says it and whether or not anything reads it; secrets are not repeated."""
    with pytest.raises(BadInput) as caught:
        context.read({name: value}, is_claimed=is_claimed)
    assert caught.value.where == f"body.context.{name}"
    assert caught.value.message.startswith(message)
    assert "1234" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_page_is_not_believed_where_a_gate_reads(context: Any) -> None:
    """What only the ranking may read stays."""
    said = {"rain": True, "amount_fen": 7}
    assert context.read(said, is_claimed=False) == said
    assert context.read(said, is_claimed=True) == {"amount_fen": 7}


def test_a_gate_denies_what_only_a_page_says(bank: Any, decider: Any) -> None:
    """An umbrella is for rain; the server's word counts, the page's is as if nothing were said."""
    person = bank.Person(key=bank.key_in("treated", decider.place("result").policy))

    def denials(**asked: Any) -> Any:
        return bank.ask(decider, person, **asked).trace.gate_denials["applicable"]

    by_server = denials(context={"rain": True})
    assert denials(context={"rain": True}, is_claimed=True) == denials() == by_server + 1
