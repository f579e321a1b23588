"""DuckDB SQL of expressions, obeying docs/reference/expressions.md and not DuckDB's own ways.

Text only: the engine runs it. Int arithmetic stands in TRY, once around a chain. A chain of double
arithmetic may run through infinities and NaN; it is made NULL where it ends and where it divides,
for only there could a number come out again. Everything is in parentheses, so that no precedence
is assumed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dipper.expr import tree
from dipper.expr.duckdb_calls import LOCAL, call_sql, cast_sql, constant_sql
from dipper.expr.parse import Expression
from dipper.expr.tree import Node

# An operand that is needed twice is written twice up to this many characters, else it is bound.
WRITTEN_TWICE_MAX = 160


def to_sql(expression: Expression, column: Callable[[str], str]) -> str:
    """The expression as a DuckDB scalar.

    `column` gives the SQL of an input by its canonical name; it must have the DuckDB type that the
    reference names for it: BOOLEAN, BIGINT, DOUBLE (finite), VARCHAR, TIMESTAMP (UTC) or DATE.
    """
    return _Sql(column).of(expression.tree)


class _Sql:
    """One translation: where inputs come from, and the lambda parameters given so far."""

    def __init__(self, column: Callable[[str], str]) -> None:
        self.column = column
        self.bound = 0
        self.forms: dict[type, Callable[[Any], str]] = {
            tree.Constant: constant_sql,
            tree.Column: lambda n: f"({column(n.name)})",
            tree.HostCall: lambda n: f"({column(n.name)})",
            tree.ToDouble: lambda n: f"CAST({self.of(n.operand)} AS DOUBLE)",
            tree.Negate: self.negate,
            tree.Arithmetic: self.arithmetic,
            tree.Join: lambda n: self.joined(" || ", n.operands),
            tree.Compare: lambda n: self.joined(f" {n.operator} ", (n.left, n.right)),
            tree.Distinct: lambda n: self.joined(" IS DISTINCT FROM ", (n.left, n.right)),
            tree.IsNull: lambda n: f"({self.of(n.operand)} IS NULL)",
            tree.Not: lambda n: f"(NOT {self.of(n.operand)})",
            tree.And: lambda n: self.joined(" AND ", n.operands),
            tree.Or: lambda n: self.joined(" OR ", n.operands),
            tree.In: lambda n: f"({self.of(n.operand)} IN {self.joined(', ', n.items)})",
            tree.Between: self.between,
            tree.Like: lambda n: f"({self.of(n.operand)} LIKE {constant_sql(_text(n.pattern))})",
            tree.Case: self.case,
            tree.Switch: self.switch,
            tree.Cast: self.cast,
            tree.Call: self.call,
        }

    def of(self, node: Node) -> str:
        """The SQL of a node; a double is finite or NULL."""
        text = self.raw(node)
        if not _may_be_infinite(node):
            return text
        return self.twice(text, lambda x: f"CASE WHEN isfinite({x}) THEN {x} END")

    def raw(self, node: Node) -> str:
        """The SQL of a node; a double may be infinite or NaN where it stands for NULL."""
        return self.forms[type(node)](node)

    def joined(self, between: str, nodes: tuple[Node, ...]) -> str:
        return f"({between.join(map(self.of, nodes))})"

    def twice(self, text: str, use: Callable[[str], str]) -> str:
        """`use` of a text that it repeats; a long one is the parameter of a lambda."""
        if len(text) <= WRITTEN_TWICE_MAX:
            return f"({use(text)})"
        self.bound += 1
        name = f"bound_{self.bound}"
        return f"(list_transform([{text}], lambda {name}: {use(name)})[1])"

    # Numbers.

    def negate(self, node: tree.Negate) -> str:
        if node.type == "double":
            return f"(-{self.raw(node.operand)})"
        # DuckDB folds -(-9223372036854775808) into a HUGEINT.
        return f"TRY(CAST(0 AS BIGINT) - {self.of(node.operand)})"

    def arithmetic(self, node: tree.Arithmetic) -> str:
        if node.type == "int":
            return f"TRY{self.unguarded(node)}"
        divides = node.operator in ("/", "//", "%")
        left, right = self.raw(node.left), (self.of if divides else self.raw)(node.right)
        if node.operator == "//":
            # DuckDB's // keeps the fraction of a negative double.
            return f"trunc({left} / {right})"
        return f"({left} {node.operator} {right})"

    def unguarded(self, node: Node) -> str:
        """A chain of int arithmetic, for one TRY around it."""
        if not isinstance(node, tree.Arithmetic):
            return self.of(node)
        left, right = self.unguarded(node.left), self.unguarded(node.right)
        return f"({left} {node.operator} {right})"

    # Choices.

    def between(self, node: tree.Between) -> str:
        operand, low, high = map(self.of, (node.operand, node.low, node.high))
        return f"({operand} BETWEEN {low} AND {high})"

    def case(self, node: tree.Case) -> str:
        whens = "".join(
            f"WHEN {self.of(condition)} THEN {self.of(result)} "
            for condition, result in node.branches
        )
        return f"(CASE {whens}ELSE {self.of(node.otherwise)} END)"

    def switch(self, node: tree.Switch) -> str:
        branches = [(self.of(value), self.of(result)) for value, result in node.branches]
        otherwise = self.of(node.otherwise)

        def use(operand: str) -> str:
            whens = "".join(f"WHEN {operand} = {v} THEN {r} " for v, r in branches)
            return f"CASE {whens}ELSE {otherwise} END"

        return self.twice(self.of(node.operand), use)

    # Casts and functions.

    def cast(self, node: tree.Cast) -> str:
        source = node.operand.type
        if (source, node.type) == ("double", "text"):
            return self.twice(
                self.of(node.operand),
                lambda x: f"CASE WHEN {x} = 0 THEN '0.0' ELSE CAST({x} AS VARCHAR) END",
            )
        # A double that is not finite fails in the cast to int by itself.
        operand = self.raw(node.operand) if source == "double" else self.of(node.operand)
        return cast_sql(source, node.type, operand)

    def call(self, node: tree.Call) -> str:
        if node.function == "nullif":
            first, second = map(self.of, node.arguments)
            return self.twice(first, lambda x: f"CASE WHEN {x} = {second} THEN NULL ELSE {x} END")
        through = _passes_infinity(node)
        operands = [self.raw(a) if through else self.of(a) for a in node.arguments]
        if node.function in ("year", "month", "day", "hour", "day_of_week", "days_between"):
            types = [a.type for a in node.arguments]
            operands = [
                LOCAL.format(o) if t == "timestamp" else o
                for o, t in zip(operands, types, strict=True)
            ]
        return call_sql(node, operands)


def _text(value: str) -> tree.Constant:
    return tree.Constant("text", value)


def _passes_infinity(node: Node) -> bool:
    """Functions that leave infinity and NaN what they are."""
    if not isinstance(node, tree.Call) or node.type != "double":
        return False
    return node.function in ("abs", "round", "floor", "ceil")


def _may_be_infinite(node: Node) -> bool:
    """Whether the raw double of a node needs a check."""
    if node.type != "double":
        return False
    if isinstance(node, tree.Arithmetic):
        return True
    if isinstance(node, tree.Cast):
        return node.operand.type == "text"
    if isinstance(node, tree.Negate):
        return _may_be_infinite(node.operand)
    return _passes_infinity(node) and _may_be_infinite(next(tree.children(node)))
