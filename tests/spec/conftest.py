"""The examples of the kinds as one small bank, and a way to check it with something wrong in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dipper.spec import registry
from dipper.spec.check import check
from dipper.spec.finding import Finding
from dipper.spec.load import Loaded, load_text
from dipper.spec.program import Program
from dipper.spec.tables import TableVersion

HEAD = {
    "title": {"zh": "标题", "en": "title"},
    "owners": {"business": "b", "technical": "t", "managing": "m"},
}

PRODUCTS = {
    "wealth.stable_growth": {"class": "wealth", "line": "wealth", "risk_issuer": 2},
    "fund.unrated": {"class": "fund", "line": "fund", "risk_issuer": None},
    "deposit.term_1y": {"class": "deposit", "line": "deposit", "risk_issuer": None},
}

Write = Callable[..., str]
Found = Callable[..., list[Finding]]


def written(kind: str, name: str, **fields: Any) -> str:
    """One document; the fields that every kind has are filled in, None takes one out."""
    document = {"kind": kind, "name": name, **HEAD, **fields}
    return json.dumps({key: value for key, value in document.items() if value is not None})


@pytest.fixture
def write() -> Write:
    return written


@pytest.fixture
def examples() -> str:
    """All examples of all kinds: a bank without findings."""
    return "---\n".join(kind.example for kind in registry.build().kinds.values())


@pytest.fixture
def program(examples: str) -> Program:
    return Program.from_objects(one.spec for one in load_text(examples).objects)


@pytest.fixture
def products(program: Program) -> TableVersion:
    """Three products: one rated, one of a class that needs a rating, one that needs none."""
    table = program.of("table")["product"]
    empty: dict[str, Any] = dict.fromkeys(table.columns)
    rows = {name: {**empty, "product": name, **row} for name, row in PRODUCTS.items()}
    return TableVersion.of("product", ("product",), table.columns, rows, "2026-11-01")


@pytest.fixture
def found(examples: str, products: TableVersion) -> Found:
    """Findings of the example bank with more documents, in which `instead` replaces texts."""

    def run(*more: str, instead: Mapping[str, str] | None = None) -> list[Finding]:
        text = examples
        for old, new in (instead or {}).items():
            assert old in text, f"the examples do not say {old!r}"
            text = text.replace(old, new)
        loaded: Loaded = load_text("\n---\n".join([text, *more]), "bank.yml")
        return check(loaded, {"product": products})

    return run


@pytest.fixture
def codes(found: Found) -> Callable[..., list[str]]:
    """The codes of the findings of `found`."""
    return lambda *more, instead=None: [one.code for one in found(*more, instead=instead)]
