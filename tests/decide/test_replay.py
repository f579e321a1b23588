"""Stored decisions, computed again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dipper.decide.replay import recompute, replay, replay_on
from dipper.decide.trace import decode, encode
from dipper.kit.errors import Conflict, Corrupt


def test_same_answer(bank: Any) -> None:
    """From the stored bytes and the versions that they name comes the same answer."""
    program, tables = bank.program(), bank.tables()
    decider = bank.decider()
    model = bank.published(decider)
    decided = bank.ask(decider, bank.Person(), model=model, context={"rain": True})
    again = replay(decode(encode(decided.trace)), program, tables, model)
    assert msgspec.json.encode(again) == msgspec.json.encode(decided.reply)


def test_other_program(bank: Any, decider: Any) -> None:
    """A replay with another program, table or model is refused: it would prove nothing."""
    model = bank.published(decider)
    trace = bank.ask(decider, bank.Person(), model=model).trace
    other = bank.decider(*bank.objects("kind: cap\nname: x\nHEAD\nlimit: 1\nwindow: 1d"))
    with pytest.raises(Conflict, match="expected program"):
        replay_on(other, trace, model)
    with pytest.raises(Conflict, match="expected table 'product'"):
        replay_on(bank.decider(insurance_accident={"risk_issuer": 3}), trace, model)
    with pytest.raises(Conflict, match="expected model"):
        replay_on(decider, trace)
    with pytest.raises(Conflict, match="expected model"):
        replay_on(decider, trace, bank.published(decider, seed=2))


def test_other_gates(bank: Any, decider: Any) -> None:
    """A replay without a gate that took part is refused."""
    trace = bank.ask(decider, bank.Person()).trace
    more = msgspec.structs.replace(trace, gates=(*trace.gates, "elderly"))
    with pytest.raises(Conflict, match="elderly"):
        replay_on(decider, more)


def test_foreign_values(bank: Any, decider: Any) -> None:
    """Values that are not the placement's are corrupt."""
    trace = bank.ask(decider, bank.Person()).trace
    with pytest.raises(Corrupt):
        recompute(decider, msgspec.structs.replace(trace, values=trace.values[1:]))


def test_recompute(bank: Any, decider: Any) -> None:
    """Every verdict comes back, also those behind the first denial, with its numbers."""
    person = bank.Person(
        traits={"age": 15, "city": "beijing"},
        assessment=bank.Assessment(2, bank.NOW_US + 1),
        consents={},
    )
    found = recompute(decider, bank.ask(decider, person).trace)
    row = next(row for row in found.rows if row.offer.name == "equity_r4")
    assert [name for name, verdict in row.verdicts.items() if not verdict.passed] == [
        "eligible",
        "suitable",
        "consent",
    ]
    assert row.verdicts["suitable"].facts == {"product_level": 4, "person_level": 2}
    assert found.inputs["person.age"] == 15
    assert not row.passed
    verdicts = [verdict._asdict() for row in found.rows for verdict in row.verdicts.values()]
    assert len(msgspec.json.decode(msgspec.json.encode(verdicts))) == len(verdicts)
