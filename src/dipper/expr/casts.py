"""Which casts exist, and how their types are written."""

from __future__ import annotations

from dipper.expr.dates import parse_day, parse_moment
from dipper.expr.tree import Cast, Constant, Node
from dipper.expr.types import NodeType, Type

# From type to the types it can be cast to; a cast to its own type is the value itself.
CASTS: dict[NodeType, tuple[Type, ...]] = {
    "bool": ("int", "text"),
    "int": ("double", "text"),
    "double": ("int", "text"),
    "text": ("int", "double", "bool", "date", "timestamp"),
    "date": ("text", "timestamp"),
    "timestamp": ("text", "date"),
}

# sqlglot's names of the types that we accept.
WRITTEN: dict[str, Type] = {
    "BOOLEAN": "bool",
    "INT": "int",
    "BIGINT": "int",
    "DOUBLE": "double",
    "TEXT": "text",
    "VARCHAR": "text",
    "TIMESTAMP": "timestamp",
    "TIMESTAMPNTZ": "timestamp",
    "DATE": "date",
}

FORMS = {"date": "YYYY-MM-DD", "timestamp": "YYYY-MM-DD HH:MM:SS"}


def cast(node: Node, target: Type) -> Node | None:
    """The node cast to `target`; None where that cast does not exist."""
    if node.type in (target, "unknown"):
        return node
    if node.type == "null":
        return Constant(target, None)
    if target not in CASTS[node.type]:
        return None
    return Cast(target, node)


def date_literal(text: str, target: NodeType) -> Constant | None:
    """The constant of a DATE or TIMESTAMP literal, or None if it names no day or moment."""
    value = parse_day(text) if target == "date" else parse_moment(text)
    return None if value is None else Constant(target, value)
