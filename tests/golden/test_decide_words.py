"""Explanations and the stored trace, as they read; `make golden` rewrites them, read the diff."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from decide_bank import bank

from dipper.decide.explain import explain_on
from dipper.decide.trace import encode
from dipper.decide.waterfall import waterfall

HERE = Path(__file__).parent


def people(bank: Any, decider: Any) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Situations whose words somebody should read."""
    policy = decider.place("result").policy
    treated = bank.Person(key=bank.key_in("treated", policy))
    young = treated.but(
        traits={"age": 15, "city": "paris"}, assessment=bank.Assessment(2, bank.NOW_US + 1)
    )
    return {
        "treated": (treated, {"context": {"rain": True}}),
        "young and careful": (young, {}),
        "control": (bank.Person(key=bank.key_in("control", policy)), {}),
        "placebo": (bank.Person(key=bank.key_in("placebo", policy)), {}),
        "without personalisation": (treated, {"personalised": False}),
        "erased": (treated.but(erased=True), {}),
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_explanations(language: str, golden: Callable[[Path, str], None]) -> None:
    """The sentences about typical decisions."""
    decider, program, tables = bank.decider(), bank.program(), bank.tables()
    model = bank.published(decider)
    parts = []
    for title, (person, fields) in people(bank, decider).items():
        trace = bank.ask(decider, person, model=model, **fields).trace
        lines = explain_on(decider, trace, program, tables, language)
        parts.append("\n".join([f"== {title}", *lines]))
    golden(HERE / f"decide_explained_{language}.txt", "\n\n".join(parts) + "\n")


def test_trace(golden: Callable[[Path, str], None]) -> None:
    """The stored trace and its picture; hashes are left out, they change with every field."""
    decider = bank.decider()
    model = bank.published(decider)
    person, fields = people(bank, decider)["young and careful"]
    trace = bank.ask(decider, person, model=model, **fields).trace
    stored = msgspec.json.decode(encode(trace))
    stored |= {"program": "<hash>", "tables": {"product": "<hash>"}, "model": "<hash>"}
    found = {"trace": stored, "waterfall": waterfall(decider, trace)}
    golden(
        HERE / "decide_trace.json", msgspec.json.format(msgspec.json.encode(found)).decode() + "\n"
    )
