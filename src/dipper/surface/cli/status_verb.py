"""`dipper status [FOLDER]`: how far everything is, and what became of what was received."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from dipper.surface.cli.output import EXIT_FINDINGS, print_json, print_rows, progress

EXAMPLES = ("dipper status mybank",)


def command(
    folder: Path = typer.Argument(Path(), help="The workspace."),
    as_json: bool = typer.Option(False, "--json", help="The status as JSON."),
) -> None:
    """Show partitions, lag, events by source, the program and disk; exit 1 when one is late."""
    from dipper.app.workspace import Workspace
    from dipper.surface.conservation import Conservation
    from dipper.surface.status import health_of, status_of

    workspace = Workspace(folder)
    with workspace.log.reader() as log:
        counted = Conservation(log)
        with progress("counting", counted.behind) as done:
            counted.catch_up(progress=done)
        health = health_of(workspace, log)
        found = status_of(workspace, health, counted.by_source())
    print_json(found) if as_json else _print(found)
    if not health.is_ready and any(part.gateway for part in health.partitions):
        raise typer.Exit(EXIT_FINDINGS)


def _print(found: dict[str, Any]) -> None:
    program = found["program"]
    running = "running" if found["worker"] else "no worker runs"
    print(f"{found['workspace']}: {found['status']}, {running}.")
    print(f"program {program[:12] if program else 'none applied'}\n")
    columns = ("partition", "records", "projected", "lag", "in_lake", "gateway")
    print_rows(columns, [[part[name] for name in columns] for part in found["partitions"]])
    print("\nreceived = good + failed + duplicate + refused")
    names = ("received", "good", "failed", "duplicate", "refused")
    rows = [[source, *(counts[name] for name in names)] for source, counts in _with_total(found)]
    print_rows(("source", *names), rows)
    lake = found["lake"]
    print(f"\nlake: {lake['sorted_files']} sorted files, {lake['fresh_files']} fresh ones")
    sizes = [(name, f"{size / 1e6:,.1f} MB") for name, size in found["disk_bytes"].items()]
    print_rows(("store", "on disk"), sizes)


def _with_total(found: dict[str, Any]) -> list[tuple[str, dict[str, int]]]:
    sources: dict[str, dict[str, int]] = found["sources"]
    total: dict[str, int] = dict.fromkeys(("received", "good", "failed", "duplicate", "refused"), 0)
    for counts in sources.values():
        for name in total:
            total[name] += counts[name]
    return [*sources.items(), ("all", total)]
