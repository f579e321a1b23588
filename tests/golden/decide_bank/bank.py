"""The small bank of specs.yml beside this file, for the tests of decide: program and people.

Loaded by path (tests/decide/conftest.py shows how), so that unit, property and golden tests share
one bank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dipper.decide.arbitration import Decided, Decider, compile_decider
from dipper.decide.rank.model import Model
from dipper.decide.ranking import Published
from dipper.decide.request import DecideRequest
from dipper.profile.assessments import Assessment
from dipper.profile.consents import ConsentState
from dipper.profile.holdings import Holding
from dipper.spec.document import Spec
from dipper.spec.load import load_folder, load_text
from dipper.spec.program import Program
from dipper.spec.table_csv import read_table
from dipper.spec.tables import TableVersion

FOLDER = Path(__file__).parent
NOW_US = 1_795_000_000_000_000
DAY_US = 86_400_000_000
VALID_FOR_A_DAY = Assessment(5, NOW_US + DAY_US)

HEAD = """title: {zh: 测试, en: test}
owners: {business: a, technical: a, managing: a}
"""


@dataclass(frozen=True)
class Person:
    """Somebody who may have everything that the bank's gates ask for."""

    key: bytes = b"\x01" * 16
    kind: str = "person"
    verified: bool = True
    erased: bool = False
    tags: Mapping[str, Any] = field(
        default_factory=lambda: {"bills_paid_30d": 4, "bill_amount_90d": 250_000, "visits_90d": 2}
    )
    segments: frozenset[str] = frozenset({"regular_payers"})
    traits: Mapping[str, Any] = field(default_factory=lambda: {"age": 30, "city": "beijing"})
    holdings: tuple[Holding, ...] = ()
    consents: Mapping[str, ConsentState] = field(
        default_factory=lambda: {
            "marketing": ConsentState(True, "v2", 0, False),
            "health": ConsentState(True, "v1", 0, True),
        }
    )
    assessment: Assessment | None = VALID_FOR_A_DAY
    caps: Mapping[str, int] = field(
        default_factory=lambda: {"all_week": 0, "wealth_week": 0, "autopay_month": 0}
    )
    lots: Mapping[str, int] = field(default_factory=dict)

    def but(self, **changes: Any) -> Person:
        """The same person with other fields."""
        return replace(self, **changes)


def held(product: str, line: str) -> Holding:
    """An open holding."""
    return Holding(product, "1", line, "", None, None, None, None)


@cache
def specs() -> tuple[Spec, ...]:
    """The bank's objects."""
    loaded = load_folder(FOLDER)
    assert not loaded.findings, [finding.as_text() for finding in loaded.findings]
    return tuple(one.spec for one in loaded.objects)


def objects(text: str) -> list[Spec]:
    """Objects of a YAML text in which HEAD stands for title and owners."""
    loaded = load_text(text.replace("HEAD\n", HEAD))
    assert not loaded.findings, [finding.as_text() for finding in loaded.findings]
    return [one.spec for one in loaded.objects]


def program(*added: Spec, without: Iterable[str] = ()) -> Program:
    """The bank's program with more objects, and without offers of these names."""
    kept = [one for one in specs() if not (one.kind == "offer" and one.name in without)]
    return Program.from_objects([*kept, *added])


def tables(**changes: Mapping[str, Any]) -> dict[str, TableVersion]:
    """The product table; `changes` has cells by product, with `_` for the point in its code."""
    spec = program().of("table")["product"]
    version, findings = read_table(FOLDER / "product.csv", spec, "2026-11-24")
    assert version is not None, findings
    rows = dict(version.rows)
    for name, cells in changes.items():
        code = name.replace("_", ".", 1)
        rows[code] = {**rows[code], **cells}
    table = TableVersion.of("product", version.key, version.columns, rows, "2026-11-24")
    return {"product": table}


def decider(*added: Spec, **changes: Mapping[str, Any]) -> Decider:
    """The bank's decider."""
    return compile_decider(program(*added), tables(**changes))


def published(decider: Decider, place: str = "result", seed: int = 1) -> Published:
    """A model with random weights over the candidates of a placement."""
    ranking = decider.place(place).ranking
    names = tuple(offer.name for offer in ranking.candidates)
    features = ranking.cold.features
    draw = np.random.default_rng(seed)
    weights = draw.normal(0.0, 0.05, (len(names) + 1, len(features)))
    counts = draw.integers(1, 1_000, len(names) + 1)
    return Published.from_bytes(Model(features, names, weights, counts, 0.2).to_bytes())


def ask(
    decider: Decider,
    person: Any,
    *,
    placement: str = "result",
    draw: float = 0.3,
    now_us: int = NOW_US,
    model: Published | None = None,
    decision_id: str = "d-1",
    is_claimed: bool = False,
    **fields: Any,
) -> Decided:
    """A decision; `fields` are the request's."""
    request = DecideRequest(placement=placement, ids={"customer_no": "1"}, **fields)
    return decider.decide(request, person, now_us, draw, decision_id, model, is_claimed=is_claimed)


def key_in(arm: str, policy: Any) -> bytes:
    """The key of somebody whom the hash puts into an arm."""
    from dipper.experiment.arms import Shares, assign

    shares = Shares(policy.shares.treated, policy.shares.control, policy.shares.placebo)
    keys = (number.to_bytes(16, "big") for number in range(10_000))
    return next(key for key in keys if assign(key.hex(), policy.name, shares) == arm)
