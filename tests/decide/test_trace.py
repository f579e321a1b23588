"""The stored form of a decision."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from dipper.decide.trace import (
    TRACE_MAX,
    Trace,
    decode,
    encode,
    pack_denied,
    pack_probabilities,
    pack_scores,
    unpack_denied,
    unpack_probabilities,
    unpack_scores,
)
from dipper.kit.errors import Corrupt


def test_round_trip(bank: Any, decider: Any) -> None:
    """What is decoded is what was encoded."""
    trace = bank.ask(decider, bank.Person(), model=bank.published(decider)).trace
    assert decode(encode(trace)) == trace


def test_plain_facts_are_readable(bank: Any, decider: Any) -> None:
    """Arm, offers, counts and versions stand as plain JSON, for SQL over the lake."""
    stored = msgspec.json.decode(encode(bank.ask(decider, bank.Person()).trace))
    assert stored["placement"] == "result"
    assert stored["gate_denials"] == {"applicable": 2}
    assert stored["offers"][0][0] in decider.place("result").by_name
    assert stored["tables"] == dict(decider.tables)
    assert stored["version"] == 1


def test_largest(bank: Any) -> None:
    """200 offers that all passed, with a value for each and long texts, stay within 4 KB."""
    trace = Trace(
        version=1,
        decision_id="0190c0de-0000-7000-8000-000000000000",
        now_us=bank.NOW_US,
        placement="bill_payment_result",
        policy="person_offers",
        subject="f" * 32,
        arm="treated",
        program="a" * 64,
        tables={"product": "b" * 64},
        model="c" * 64,
        draw=0.12345678901234567,
        limit=3,
        flags="1" * 230,
        values=[123_456] * 60,
        gates=("purpose", "eligible", "applicable", "suitable", "consent", "contact_cap"),
        denied="0" * 200,
        gate_denials={"purpose": 100, "eligible": 100, "applicable": 100, "suitable": 100},
        passed=200,
        offers=(),
        scores=pack_scores(np.linspace(0, 1, 200)),
        probabilities=pack_probabilities(np.linspace(0, 1, 200)),
    )
    assert len(encode(trace)) <= TRACE_MAX


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"decision_id": 7}', b"\xff"])
def test_other_bytes(data: bytes) -> None:
    """What is no trace is corrupt, never half a trace."""
    with pytest.raises(Corrupt):
        decode(data)


def test_later_version(bank: Any, decider: Any) -> None:
    """A trace of a later release is refused by its version."""
    trace = msgspec.structs.replace(bank.ask(decider, bank.Person()).trace, version=2)
    with pytest.raises(Corrupt, match="version 1, got 2"):
        decode(encode(trace))


def test_packed_numbers() -> None:
    """Denials keep the gate, scores seven digits, probabilities three."""
    assert unpack_denied(pack_denied(np.array([0, 1, 10, 35], np.uint8))) == [0, 1, 10, 35]
    assert unpack_scores(pack_scores(np.array([-1.5, 12345.675]))) == pytest.approx(
        [-1.5, 12345.675], rel=1e-7
    )
    assert unpack_probabilities(pack_probabilities(np.array([1 / 3, 1e-4]))) == pytest.approx(
        [1 / 3, 1e-4], rel=1e-3
    )
