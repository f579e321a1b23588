"""Typing of operands: which conversions happen by themselves, and to which common type."""

from __future__ import annotations

from collections.abc import Sequence

from dipper.expr.tree import Constant, Node, ToDouble
from dipper.expr.types import NodeType

NUMBERS: tuple[NodeType, ...] = ("int", "double")
ORDERED: tuple[NodeType, ...] = ("int", "double", "text", "timestamp", "date")
UNKNOWN = Constant("unknown", None)


def coerce(node: Node, target: NodeType) -> Node | None:
    """The node as `target`: itself, a typed NULL or an int as double; None where nothing fits."""
    if node.type in (target, "unknown"):
        return node
    if node.type == "null":
        return Constant(target, None)
    if node.type == "int" and target == "double":
        if isinstance(node, Constant):
            return Constant("double", None if node.value is None else float(node.value))
        return ToDouble("double", node)
    return None


def common_type(nodes: Sequence[Node]) -> NodeType | None:
    """The one type that all nodes can take, "null" if none has a type; None if there is none."""
    types = {n.type for n in nodes} - {"null"}
    if "unknown" in types:
        return "unknown"
    if types == {"int", "double"}:
        return "double"
    if len(types) > 1:
        return None
    return types.pop() if types else "null"


def unify(nodes: Sequence[Node]) -> tuple[Node, ...] | None:
    """All nodes in their common type; None where they have none, or are all bare NULLs.

    If a problem was found in one of them the others stay as they are.
    """
    target = common_type(nodes)
    if target is None or target == "null":
        return None
    if target == "unknown":
        return tuple(nodes)
    return tuple(c for c in (coerce(n, target) for n in nodes) if c is not None)
