"""The typed tree of an expression: frozen nodes, the only thing that the back ends read.

Conversions are explicit (`ToDouble`), so that the operands of a node always have one type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from dipper.expr.dates import format_day, format_moment
from dipper.expr.types import NodeType


@dataclass(frozen=True)
class Node:
    """Anything with a value."""

    type: NodeType


@dataclass(frozen=True)
class Predicate(Node):
    """A node of type bool."""

    type: NodeType = field(default="bool", kw_only=True)


@dataclass(frozen=True)
class Constant(Node):
    """A literal; `value` is of the Python class of its type, None for NULL."""

    value: bool | int | float | str | None


@dataclass(frozen=True)
class Column(Node):
    """A value that the caller gives, by its dotted name."""

    name: str


@dataclass(frozen=True)
class HostCall(Node):
    """A value that the caller gives for a call of a host function with literal arguments."""

    function: str
    arguments: tuple[Constant, ...]

    @property
    def name(self) -> str:
        """The canonical name of this input, `holds('wealth.stable_growth')`."""
        return f"{self.function}({', '.join(map(constant_text, self.arguments))})"


@dataclass(frozen=True)
class ToDouble(Node):
    """The implicit conversion of an int."""

    operand: Node


@dataclass(frozen=True)
class Negate(Node):
    """Unary minus of an int or double."""

    operand: Node


@dataclass(frozen=True)
class Arithmetic(Node):
    """`+ - * / // %`; the operands have the type of the node (`/`: double)."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Join(Node):
    """`a || b || …`."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Compare(Predicate):
    """`= <> < <= > >=` over two operands of one type."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Distinct(Predicate):
    """IS DISTINCT FROM: never NULL."""

    left: Node
    right: Node


@dataclass(frozen=True)
class IsNull(Predicate):
    """IS NULL."""

    operand: Node


@dataclass(frozen=True)
class Not(Predicate):
    """NOT with three values."""

    operand: Node


@dataclass(frozen=True)
class And(Predicate):
    """A chain of two or more."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Or(Predicate):
    """A chain of two or more."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class In(Predicate):
    """`operand IN (items)`."""

    operand: Node
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Between(Predicate):
    """`operand BETWEEN low AND high`."""

    operand: Node
    low: Node
    high: Node


@dataclass(frozen=True)
class Like(Predicate):
    """`operand LIKE 'pattern'`."""

    operand: Node
    pattern: str


@dataclass(frozen=True)
class Case(Node):
    """Searched CASE: (condition, result) pairs and the ELSE."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node


@dataclass(frozen=True)
class Switch(Node):
    """`CASE operand WHEN value THEN result …`: (value, result) pairs and the ELSE."""

    operand: Node
    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node


@dataclass(frozen=True)
class Cast(Node):
    """A written CAST to the type of the node, NULL where it fails."""

    operand: Node


@dataclass(frozen=True)
class Call(Node):
    """A built-in function of `dipper.expr.functions`."""

    function: str
    arguments: tuple[Node, ...]


def children(node: Node) -> Iterator[Node]:
    """The operands of a node in written order."""
    for name in (f.name for f in fields(node)):
        yield from _nodes(getattr(node, name))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def inputs_of(node: Node) -> tuple[str, ...]:
    """Sorted canonical names of the columns and host calls that a node reads."""
    return tuple(sorted({n.name for n in walk(node) if isinstance(n, Column | HostCall)}))


def host_calls(node: Node) -> tuple[HostCall, ...]:
    """The host calls of a node, each once, sorted by canonical name."""
    calls = {n.name: n for n in walk(node) if isinstance(n, HostCall)}
    return tuple(calls[name] for name in sorted(calls))


def constant_text(constant: Constant) -> str:
    """A literal as it is written in an expression."""
    value = constant.value
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, int) and constant.type == "date":
        return f"DATE '{format_day(value)}'"
    if isinstance(value, int) and constant.type == "timestamp":
        return f"TIMESTAMP '{format_moment(value)}'"
    return repr(value)
