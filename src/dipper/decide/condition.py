"""An offer's own condition, ready to be judged: constants folded in, needed values known.

Missing means deny: a condition is not even asked while a value it needs is missing. It says itself
what to do without a value where it writes `IS NULL`, `IS DISTINCT FROM` or `COALESCE`; such a value
is read but not needed, and SQL's three values decide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dipper.decide.gates.verdict import PASSED, Verdict, denied, input_missing
from dipper.expr.parse import Expression
from dipper.expr.python import compile_function
from dipper.expr.tree import (
    Call,
    Column,
    Constant,
    Distinct,
    IsNull,
    Node,
    children,
    inputs_of,
    walk,
)


@dataclass(frozen=True, eq=False)
class Condition:
    """`expression` has the product's columns folded in; `absent` are those that its row lacks.

    `required` are the inputs that it needs; all that it reads are `expression.inputs`.
    """

    text: str
    expression: Expression
    required: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def meaning(self) -> Hashable:
        """Equal for conditions that always get the same answer."""
        return self.expression.tree, self.required, self.absent

    @cached_property
    def function(self) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """The condition as a function of the values of its inputs in order."""
        return compile_function([self.expression], self.expression.inputs)


def make_condition(expression: Expression, constants: Mapping[str, Any]) -> Condition:
    """A condition with the values of `constants` (`product.class` ...) folded in."""
    needed = required_inputs(expression.tree)
    tree = substitute(expression.tree, constants)
    return Condition(
        expression.text,
        Expression(expression.text, tree, expression.type, inputs_of(tree)),
        tuple(name for name in needed if name not in constants),
        tuple(name for name in needed if name in constants and constants[name] is None),
    )


def judge_condition(condition: Condition | None, inputs: Mapping[str, Any]) -> Verdict:
    """Passes when there is no condition or it is TRUE; FALSE and NULL deny."""
    if condition is None:
        return PASSED
    missing = (*condition.absent, *(n for n in condition.required if inputs.get(n) is None))
    if missing:
        return input_missing(*missing)
    (outcome,) = condition.function([inputs.get(n) for n in condition.expression.inputs])
    return PASSED if outcome is True else denied("condition_not_met", condition=condition.text)


def required_inputs(tree: Node) -> tuple[str, ...]:
    """Sorted names of the inputs that never stand inside `IS NULL`, `IS DISTINCT FROM` or before
    the last argument of `COALESCE`."""
    handled = {name for guarded in _guarded(tree) for name in inputs_of(guarded)}
    return tuple(name for name in inputs_of(tree) if name not in handled)


def _guarded(tree: Node) -> Iterator[Node]:
    """The operands whose being NULL the text has thought of."""
    for node in walk(tree):
        if isinstance(node, IsNull | Distinct):
            yield from children(node)
        elif isinstance(node, Call) and node.function == "coalesce":
            yield from node.arguments[:-1]


def substitute(node: Node, constants: Mapping[str, Any]) -> Node:
    """The tree with the named columns replaced by their values."""
    if isinstance(node, Column) and node.name in constants:
        return Constant(node.type, constants[node.name])
    changes = {
        field.name: _substitute_in(value, constants)
        for field in dataclasses.fields(node)
        if isinstance(value := getattr(node, field.name), Node | tuple)
    }
    return dataclasses.replace(node, **changes) if changes else node


def _substitute_in(value: Any, constants: Mapping[str, Any]) -> Any:
    if isinstance(value, Node):
        return substitute(value, constants)
    if isinstance(value, tuple):
        return tuple(_substitute_in(item, constants) for item in value)
    return value
