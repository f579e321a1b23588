"""The entry: from a text and a scope to a typed expression."""

from __future__ import annotations

from dataclasses import dataclass

from dipper.expr.problems import ExpressionError, Problem
from dipper.expr.tree import Node, inputs_of
from dipper.expr.types import Scope, Type


@dataclass(frozen=True)
class Expression:
    """A typed expression; `inputs` are the sorted canonical names of its columns and calls."""

    text: str
    tree: Node
    type: Type
    inputs: tuple[str, ...]


def parse(text: str, scope: Scope, *, where: str = "", expected: Type | None = None) -> Expression:
    """Reads, types and checks an expression as docs/reference/expressions.md has it.

    With `expected` an int becomes a double and a bare NULL takes that type; another type is an
    error. Raises ExpressionError with all problems.
    """
    # sqlglot takes 100 ms to import: only who parses pays for it.
    from dipper.expr.convert import convert
    from dipper.expr.grammar import read

    tree = read(text)
    if isinstance(tree, Problem):
        raise ExpressionError([tree], where=where)
    node, type_, problems = convert(tree, text, scope, expected)
    if problems:
        raise ExpressionError(problems, where=where)
    return Expression(text, node, type_, inputs_of(node))
