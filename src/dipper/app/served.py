"""What a process serves: a program with its tables, compiled once and kept by hash.

`Current` follows the control records of the log: whoever reads `spec_applied` and `table_applied`
in order knows at every position what was in force there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from dipper.app.workspace import Workspace
from dipper.decide.arbitration import Decider, compile_decider
from dipper.decide.gates import registry as gate_registry
from dipper.decide.rank import registry as rank_registry
from dipper.engine.embedded.lake_schema import ENVELOPE, PARTITIONS
from dipper.engine.record import Control
from dipper.profile.tags import TagTable, compile_tags
from dipper.spec import plugins, registry
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.table import PRODUCT
from dipper.spec.program import Program
from dipper.spec.reserved import personal_properties
from dipper.spec.tables import TableVersion


class Current(msgspec.Struct, frozen=True):
    """The addresses in force: the program's, and each table's."""

    program: str = ""
    tables: dict[str, str] = {}

    def after(self, control: Control) -> Current:
        """What is in force behind a control record."""
        if control.type == "spec_applied":
            return Current(control.body["program"], self.tables)
        if control.type == "table_applied":
            tables = self.tables | {control.body["table"]: control.body["hash"]}
            return Current(self.program, tables)
        return self


@dataclass(frozen=True)
class Served:
    """A program with its tables; what is compiled from them is compiled on first use."""

    current: Current
    program: Program
    tables: Mapping[str, TableVersion] = field(repr=False)

    def matches(self, program: str, tables: Mapping[str, str]) -> bool:
        """Whether these versions are among what is served here."""
        return self.current.program == program and tables.items() <= self.current.tables.items()

    @cached_property
    def tag_table(self) -> TagTable:
        """For projecting and reading subjects."""
        return compile_tags(self.program, self.product_lines)

    @cached_property
    def decider(self) -> Decider:
        """For decisions."""
        added = plugins.installed()
        decider = compile_decider(
            self.program,
            self.tables,
            gates=gate_registry.with_added(plugins.members("GATES", added).values()),
            rankers=rank_registry.with_added(plugins.members("RANKERS", added).values()),
        )
        decider.warm()
        return decider

    @cached_property
    def product_lines(self) -> dict[str, str]:
        """product -> product line."""
        products = self.tables.get(PRODUCT)
        if products is None:
            return {}
        return {
            str(key): str(row["line"])
            for key, row in products.rows.items()
            if row.get("line") is not None
        }

    @cached_property
    def property_types(self) -> dict[str, str]:
        """Declared properties of events with their types, as the lake's columns.

        A reserved property with the name of a role's column (`account`) stays in `extra`.
        """
        taken = {*ENVELOPE.names, *PARTITIONS}
        return {
            name: spec.type for name, spec in self.program.of(Property).items() if name not in taken
        }

    @cached_property
    def personal_properties(self) -> frozenset[str]:
        """Properties that an erasure takes out of rows that others share."""
        return personal_properties(self.program.of(Property))

    def roles_of(self, event: str) -> tuple[str, ...]:
        """The roles that keep a row of this event."""
        spec = self.program.of("event").get(event)
        return ("person",) if spec is None else tuple(spec.subjects)


class Programs:
    """Loads what control records name, and keeps the last few compiled."""

    KEPT = 4

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._recent: list[Served] = []

    def get(self, current: Current) -> Served:
        """The program and tables of these addresses. Raises NotFound or Corrupt."""
        for served in self._recent:
            if served.current == current:
                return served
        workspace = self._workspace
        known = registry.build(plugins.installed())
        program = Program.from_bytes(workspace.programs.get(current.program), known)
        tables = {
            name: TableVersion.from_bytes(workspace.table_versions.get(address))
            for name, address in current.tables.items()
        }
        served = Served(current, program, tables)
        self._recent = [served, *self._recent[: self.KEPT - 1]]
        return served

    @property
    def latest(self) -> Served | None:
        """What was asked for last."""
        return self._recent[0] if self._recent else None

    def of_trace(self, program: str, tables: Mapping[str, str]) -> Served:
        """The versions that a trace names: it names only the tables that it has read."""
        for served in self._recent:
            if served.matches(program, tables):
                return served
        return self.get(Current(program, dict(tables)))
