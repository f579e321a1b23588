"""Variables for parts of generated source: inputs, and parts that become statements.

A part is computed in a statement of its own when it is needed more than once (the operand of IN
and BETWEEN with computed ends, of CASE) or lies deep: Python's parser has a limit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from dipper.expr import tree
from dipper.expr.tree import Node

STATEMENT_HEIGHT = 10

# Variables that are known not to be None where a condition holds.
Facts = frozenset[str]
NO_FACTS: Facts = frozenset()


@dataclass(frozen=True)
class Local(Node):
    """A part that already is a Python variable; None is NULL."""

    name: str


class Parts(ABC):
    """The pending statements, the names given so far, and what is known not to be None."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.statements: list[str] = []
        self.known: Facts = NO_FACTS
        self._names = 0
        self._heights: dict[int, tuple[Node, int]] = {}
        self._locals: dict[int, Local] = {}

    @abstractmethod
    def value(self, node: Node) -> str:
        """An expression with the value of the node, None for NULL."""

    def new_name(self) -> str:
        """A variable that is not in use."""
        self._names += 1
        return f"t{self._names}"

    def reduced(self, node: Node) -> Node:
        """Inputs and deep parts as the variables that hold them, IN and BETWEEN as plain logic."""
        if isinstance(node, tree.Column | tree.HostCall):
            return Local(node.type, self.variables[node.name])
        if isinstance(node, tree.In) and not all(map(is_constant, node.items)):
            return self.in_of_parts(node)
        if isinstance(node, tree.Between) and not (is_given(node.low) and is_given(node.high)):
            part = self.local(node.operand)
            ends = tree.Compare(">=", part, node.low), tree.Compare("<=", part, node.high)
            return tree.And(ends)
        height = self.height(node)
        if height and height % STATEMENT_HEIGHT == 0:
            return self.local(node)
        return node

    def local(self, node: Node) -> Node:
        """The node as a variable, computed in a statement of its own where it is not one yet."""
        if isinstance(node, tree.Column | tree.HostCall | Local):
            return self.reduced(node)
        if id(node) not in self._locals:
            known, self.known = self.known, NO_FACTS
            self._heights[id(node)] = node, 0
            value = self.value(node)
            self.known = known
            name = self.new_name()
            self.statements.append(f"{name} = {value}")
            self._locals[id(node)] = Local(node.type, name)
        return self._locals[id(node)]

    def height(self, node: Node) -> int:
        """Operations on the longest way down."""
        found = self._heights.get(id(node))
        if found is None:
            below = [self.height(c) for c in tree.children(node)]
            # The node is kept, so that its id stays its own.
            found = self._heights[id(node)] = node, max(below, default=-1) + 1
        return found[1]

    def present(self, name: str) -> list[str]:
        """The check that a variable is not None, unless that is known."""
        return [] if name in self.known else [f"{name} is not None"]

    def in_of_parts(self, node: tree.In) -> Node:
        """IN with computed items as OR of equalities; the constants stay one set."""
        part = self.local(node.operand)
        constants = tuple(i for i in node.items if is_constant(i))
        tests: list[Node] = [tree.In(part, constants)] if constants else []
        tests += [tree.Compare("=", part, i) for i in node.items if not is_constant(i)]
        return tests[0] if len(tests) == 1 else tree.Or(tuple(tests))


def is_constant(node: Node) -> bool:
    return isinstance(node, tree.Constant)


def is_given(node: Node) -> bool:
    return isinstance(node, tree.Constant) and node.value is not None
