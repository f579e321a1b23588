"""The quick look of a tick: for many subjects at once, whose segments have turned at all.

Most of whom an event has touched stand where they stood. For subjects that are one id alone, and
where the segments of the kind are comparisons of folded tags, attributes and holdings, kernels find
out who has turned; only these are then looked at one by one. It only says who, so that turns are
worked out in one place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dipper.expr import tree
from dipper.expr.parse import Expression
from dipper.fold.conditions import (
    Act,
    ConditionTable,
    Domain,
    Flags,
    Numbers,
    Step,
    condition_table,
    evaluate,
)
from dipper.kit.hashing import hash64
from dipper.profile.evaluation import AttributeTag, Evaluation, Known
from dipper.profile.values import Value

_DOUBLE = struct.Struct("<d")
_INT = struct.Struct("<q")

_ACTS = {
    "=": Act.EQUAL,
    "<>": Act.UNEQUAL,
    "<": Act.LESS,
    "<=": Act.LESS_EQUAL,
    ">": Act.GREATER,
    ">=": Act.GREATER_EQUAL,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}


class Fact(NamedTuple):
    """A column that is no folded tag: what it reads (`trait`, `holds`, `holds_line`) and of whom.

    `default` stands where a trait is null.
    """

    sort: str
    name: str
    default: Value


@dataclass(frozen=True)
class Quick:
    """The announced segments of a kind as tables over folded tags and facts."""

    conditions: ConditionTable
    defaults: tuple[tuple[int, int], ...]
    facts: tuple[Fact, ...]

    def members(
        self, values: Numbers, nulls: Flags, which: Numbers, known: Sequence[Known | None]
    ) -> Flags:
        """(evaluations, segments): who belongs. `which` is each evaluation's subject; `known` are
        the subjects' facts, None for one that has neither traits nor holdings."""
        for column, default in self.defaults:
            missing = nulls[:, column]
            values[missing, column] = default
            nulls[missing, column] = False
        if self.facts:
            own, absent = self._facts(known)
            values = np.concatenate((values, own[which]), axis=1)
            nulls = np.concatenate((nulls, absent[which]), axis=1)
        return evaluate(values, nulls, self.conditions)

    def _facts(self, known: Sequence[Known | None]) -> tuple[Numbers, Flags]:
        nothing = [self._fact(fact, None) for fact in self.facts]
        rows = [
            nothing if one is None else [self._fact(fact, one) for fact in self.facts]
            for one in known
        ]
        values = np.array([[bits_of(v) for v in row] for row in rows], dtype=np.int64)
        absent = np.array([[v is None for v in row] for row in rows], dtype=np.bool_)
        return values, absent

    def _fact(self, fact: Fact, known: Known | None) -> Value:
        if fact.sort == "trait":
            value = known.traits.get(fact.name) if known is not None else None
            return fact.default if value is None else value
        if known is None:
            return False
        return fact.name in (known.products if fact.sort == "holds" else known.lines)


def bits_of(value: Value) -> int:
    """The 8 bytes by which the kernels compare a value; 0 for null."""
    if isinstance(value, str):
        return hash64(value)
    if isinstance(value, float):
        return int(_INT.unpack(_DOUBLE.pack(value + 0.0))[0])
    return int(value or 0)


def compile_quick(
    wanted: Sequence[str],
    evaluation: Evaluation,
    expressions: Mapping[str, Expression],
    attribute_tags: Sequence[AttributeTag],
) -> Quick | None:
    """Tables for these segments, or None when one of them says more than tables can."""
    columns = _Columns(evaluation, expressions, attribute_tags)
    try:
        conditions = [list(columns.steps(expressions[name].tree)) for name in wanted]
        table = condition_table(conditions)
    except (_Beyond, ValueError):
        # A formula, a LIKE, a clock: the generated function evaluates these, one by one.
        return None
    defaults = tuple(
        (column, bits_of(default))
        for column, default in enumerate(evaluation.defaults)
        if default is not None
    )
    return Quick(table, defaults, tuple(columns.facts))


class _Beyond(Exception):
    """The condition says more than the tables can."""


class _Columns:
    """Numbers the inputs of conditions: folded tags first, then facts as they are met."""

    def __init__(
        self,
        evaluation: Evaluation,
        expressions: Mapping[str, Expression],
        attribute_tags: Sequence[AttributeTag],
    ) -> None:
        self._folded = {name: place for place, name in enumerate(evaluation.names)}
        self._expressions = expressions
        self._attributes = {tag.name: tag for tag in attribute_tags}
        self.facts: list[Fact] = []

    def steps(self, node: tree.Node) -> Iterator[Step]:
        """The steps that leave the truth of a condition on the stack."""
        if isinstance(node, tree.And | tree.Or):
            act = Act.AND if isinstance(node, tree.And) else Act.OR
            yield from self._chain(act, [self.steps(operand) for operand in node.operands])
        elif isinstance(node, tree.Not):
            yield from self.steps(node.operand)
            yield Step(Act.NOT)
        elif isinstance(node, tree.Compare):
            yield self._comparison(node.operator, node.left, node.right)
        elif isinstance(node, tree.Between):
            yield self._comparison(">=", node.operand, node.low)
            yield self._comparison("<=", node.operand, node.high)
            yield Step(Act.AND)
        elif isinstance(node, tree.In):
            equal = [iter((self._comparison("=", node.operand, item),)) for item in node.items]
            yield from self._chain(Act.OR, equal)
        elif isinstance(node, tree.IsNull) and isinstance(node.operand, tree.Column):
            yield Step(Act.IS_NULL, self._column(node.operand))
        elif isinstance(node, tree.Column) and node.name.startswith("segment."):
            # A segment is true or not; a condition that is unknown makes nobody a member.
            yield from self.steps(self._expressions[node.name].tree)
        elif isinstance(node, tree.Column | tree.HostCall) and node.type == "bool":
            yield Step(Act.TRUTH, self._column(node))
        else:
            raise _Beyond

    def _chain(self, act: Act, parts: Sequence[Iterator[Step]]) -> Iterator[Step]:
        for place, part in enumerate(parts):
            yield from part
            if place:
                yield Step(act)

    def _comparison(self, operator: str, left: tree.Node, right: tree.Node) -> Step:
        value = _literal(right)
        if value is None:
            operator, left, value = _MIRRORED[operator], right, _literal(left)
        if value is None or (isinstance(value, str) and operator not in ("=", "<>")):
            raise _Beyond
        domain = Domain.INT
        if isinstance(left, tree.ToDouble):
            left, domain = left.operand, Domain.INT_AS_DOUBLE
        elif left.type == "double":
            domain = Domain.DOUBLE
        if not isinstance(left, tree.Column) or left.name.startswith("segment."):
            raise _Beyond
        return Step(_ACTS[operator], self._column(left), domain, bits_of(value))

    def _column(self, node: tree.Column | tree.HostCall) -> int:
        name = node.name
        if name in self._folded:
            return self._folded[name]
        fact = self._fact(node)
        if fact not in self.facts:
            self.facts.append(fact)
        return len(self._folded) + self.facts.index(fact)

    def _fact(self, node: tree.Column | tree.HostCall) -> Fact:
        if isinstance(node, tree.HostCall):
            if node.function not in ("holds", "holds_line"):
                raise _Beyond
            return Fact(node.function, str(node.arguments[0].value), None)
        if node.name in self._expressions:
            raise _Beyond
        tag = self._attributes.get(node.name)
        if tag is not None:
            return Fact("trait", tag.source.partition(".")[2], tag.default)
        return Fact("trait", node.name.partition(".")[2], None)


def _literal(node: tree.Node) -> Value:
    """The value of a literal, or None where the node is none."""
    if isinstance(node, tree.Constant):
        return node.value
    if isinstance(node, tree.ToDouble):
        inner = _literal(node.operand)
        return float(inner) if isinstance(inner, int) else None
    if isinstance(node, tree.Negate):
        inner = _literal(node.operand)
        return -inner if isinstance(inner, int | float) and not isinstance(inner, bool) else None
    return None
