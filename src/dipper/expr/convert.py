"""From sqlglot's tree to ours: every form that the language has, typed; everything else refused.

Imported only inside `parse` (it needs sqlglot). A problem is noted and its place becomes UNKNOWN,
which fits everywhere, so that one reading finds all problems.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from dipper.expr.casts import FORMS, WRITTEN, cast, date_literal
from dipper.expr.functions import FUNCTIONS, INSTEAD, function_hint, host_function
from dipper.expr.operands import NUMBERS, ORDERED, UNKNOWN, coerce, common_type, unify
from dipper.expr.places import Places
from dipper.expr.problems import Problem
from dipper.expr.refusals import refused
from dipper.expr.tree import (
    And,
    Arithmetic,
    Between,
    Case,
    Column,
    Compare,
    Constant,
    Distinct,
    In,
    IsNull,
    Join,
    Like,
    Negate,
    Node,
    Not,
    Or,
    Switch,
    constant_text,
)
from dipper.expr.types import INT_MAX, INT_MIN, NodeType, Scope, Type
from dipper.kit.errors import did_you_mean

DEPTH_MAX = 64

_ARITHMETIC = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "//",
    exp.Mod: "%",
}
_COMPARE = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
# Arguments that sqlglot may set on an accepted node; any other one set makes it unsupported.
_ARGUMENTS = {
    exp.Literal: {"this", "is_string"},
    exp.Column: {"this", "table", "db", "catalog"},
    exp.In: {"this", "expressions"},
    exp.Between: {"this", "low", "high"},
    exp.Like: {"this", "expression", "negate"},
    exp.Case: {"this", "ifs", "default"},
    exp.Cast: {"this", "to"},
    exp.TryCast: {"this", "to", "safe"},
    exp.Anonymous: {"this", "expressions"},
}
_COMMON_ARGUMENTS = {"this", "expression", "safe", "typed"}


def convert(
    tree: exp.Expression, text: str, scope: Scope, expected: Type | None
) -> tuple[Node, Type, list[Problem]]:
    """The typed tree, its type and the problems; with problems, tree and type mean nothing."""
    converter = _Converter(text, scope)
    node = converter.node(tree)
    given = node.type
    if expected is not None:
        node = coerce(node, expected) or converter.problem(
            tree, f"expected {expected}, got {given}: {converter.source(tree)}."
        )
    elif given == "null":
        node = converter.untyped_null(tree)
    if node.type == "null" or node.type == "unknown":
        return node, "bool", converter.problems
    return node, node.type, converter.problems


class _Converter(Places):
    """One conversion: the scope for names, and how deep we are."""

    def __init__(self, text: str, scope: Scope) -> None:
        super().__init__(text)
        self.scope = scope
        self.depth = 0
        self.forms: dict[type, Callable[[exp.Expression], Node]] = {
            exp.Literal: self.literal,
            exp.Boolean: lambda e: Constant("bool", bool(e.this)),
            exp.Null: lambda e: Constant("null", None),
            exp.Column: self.column,
            exp.Anonymous: self.call,
            exp.Neg: self.negate,
            exp.DPipe: self.join,
            exp.Not: lambda e: Not(self.typed(e.this, "bool", "NOT")),
            exp.And: lambda e: And(self.chain(e, exp.And, "bool", "AND")),
            exp.Or: lambda e: Or(self.chain(e, exp.Or, "bool", "OR")),
            exp.Is: self.is_,
            exp.NullSafeEQ: lambda e: Not(self.distinct(e)),
            exp.NullSafeNEQ: self.distinct,
            exp.In: self.in_,
            exp.Between: self.between,
            exp.Like: self.like,
            exp.Case: self.case,
            exp.Cast: self.cast,
            exp.TryCast: self.cast,
            **dict.fromkeys(_ARITHMETIC, self.arithmetic),
            **dict.fromkeys(_COMPARE, self.compare),
        }

    def unsupported(self, e: exp.Expression) -> Node:
        what, hint = refused(e)
        shown = what or f"'{self.source(e)}'"
        return self.problem(e, f"{shown} {{at}} is not part of the expression language.", hint)

    def untyped_null(self, e: exp.Expression) -> Node:
        return self.problem(
            e, "nothing gives NULL {at} a type.", "Write CAST(NULL AS int) or another type."
        )

    # Walking.

    def node(self, e: exp.Expression) -> Node:
        """The typed node of any accepted form."""
        while isinstance(e, exp.Paren):
            e = e.this
        form = self.forms.get(type(e))
        known = _ARGUMENTS.get(type(e), _COMMON_ARGUMENTS)
        if form is None or any(value for name, value in e.args.items() if name not in known):
            return self.unsupported(e)
        if self.depth >= DEPTH_MAX:
            return self.problem(e, f"more than {DEPTH_MAX} operations deep {{at}}.")
        self.depth += 1
        try:
            return form(e)
        finally:
            self.depth -= 1

    def typed(self, e: exp.Expression, target: NodeType, what: str) -> Node:
        """The node as `target`; `what` needs it."""
        node = self.node(e)
        return coerce(node, target) or self.problem(
            e, f"{what} needs {target}, got {node.type} ({self.source(e)}) {{at}}."
        )

    def operand(self, e: exp.Expression) -> Node:
        """An operand of a comparison, where an unwritten grouping would be guessed."""
        if isinstance(e, exp.Not | exp.NullSafeEQ | exp.NullSafeNEQ) or type(e) in _COMPARE:
            return self.problem(
                e, f"'{self.source(e)}' {{at}} needs parentheses.", "Comparisons do not chain."
            )
        return self.node(e)

    def chain(self, e: exp.Expression, kind: Any, target: NodeType, what: str) -> tuple[Node, ...]:
        """The operands of `a op b op c`, without recursion along the chain."""
        operands: list[exp.Expression] = []
        rest = [e]
        while rest:
            top = rest.pop()
            inner = top.unnest()
            if type(inner) is kind:
                rest += [inner.expression, inner.this]
            else:
                operands.append(top)
        return tuple(self.typed(o, target, what) for o in operands)

    # Leaves.

    def literal(self, e: exp.Expression, sign: str = "") -> Node:
        text = str(e.this)
        if e.args.get("is_string"):
            return Constant("text", text)
        if text.isdigit():
            whole = int(sign + text)
            if INT_MIN <= whole <= INT_MAX:
                return Constant("int", whole)
            return self.problem(e, f"{sign}{text} {{at}} is not a 64-bit int.")
        try:
            number = float(sign + text)
        except ValueError:  # '1e' is one word to the tokenizer.
            return self.problem(e, f"'{text}' {{at}} is not a number.")
        if not math.isfinite(number):
            return self.problem(e, f"{sign}{text} {{at}} is not a finite double.")
        return Constant("double", number)

    def column(self, e: exp.Expression) -> Node:
        parts = [p for p in (e.args.get(k) for k in ("catalog", "db", "table", "this")) if p]
        if not all(isinstance(p, exp.Identifier) for p in parts):
            return self.unsupported(e)
        name = ".".join(p.name for p in parts)
        type_ = self.scope.columns.get(name)
        if type_ is not None:
            return Column(type_, name)
        instead = INSTEAD.get(name.lower())
        hint = f"Write {instead}." if instead else did_you_mean(name, self.scope.columns)
        return self.problem(e, f"column '{name}' {{at}} is not known.", hint)

    def call(self, e: exp.Expression) -> Node:
        if not isinstance(e.this, str):
            return self.unsupported(e)
        name = e.this.lower()
        arguments = tuple(self.node(a) for a in e.expressions)
        function = FUNCTIONS.get(name) or host_function(name, self.scope.host_functions)
        if function is None:
            hint = function_hint(name, self.scope.host_functions)
            return self.problem(e, f"function '{name}' {{at}} is not known.", hint)
        if any(a.type == "unknown" for a in arguments):
            return UNKNOWN
        given = ", ".join(_shown(a) for a in arguments)
        return function.resolve(arguments) or self.problem(
            e, f"{name} {{at}} takes ({function.parameters}), got ({given})."
        )

    # Numbers and text.

    def negate(self, e: exp.Expression) -> Node:
        if isinstance(e.this, exp.Literal) and not e.this.args.get("is_string"):
            return self.literal(e.this, "-")
        operand = self.node(e.this)
        if operand.type in (*NUMBERS, "unknown"):
            return Negate(operand.type, operand)
        return self.problem(
            e, f"'-' needs a number, got {operand.type} ({self.source(e.this)}) {{at}}."
        )

    def arithmetic(self, e: exp.Expression) -> Node:
        operator = _ARITHMETIC[type(e)]
        written = (e.this, e.expression)
        pair = tuple(self.node(w) for w in written)
        if any(n.type == "unknown" for n in pair):
            return UNKNOWN
        same = unify(pair)
        if same is None or same[0].type not in NUMBERS:
            return self.problem(
                e, f"'{operator}' needs two numbers, got {self.listed(written, pair)} {{at}}."
            )
        if operator == "/":
            same = tuple(c for c in (coerce(n, "double") for n in same) if c)
        return Arithmetic(same[0].type, operator, *same)

    def join(self, e: exp.Expression) -> Node:
        return Join("text", self.chain(e, exp.DPipe, "text", "'||'"))

    # Predicates.

    def same(
        self, e: exp.Expression, written: Sequence[exp.Expression], what: str, *, ordered: bool
    ) -> tuple[Node, ...] | None:
        """Operands that are compared, in one type; None after a problem."""
        nodes = tuple(self.operand(w) for w in written)
        if any(n.type == "unknown" for n in nodes):
            return None
        if common_type(nodes) == "null":
            self.untyped_null(e)
            return None
        same = unify(nodes)
        if same is None:
            self.problem(
                e,
                f"{what} {{at}} mixes types: {self.listed(written, nodes)}.",
                "Write a CAST, or a literal of the other type.",
            )
        elif ordered and same[0].type not in ORDERED:
            self.problem(e, f"{what} {{at}} has no order: {self.listed(written, same)}.")
            return None
        return same

    def listed(self, written: Sequence[exp.Expression], nodes: Sequence[Node]) -> str:
        pairs = zip(written, nodes, strict=True)
        return ", ".join(f"{n.type} ({self.source(w)})" for w, n in pairs)

    def compare(self, e: exp.Expression) -> Node:
        operator = _COMPARE[type(e)]
        ordered = operator not in ("=", "<>")
        same = self.same(e, (e.this, e.expression), f"'{operator}'", ordered=ordered)
        return Compare(operator, *same) if same else UNKNOWN

    def distinct(self, e: exp.Expression) -> Node:
        same = self.same(e, (e.this, e.expression), "IS DISTINCT FROM", ordered=False)
        return Distinct(*same) if same else UNKNOWN

    def is_(self, e: exp.Expression) -> Node:
        if isinstance(e.expression, exp.Boolean):
            operand = self.typed(e.this, "bool", "IS TRUE")
            return Not(Distinct(operand, Constant("bool", bool(e.expression.this))))
        if not isinstance(e.expression, exp.Null):
            return self.unsupported(e)
        operand = self.node(e.this)
        return self.untyped_null(e) if operand.type == "null" else IsNull(operand)

    def in_(self, e: exp.Expression) -> Node:
        if not e.expressions:
            return self.unsupported(e)
        same = self.same(e, (e.this, *e.expressions), "IN", ordered=False)
        return In(same[0], same[1:]) if same else UNKNOWN

    def between(self, e: exp.Expression) -> Node:
        written = (e.this, e.args["low"], e.args["high"])
        same = self.same(e, written, "BETWEEN", ordered=True)
        return Between(*same) if same else UNKNOWN

    def like(self, e: exp.Expression) -> Node:
        operand = self.typed(e.this, "text", "LIKE")
        pattern = e.expression
        if not isinstance(pattern, exp.Literal) or not pattern.args.get("is_string"):
            return self.problem(
                e,
                f"LIKE {{at}} needs a literal pattern, got {self.source(pattern)}.",
                "Computed texts work in contains and starts_with.",
            )
        like = Like(operand, str(pattern.this))
        return Not(like) if e.args.get("negate") else like

    # CASE and CAST.

    def case(self, e: exp.Expression) -> Node:
        results = self.results(e)
        if e.this is None:
            conditions = tuple(self.typed(i.this, "bool", "WHEN") for i in e.args["ifs"])
            if results is None:
                return UNKNOWN
            pairs = tuple(zip(conditions, results, strict=False))
            return Case(results[-1].type, pairs, results[-1])
        written = (e.this, *(i.this for i in e.args["ifs"]))
        tested = self.same(e, written, "CASE", ordered=False)
        if tested is None or results is None:
            return UNKNOWN
        pairs = tuple(zip(tested[1:], results, strict=False))
        return Switch(results[-1].type, tested[0], pairs, results[-1])

    def results(self, e: exp.Expression) -> tuple[Node, ...] | None:
        """The results of a CASE with the ELSE last, in one type; None after a problem."""
        written = [i.args["true"] for i in e.args["ifs"]]
        nodes = [self.node(w) for w in written]
        if e.args.get("default") is not None:
            written.append(e.args["default"])
            nodes.append(self.node(written[-1]))
        if any(n.type == "unknown" for n in nodes):
            return None
        same = unify([*nodes, Constant("null", None)][: len(e.args["ifs"]) + 1])
        if same is None and common_type(nodes) == "null":
            self.untyped_null(e)
        elif same is None:
            mixed = self.listed(written, nodes)
            self.problem(e, f"the results of CASE {{at}} mix types: {mixed}.")
        return same

    def cast(self, e: exp.Expression) -> Node:
        to = e.args["to"]
        target = None if to.expressions else WRITTEN.get(to.this.name)
        if target is None:
            known = "bool, int, double, text, timestamp, date"
            return self.problem(e, f"type {to.sql('duckdb')} {{at}} is not one of {known}.")
        operand = self.node(e.this)
        if isinstance(operand, Constant) and isinstance(operand.value, str) and target in FORMS:
            form = f"{target.upper()} '{FORMS[target]}'"
            return date_literal(operand.value, target) or self.problem(
                e, f"'{operand.value}' {{at}} is no {target}, expected {form}."
            )
        return cast(operand, target) or self.problem(
            e, f"no cast from {operand.type} ({self.source(e.this)}) to {target} {{at}}."
        )


def _shown(node: Node) -> str:
    """An argument in an error: a literal as it is, else its type."""
    return constant_text(node) if isinstance(node, Constant) else node.type
