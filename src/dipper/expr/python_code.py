"""Python source of typed trees.

A strict operation (NULL when an operand is) becomes *checks*, conditions that are all true exactly
when the value is not NULL, and a *value* that may be computed only then. Range and zero checks are
checks like any other, so a comparison of sums is one flat conjunction without calls. Conditions
are emitted for the answer that is wanted (TRUE or FALSE), so that NULL is never represented where
only TRUE counts. A name bound inside a check is used only to the right of it.

Only text made here, `repr` of checked constants and names made here reach the source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dipper.expr import tree
from dipper.expr.like import like_test
from dipper.expr.python_calls import (
    RUNTIME,
    Checked,
    call_value,
    cast_value,
    double_range,
    int_range,
    not_none,
)
from dipper.expr.python_parts import NO_FACTS, Facts, Local, Parts, is_given
from dipper.expr.tree import Node
from dipper.expr.types import INT_MAX

# Below it an int and its nearest double compare alike with a double.
EXACT_DOUBLE = 2.0**53

_PYTHON = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_INVERSE = {"=": "!=", "<>": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_NOT_STRICT = ("coalesce", "concat", "greatest", "least", "nullif")


class Code(Parts):
    """Source under construction."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """`variables` has the Python variable of each input."""
        super().__init__(variables)
        self.namespace: dict[str, Any] = dict(RUNTIME)
        self._values: dict[type, Callable[[Any], str]] = {
            tree.And: lambda n: self.logic(n.operands, False),
            tree.Or: lambda n: self.logic(n.operands, True),
            tree.Not: self.negated,
            tree.Case: self.case,
            tree.Switch: self.switch,
        }

    # The three ways to emit a node.

    def value(self, node: Node) -> str:
        """An expression with the value of the node, None for NULL."""
        node = self.reduced(node)
        emit = self._values.get(type(node))
        if emit is not None:
            return emit(node)
        if isinstance(node, Local):
            return node.name
        if isinstance(node, tree.Call) and _sees_null(node):
            return self.call(node)
        checks, value = self.strict(node)
        return f"({value} if {_all(checks)} else None)" if checks else value

    def strict(self, node: Node) -> Checked:
        """Checks and a value; see the module's docstring."""
        node = self.reduced(node)
        if isinstance(node, Local):
            return self.present(node.name), node.name
        checks, value = self.raw(node)
        if node.type == "double" and _may_be_infinite(node):
            name = self.new_name()
            return [*checks, double_range(value, name)], name
        return checks, value

    def condition(self, node: Node, wanted: bool) -> tuple[str, Facts]:
        """An expression that is true exactly when the node is `wanted`, and what it proves."""
        node = self.reduced(node)
        if isinstance(node, Local):
            text = node.name if wanted else f"{node.name} is False"
            return text, frozenset({node.name})
        if isinstance(node, tree.Constant):
            return str(node.value is wanted), NO_FACTS
        if isinstance(node, tree.Not):
            return self.condition(node.operand, not wanted)
        if isinstance(node, tree.And | tree.Or):
            return self.chain(node.operands, wanted, isinstance(node, tree.And) is wanted)
        if isinstance(node, tree.IsNull):
            return self.null_test(node.operand, wanted)
        if isinstance(node, tree.Distinct):
            operator = "!=" if wanted else "=="
            return f"({self.value(node.left)} {operator} {self.value(node.right)})", NO_FACTS
        if isinstance(node, tree.Compare):
            return self.compared(node, _PYTHON if wanted else _INVERSE)
        if isinstance(node, tree.In) and _has_null(node):
            return self.in_with_null(node, wanted), NO_FACTS
        if type(node) in self._values or _sees_null(node):
            value = self.value(node)
            return (value if wanted else f"{value} is False"), NO_FACTS
        checks, value = self.strict(node)
        return _all([*checks, value if wanted else f"not {value}"]), _proved(checks)

    def named(self, node: Node) -> Checked:
        """Checks and a value that may be repeated."""
        checks, value = self.strict(node)
        if value.isidentifier() or isinstance(node, tree.Constant):
            return checks, value
        name = self.new_name()
        return [*checks, not_none(value, name)], name

    # Logic.

    def chain(
        self, operands: tuple[Node, ...], wanted: bool, all_needed: bool
    ) -> tuple[str, Facts]:
        """AND and OR for a wanted answer; where all are needed the left proves for the right."""
        known, parts, proved = self.known, [], NO_FACTS
        for operand in operands:
            text, facts = self.condition(operand, wanted)
            parts.append(text)
            if all_needed:
                proved |= facts
                self.known |= facts
        self.known = known
        return f"({(' and ' if all_needed else ' or ').join(parts)})", proved

    def null_test(self, operand: Node, wanted: bool) -> tuple[str, Facts]:
        operand = self.reduced(operand)
        if type(operand) in self._values:
            return f"({self.value(operand)} {'is' if wanted else 'is not'} None)", NO_FACTS
        checks, _ = self.strict(operand)
        if not checks:
            return str(not wanted), NO_FACTS
        if wanted:
            return f"(not ({_all(checks)}))", NO_FACTS
        return _all(checks), _proved(checks)

    def compared(self, node: tree.Compare, operators: Mapping[str, str]) -> tuple[str, Facts]:
        checks, left, right = self.sides(node)
        text = _all([*checks, f"{left} {operators[node.operator]} {right}"])
        return text, _proved(checks)

    def sides(self, node: tree.Compare) -> tuple[list[str], str, str]:
        """Both operands; an int beside a small double constant needs no conversion."""
        left_checks, left = self.strict(_exact_side(node.left, node.right))
        right_checks, right = self.strict(_exact_side(node.right, node.left))
        return _once([*left_checks, *right_checks]), left, right

    def in_with_null(self, node: tree.In, wanted: bool) -> str:
        """Never FALSE; TRUE where one of the other constants matches."""
        given = tuple(i for i in node.items if is_given(i))
        if not wanted or not given:
            return "False"
        return self.condition(tree.In(node.operand, given), wanted=True)[0]

    # Values that are not NULL exactly when an operand is.

    def logic(self, operands: tuple[Node, ...], decisive: bool) -> str:
        """AND (FALSE decides) or OR (TRUE decides) of values, each computed at most once."""
        names = [self.new_name() for _ in operands]
        values = [self.value(o) for o in operands]
        decided = " or ".join(
            f"({n} := {v}) is {decisive}" for n, v in zip(names, values, strict=True)
        )
        unknown = " or ".join(f"{n} is None" for n in names)
        return f"({decisive} if {decided} else None if {unknown} else {not decisive})"

    def negated(self, node: tree.Not) -> str:
        name = self.new_name()
        return f"(None if ({name} := {self.value(node.operand)}) is None else not {name})"

    def case(self, node: tree.Case) -> str:
        parts = [
            f"{self.value(result)} if {self.condition(condition, wanted=True)[0]} else "
            for condition, result in node.branches
        ]
        return f"({''.join(parts)}{self.value(node.otherwise)})"

    def switch(self, node: tree.Switch) -> str:
        part = self.local(node.operand)
        tests = tuple((tree.Compare("=", part, v), r) for v, r in node.branches)
        return self.case(tree.Case(node.type, tests, node.otherwise))

    def call(self, node: tree.Call) -> str:
        """The functions that look at NULLs themselves."""
        if node.function in ("least", "greatest"):
            return f"{node.function}({', '.join(map(self.value, node.arguments))})"
        if node.function == "concat":
            texts = [f"({self.value(a)} or '')" for a in node.arguments]
            return f"({' + '.join(texts)})"
        if node.function == "nullif":
            checks, value = self.nullif(node)
            return f"({value} if {_all(checks)} else None)"
        text = ""
        for argument in node.arguments:
            checks, value = self.strict(argument)
            if not checks:
                return f"({text}{value})"
            text += f"{value} if {_all(checks)} else "
        return f"({text}None)"

    def nullif(self, node: tree.Call) -> Checked:
        checks, value = self.named(node.arguments[0])
        others, other = self.strict(node.arguments[1])
        return [*checks, f"not ({_all([*others, f'{value} == {other}'])})"], value

    # Strict operations; a double may still be infinite or NaN.

    def raw(self, node: Node) -> Checked:
        """Checks and value of an operation, of a double before the check that it is finite."""
        node = self.reduced(node)
        if isinstance(node, Local):
            return self.present(node.name), node.name
        if isinstance(node, tree.Constant):
            return _constant(node)
        if isinstance(node, tree.ToDouble):
            checks, value = self.strict(node.operand)
            return checks, f"({value} * 1.0)"
        if isinstance(node, tree.Negate):
            return self.negate(node)
        if isinstance(node, tree.Arithmetic):
            return self.double(node) if node.type == "double" else self.int_(node)
        if isinstance(node, tree.Join):
            parts = [self.strict(o) for o in node.operands]
            checks = _once([c for part in parts for c in part[0]])
            return checks, f"({' + '.join(value for _, value in parts)})"
        if isinstance(node, tree.Cast):
            checks, value = self.strict(node.operand)
            more, value = cast_value(node.operand.type, node.type, value, self.new_name)
            return [*checks, *more], value
        if isinstance(node, tree.Call):
            return self.strict_call(node)
        return self.predicate(node)

    def strict_call(self, node: tree.Call) -> Checked:
        if node.function == "nullif":
            return self.nullif(node)
        if node.function == "concat" or (
            node.function == "coalesce" and is_given(node.arguments[-1])
        ):
            return [], self.call(node)
        if _sees_null(node):
            name = self.new_name()
            return [not_none(self.call(node), name)], name
        parts = [self.strict(a) for a in node.arguments]
        checks = _once([c for part in parts for c in part[0]])
        more, value = call_value(node, [value for _, value in parts], self.new_name)
        return [*checks, *more], value

    def predicate(self, node: Node) -> Checked:
        if isinstance(node, tree.Compare):
            checks, left, right = self.sides(node)
            return checks, f"({left} {_PYTHON[node.operator]} {right})"
        if isinstance(node, tree.IsNull | tree.Distinct):
            return [], self.condition(node, wanted=True)[0]
        if isinstance(node, tree.In) and not _has_null(node):
            checks, value = self.strict(node.operand)
            return checks, _membership(value, node.items)
        if isinstance(node, tree.Between):
            parts = [self.strict(n) for n in (node.low, node.operand, node.high)]
            low, value, high = (p[1] for p in parts)
            return parts[1][0], f"({low} <= {value} <= {high})"
        if isinstance(node, tree.Like):
            checks, value = self.strict(node.operand)
            return checks, self.like(value, node.pattern)
        name = self.new_name()
        if isinstance(node, tree.In):
            matches = self.in_with_null(node, wanted=True)
            return [not_none(f"(True if {matches} else None)", name)], name
        return [not_none(self.value(node), name)], name

    def like(self, value: str, pattern: str) -> str:
        test = like_test(pattern)
        if test.kind == "regex":
            name = f"like_{len(self.namespace)}"
            self.namespace[name] = test.matches
            return f"({name}({value}) is not None)"
        return {
            "equals": f"({value} == {test.part!r})",
            "starts": f"{value}.startswith({test.part!r})",
            "ends": f"{value}.endswith({test.part!r})",
            "contains": f"({test.part!r} in {value})",
        }[test.kind]

    def negate(self, node: tree.Negate) -> Checked:
        if node.type == "double":
            checks, value = self.raw(node.operand)
            return checks, f"(-{value})"
        checks, value = self.strict(node.operand)
        name = self.new_name()
        return [*checks, f"({name} := -{value}) <= {INT_MAX}"], name

    def int_(self, node: tree.Arithmetic) -> Checked:
        divides = node.operator in ("//", "%")
        left_checks, left = self.named(node.left) if divides else self.strict(node.left)
        right_checks, right = self.strict(node.right)
        checks, name = _once([*left_checks, *right_checks]), self.new_name()
        if not divides:
            return [*checks, int_range(f"{left} {node.operator} {right}", name)], name
        if _positive(node.right):
            forward, mirrored = (f"{sign}{left} {node.operator} {right}" for sign in ("", "-"))
            return checks, f"({forward} if {left} >= 0 else -({mirrored}))"
        function = "divide_int" if node.operator == "//" else "modulo_int"
        return [*checks, not_none(f"{function}({left}, {right})", name)], name

    def double(self, node: tree.Arithmetic) -> Checked:
        if node.operator in ("+", "-", "*"):
            left_checks, left = self.raw(node.left)
            right_checks, right = self.raw(node.right)
            checks = _once([*left_checks, *right_checks])
            return checks, f"({left} {node.operator} {right})"
        left_checks, left = self.strict(node.left) if node.operator == "%" else self.raw(node.left)
        right_checks, right = self.named(node.right)
        checks = _once([*left_checks, *right_checks])
        if not _positive(node.right):
            checks.append(f"{right} != 0.0")
        if node.operator == "%":
            return checks, f"fmod({left}, {right})"
        quotient = f"({left} / {right})"
        if node.operator == "/":
            return checks, quotient
        name = self.new_name()
        return [*checks, double_range(quotient, name)], f"truncate({name})"


def _all(checks: list[str]) -> str:
    return " and ".join(checks)


def _once(checks: list[str]) -> list[str]:
    return list(dict.fromkeys(checks))


def _proved(checks: list[str]) -> Facts:
    """The variables that plain checks prove to be there."""
    names = (c.removesuffix(" is not None") for c in checks if c.endswith(" is not None"))
    return frozenset(n for n in names if n.isidentifier())


def _positive(node: Node) -> bool:
    """A constant above zero: neither a zero divisor nor -1, and the sign of a is the result's."""
    if not isinstance(node, tree.Constant) or isinstance(node.value, str | None):
        return False
    return node.value > 0


def _has_null(node: tree.In) -> bool:
    return any(isinstance(i, tree.Constant) and i.value is None for i in node.items)


def _sees_null(node: Node) -> bool:
    """A function that has its own answer to NULL arguments."""
    return isinstance(node, tree.Call) and node.function in _NOT_STRICT


def _may_be_infinite(node: Node) -> bool:
    """Whether `raw` leaves the check to `strict`."""
    if isinstance(node, tree.Arithmetic):
        return node.operator in ("+", "-", "*", "/")
    return isinstance(node, tree.Negate) and _may_be_infinite(node.operand)


def _exact_side(node: Node, other: Node) -> Node:
    """An int without its conversion where that changes no comparison with the constant."""
    limit = other.value if isinstance(other, tree.Constant) else None
    if isinstance(node, tree.ToDouble) and isinstance(limit, float) and abs(limit) < EXACT_DOUBLE:
        return node.operand
    return node


def _constant(node: tree.Constant) -> Checked:
    if node.value is None:
        return ["False"], "null"
    text = repr(node.value)
    return [], f"({text})" if text.startswith("-") else text


def _membership(value: str, items: tuple[Node, ...]) -> str:
    texts = [repr(i.value) for i in items if isinstance(i, tree.Constant)]
    if len(texts) == 1:
        return f"({value} == {texts[0]})"
    return f"({value} in {{{', '.join(dict.fromkeys(texts))}}})"
