"""The whole project while it is checked: what a kind's findings may ask about the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dipper.spec.document import Rows
from dipper.spec.expressions import Expressions
from dipper.spec.program import Program
from dipper.spec.registry import Registry
from dipper.spec.tables import TableVersion


@dataclass(frozen=True)
class Bank:
    """All specs, the rows of tables and the known words: a `Project`.

    `broken` is what was read but is invalid: it exists, so that nothing else is said about it.
    """

    program: Program
    expressions: Expressions
    tables: Mapping[str, TableVersion]
    registry: Registry
    broken: frozenset[tuple[str, str]]

    def get(self, kind: str, name: str) -> Any | None:
        return self.program.get(kind, name)

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(self.program.of(kind))

    def objects(self, kind: str) -> Mapping[str, Any]:
        return self.program.of(kind)

    def rows(self, table: str) -> Rows | None:
        return self.tables.get(table)

    def members(self, family: str) -> tuple[str, ...]:
        return self.registry.members(family)
