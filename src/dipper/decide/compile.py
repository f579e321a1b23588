"""From a program and its tables to a decider: everything that does not depend on a person, once.

A decider is immutable and belongs to one program hash and one version of the product table; who
serves keeps it as long as both are in force, and compiles a new one beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dipper.decide.candidate import Candidate, CapRule, ConsentRule
from dipper.decide.condition import Condition, make_condition
from dipper.decide.context import Context, context_of
from dipper.decide.features import Reader, feature_space
from dipper.decide.gates.registry import Gate
from dipper.decide.inputs import NOW, Inputs, input_of
from dipper.decide.rank.exploration import Exploration
from dipper.decide.rank.ranker import Ranker
from dipper.decide.ranking import Ranking
from dipper.decide.screen import Places, Screen, inputs_of
from dipper.experiment.arms import Shares
from dipper.expr.dates import midnight
from dipper.kit.errors import BadInput, did_you_mean
from dipper.spec import lineage
from dipper.spec.expressions import Expressions, parse_all
from dipper.spec.kinds.cap import Cap
from dipper.spec.kinds.offer import CONDITIONS, Offer
from dipper.spec.kinds.placement import Placement
from dipper.spec.kinds.policy import Policy
from dipper.spec.kinds.purpose import Purpose
from dipper.spec.kinds.table import PRODUCT, PRODUCT_COLUMNS
from dipper.spec.program import Program
from dipper.spec.scope import offer_scope
from dipper.spec.tables import Row, TableVersion

Tables = Mapping[str, TableVersion]

# A trace names the versions of these; another table may change every night and no decision with it.
TABLES_READ = (PRODUCT,)
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Place:
    """A placement, ready to decide. `candidates` are in order of their names.

    `withheld` names the policy's features that the purposes of one of the candidates forbid, so
    that nobody is ranked by them here.
    """

    placement: Placement
    policy: Policy
    shares: Shares
    candidates: tuple[Candidate, ...]
    gates: tuple[Gate, ...]
    inputs: Inputs
    context: Context
    screen: Screen
    ranking: Ranking
    withheld: frozenset[str]

    @cached_property
    def reader(self) -> Reader:
        """Reads the vector of the features from values."""
        return self.ranking.space.reader(self.inputs)

    @cached_property
    def gate_names(self) -> tuple[str, ...]:
        """The gates in the order in which the first denial is named."""
        return tuple(gate.NAME for gate in self.gates)

    @cached_property
    def _is_placebo(self) -> Flags:
        return np.array([offer.is_placebo for offer in self.candidates], bool)

    @cached_property
    def _has_placebo(self) -> bool:
        return bool(self._is_placebo.any())

    def apart(self, passed: Places) -> tuple[Places, tuple[int, ...]]:
        """The places of offers, and those of placebos."""
        if not self._has_placebo:
            return passed, ()
        is_placebo = self._is_placebo[passed]
        if not is_placebo.any():
            return passed, ()
        return passed[~is_placebo], tuple(passed[is_placebo].tolist())

    @cached_property
    def by_name(self) -> Mapping[str, Candidate]:
        """The candidates by name."""
        return {offer.name: offer for offer in self.candidates}


def compile_places(
    program: Program, tables: Tables, gates: Sequence[Gate], rankers: Mapping[str, Ranker]
) -> dict[str, Place]:
    """All placements of a program, by name.

    Raises ExpressionError for an expression that does not parse, BadInput for a gate or a placement
    that needs what there is not.
    """
    bank = _Bank(
        program, parse_all(program), tables.get(PRODUCT), lineage.effective_purposes(program)
    )
    return {
        name: _place(bank, placement, gates, rankers)
        for name, placement in program.of(Placement).items()
    }


@dataclass(frozen=True)
class _Bank:
    """What the compilation of every placement reads."""

    program: Program
    expressions: Expressions
    products: TableVersion | None
    effective: Mapping[lineage.Key, lineage.Purposes]


def _place(
    bank: _Bank, placement: Placement, gates: Sequence[Gate], rankers: Mapping[str, Ranker]
) -> Place:
    program = bank.program
    policy = _policy(program, placement)
    candidates = _candidates(bank, placement)
    withheld = _withheld(bank, policy, candidates)
    scope = offer_scope(program, placement.subject, bank.expressions.tag_types)
    features = feature_space(program, policy.features, scope.columns)
    space = features.without(withheld)
    gate_inputs = inputs_of(gates, candidates)
    names = {NOW} | gate_inputs | set(space.inputs)
    inputs = Inputs(tuple(input_of(name, scope) for name in sorted(names)))
    return Place(
        placement=placement,
        policy=policy,
        shares=Shares(policy.shares.treated, policy.shares.control, policy.shares.placebo),
        candidates=candidates,
        gates=tuple(gates),
        inputs=inputs,
        context=context_of(program, scope.columns, gate_inputs),
        screen=Screen(gates, candidates, inputs),
        ranking=Ranking(
            candidates,
            space,
            exploration_of(policy),
            _ranker(rankers, policy).learner(features.names).model(),
        ),
        withheld=frozenset(withheld),
    )


def exploration_of(policy: Policy) -> Exploration:
    """How a policy explores. Raises BadInput for a method that there is not."""
    settings = policy.exploration
    return Exploration(settings.method, settings.epsilon, settings.scale)


def _policy(program: Program, placement: Placement) -> Policy:
    policy = program.of(Policy).get(placement.policy)
    if policy is None:
        raise BadInput(
            f"expected a policy, got '{placement.policy}', which is not declared",
            where=f"placement '{placement.name}'",
            hint="`dipper check` finds this before `apply`.",
        )
    return policy


def _ranker(rankers: Mapping[str, Ranker], policy: Policy) -> Ranker:
    ranker = rankers.get(policy.ranker)
    if ranker is None:
        raise BadInput(
            f"expected one of {', '.join(rankers)}, got '{policy.ranker}'",
            where=f"policy '{policy.name}', ranker",
            hint=did_you_mean(policy.ranker, rankers),
        )
    return ranker


def _candidates(bank: _Bank, placement: Placement) -> tuple[Candidate, ...]:
    """The offers of a placement in order of their names, whatever their order in the specs."""
    offers = bank.program.of(Offer)
    names = sorted(name for name, offer in offers.items() if placement.name in offer.placements)
    return tuple(
        _candidate(bank, placement, offers[name], index) for index, name in enumerate(names)
    )


def _withheld(bank: _Bank, policy: Policy, candidates: Iterable[Candidate]) -> set[str]:
    """The features that a purpose of one of the candidates forbids."""
    forbidden = {
        conflict.chain[1]
        for purposes in {offer.purposes for offer in candidates}
        for conflict in lineage.conflicts(bank.program, policy, purposes, bank.effective)
    }
    return {name for name in policy.features if _key(name) in forbidden}


def _key(feature: str) -> lineage.Key:
    prefix, _, name = feature.partition(".")
    return (prefix if prefix in lineage.DERIVED else "property"), name


def _candidate(bank: _Bank, placement: Placement, offer: Offer, index: int) -> Candidate:
    row = bank.products.lookup(offer.product) if bank.products and offer.product else None
    columns = bank.products.columns if bank.products else PRODUCT_COLUMNS
    constants = {f"product.{name}": row[name] if row else None for name in columns}
    conditions = {name: _condition(bank.expressions, offer, name, constants) for name in CONDITIONS}
    cell: Mapping[str, Any] = row or {}
    purposes = bank.program.of(Purpose)
    return Candidate(
        index=index,
        name=offer.name,
        title=offer.title.model_dump(),
        treatment=offer.treatment,
        content=offer.content.model_dump() if offer.content else None,
        link=offer.link,
        is_placebo=offer.placebo,
        value_fen=offer.value_fen,
        purposes=tuple(sorted(offer.purposes)),
        unknown_purposes=tuple(sorted(set(offer.purposes) - purposes.keys())),
        conflicts=tuple(lineage.conflicts(bank.program, offer, offer.purposes, bank.effective)),
        consents=_consents(purposes, offer),
        caps=_caps(bank.program, placement, offer, cell.get("line")),
        product=offer.product,
        line=cell.get("line"),
        product_class=cell.get("class"),
        risk_issuer=cell.get("risk_issuer"),
        risk_seller=cell.get("risk_seller"),
        on_sale_from_us=_starts(cell, "sale_from", 0),
        on_sale_until_us=_starts(cell, "sale_to", 1),
        eligible=conditions["eligible"],
        applicable=conditions["applicable"],
        suitable=conditions["suitable"],
    )


def _condition(
    expressions: Expressions, offer: Offer, field: str, constants: Mapping[str, Any]
) -> Condition | None:
    if getattr(offer, field) is None:
        return None
    expression = expressions.get("offer", offer.name, field)
    if expression is not None:
        return make_condition(expression, constants)
    error = expressions.errors.get(("offer", offer.name, (field,)))
    raise error or BadInput(
        "expected a condition, got one that reads a tag without a type",
        where=f"offer '{offer.name}', {field}",
        hint="`dipper check` names the tag.",
    )


def _consents(purposes: Mapping[str, Purpose], offer: Offer) -> tuple[ConsentRule, ...]:
    return tuple(
        ConsentRule(name, known.notice_version, known.separate_consent)
        for name in sorted(offer.purposes)
        if (known := purposes.get(name)) is not None and known.basis == "consent"
    )


def _caps(
    program: Program, placement: Placement, offer: Offer, line: str | None
) -> tuple[CapRule, ...]:
    return tuple(
        CapRule(cap.name, cap.limit)
        for cap in program.of(Cap).values()
        if cap.subject == placement.subject
        and (
            cap.scope == "all"
            or (cap.scope == "line" and line is not None and cap.line == line)
            or (cap.scope == "offer" and cap.offer == offer.name)
        )
    )


def _starts(row: Row, column: str, days_later: int) -> int | None:
    """The moment with which the day of a date column, or the day after it, begins."""
    day = row.get(column)
    return midnight(day + days_later) if isinstance(day, int) else None
