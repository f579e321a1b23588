"""The types of expressions, and what an expression may mention where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Type = Literal["bool", "int", "double", "text", "timestamp", "date"]

# `null` is a bare NULL before its place gives it a type, `unknown` stands where a problem was
# found. Neither is left in an expression that parsed.
NodeType = Literal["bool", "int", "double", "text", "timestamp", "date", "null", "unknown"]

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1


@dataclass(frozen=True)
class HostFunction:
    """A function whose value the caller gives; its arguments are literals of these types."""

    arguments: tuple[Type, ...]
    returns: Type


@dataclass(frozen=True)
class Scope:
    """What an expression may mention: columns by name, host functions by lower-case name."""

    columns: Mapping[str, Type]
    host_functions: Mapping[str, HostFunction] = field(default_factory=dict)
