"""From the files of a workspace to what is served: prepared, checked, stored by content, applied.

What is applied is a fact of the log (`spec_applied`, `table_applied`, ADR 0009). The control store
keeps the latest of it only so that a command can compare without reading the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dipper.app.workspace import Workspace
from dipper.engine.ports import Entry
from dipper.engine.record import EVENT_ENCODER, Control, RecordKind
from dipper.kit.clock import Clock, to_datetime
from dipper.kit.errors import BadInput
from dipper.spec import plugins, registry
from dipper.spec.check import check
from dipper.spec.finding import Finding
from dipper.spec.load import load_folder
from dipper.spec.program import Program
from dipper.spec.table_csv import read_table
from dipper.spec.tables import TableVersion


@dataclass(frozen=True)
class Prepared:
    """What the files say: a program where they could be read, tables, and all findings."""

    program: Program
    tables: Mapping[str, TableVersion]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        """The findings that refuse an apply."""
        return [finding for finding in self.findings if finding.severity == "error"]


@dataclass(frozen=True)
class Applied:
    """What is served: the program's hash and each table's."""

    program: str
    tables: Mapping[str, str]


def prepare(workspace: Workspace, now_us: int) -> Prepared:
    """Read specs and tables, check them, and give everything that was found at once."""
    known = registry.build(plugins.installed())
    loaded = load_folder(workspace.specs, known)
    program = Program.from_objects(item.spec for item in loaded.objects)
    tables, findings = _read_tables(workspace.tables, program, now_us)
    found = [*findings, *check(loaded, tables, known)]
    return Prepared(program, tables, tuple(found))


def _read_tables(
    folder: Path, program: Program, now_us: int
) -> tuple[dict[str, TableVersion], list[Finding]]:
    business_date = to_datetime(now_us).date().isoformat()
    tables: dict[str, TableVersion] = {}
    findings: list[Finding] = []
    for name, spec in program.of("table").items():
        path = folder / f"{name}.csv"
        if path.is_file():
            version, found = read_table(path, spec, business_date, where=f"tables/{path.name}")
            findings += found
            if version is not None:
                tables[name] = version
    return tables, findings


def applied(workspace: Workspace) -> Applied | None:
    """What was applied last, or None in a fresh workspace."""
    document = workspace.control.get("applied", "current")
    return None if document is None else Applied(document["program"], document["tables"])


def applied_program(workspace: Workspace) -> Program | None:
    """The program that is served, or None in a fresh workspace."""
    current = applied(workspace)
    if current is None:
        return None
    known = registry.build(plugins.installed())
    return Program.from_bytes(workspace.programs.get(current.program), known)


def applied_tables(workspace: Workspace) -> dict[str, TableVersion]:
    """The versions of reference tables that are served."""
    current = applied(workspace)
    if current is None:
        return {}
    return {
        name: TableVersion.from_bytes(workspace.table_versions.get(address))
        for name, address in current.tables.items()
    }


def store(workspace: Workspace, prepared: Prepared) -> Applied:
    """Write program and tables under their addresses. Raises BadInput when there are errors."""
    if prepared.errors:
        raise BadInput(
            f"{len(prepared.errors)} findings refuse it; the first: {prepared.errors[0].as_text()}",
            where=str(workspace.specs),
            hint="See them all with: dipper check",
        )
    program = workspace.programs.put(prepared.program.to_bytes())
    tables = {
        name: workspace.table_versions.put(version.to_bytes())
        for name, version in sorted(prepared.tables.items())
    }
    return Applied(program, tables)


def control_entries(
    stored: Applied, tables: Mapping[str, TableVersion], clock: Clock
) -> list[Entry]:
    """The control records that make a stored program the served one."""
    now_us = clock()
    records = [
        Control(
            type="table_applied",
            time_us=now_us,
            body={
                "table": name,
                "hash": address,
                "business_date": tables[name].business_date,
            },
        )
        for name, address in stored.tables.items()
    ]
    records.append(Control(type="spec_applied", time_us=now_us, body={"program": stored.program}))
    return [Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(record)) for record in records]


def remember(workspace: Workspace, stored: Applied, now_us: int) -> None:
    """Keep what was applied, and when, for the control plane."""
    document = {"program": stored.program, "tables": dict(stored.tables), "time_us": now_us}
    workspace.control.put("applied", "current", document)
    workspace.control.put("applied", f"{now_us:020d}", document)
