"""The gates there are, and what a plug-in may do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dipper.decide.arbitration import compile_decider
from dipper.decide.gates import registry
from dipper.decide.gates.verdict import INPUT_MISSING, PASSED, Reason, Rule, denied
from dipper.kit.errors import BadInput, Conflict


def plugin_gate(name: str = "elderly", needs: tuple[str, ...] = ("person.age",)) -> Any:
    """A gate as a package might bring it: no investment funds above 80."""

    def check(offer: Any, inputs: Any) -> Any:
        if inputs.get("person.age", 0) > 80:
            return denied("too_old", age=inputs["person.age"])
        return PASSED

    return SimpleNamespace(
        NAME=name,
        TITLE={"zh": "老年客户保护", "en": "care for the elderly"},
        RULES=(Rule("SUIT-06", {"zh": "适当性", "en": "suitability"}),),
        OFFER=("line",),
        NEEDS=("person.*",),
        CONDITION="",
        REASONS={
            "too_old": Reason("SUIT-06", "客户年龄为 {age}", "the person is {age}"),
            INPUT_MISSING: Reason("SUIT-06", "缺少{missing}", "not known: {missing}"),
        },
        needs=lambda offer: needs if offer.line == "wealth" else (),
        check=check,
    )


@pytest.mark.parametrize("gate", registry.built_in(), ids=lambda gate: gate.NAME)
def test_facts(gate: Any) -> None:
    """Each gate has titles in both languages, its rules, and a sentence for every code."""
    rules = {rule.id for rule in gate.RULES}
    assert set(gate.TITLE) == {"zh", "en"}
    assert all(set(rule.source) == {"zh", "en"} for rule in gate.RULES)
    assert {reason.rule for reason in gate.REASONS.values()} <= rules
    assert all(reason.zh and reason.en for reason in gate.REASONS.values())
    assert not gate.NEEDS or INPUT_MISSING in gate.REASONS


def test_added_gate_holds_back(bank: Any) -> None:
    """A gate of a plug-in stands behind ours and denies like ours."""
    gates = registry.with_added([plugin_gate()])
    decider = compile_decider(bank.program(), bank.tables(), gates)
    old = bank.Person(traits={"age": 85, "city": "beijing"})
    trace = bank.ask(decider, old, placement="home").trace
    assert trace.gates[-1] == "elderly"
    assert trace.gate_denials["elderly"] == 2
    assert "elderly" not in bank.ask(decider, bank.Person(), placement="home").trace.gate_denials


def test_replacing_is_refused() -> None:
    """A plug-in cannot bring a gate of a name that exists."""
    with pytest.raises(Conflict, match="suitable"):
        registry.with_added([plugin_gate("suitable")])


def test_undeclared_need(bank: Any) -> None:
    """A gate that needs what it does not declare is not compiled."""
    gates = registry.with_added([plugin_gate(needs=("assessment.level",))])
    with pytest.raises(BadInput, match=r"assessment\.level"):
        compile_decider(bank.program(), bank.tables(), gates)


def test_need_that_nothing_gives(bank: Any) -> None:
    """A gate that needs an input which the platform does not have is not compiled."""
    gates = registry.with_added([plugin_gate(needs=("person.shoe_size",))])
    with pytest.raises(BadInput, match="shoe_size"):
        compile_decider(bank.program(), bank.tables(), gates)


def test_gate_sees_only_what_it_declares(bank: Any) -> None:
    """A gate that reads an undeclared field of the offer fails when it is compiled."""
    gate = plugin_gate()
    gate.needs = lambda offer: ()
    gate.check = lambda offer, inputs: denied("worthless") if not offer.value_fen else PASSED
    with pytest.raises(AttributeError, match="value_fen"):
        compile_decider(bank.program(), bank.tables(), registry.with_added([gate]))
