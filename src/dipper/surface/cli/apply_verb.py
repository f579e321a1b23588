"""`dipper apply [FOLDER]`: make the checked specs and tables the served ones."""

from __future__ import annotations

from pathlib import Path

import typer

from dipper.surface.cli.output import EXIT_FINDINGS, print_json

EXAMPLES = ("dipper apply mybank",)


def command(
    folder: Path = typer.Argument(Path(), help="The workspace."),
    as_json: bool = typer.Option(False, "--json", help="The result as JSON."),
) -> None:
    """Apply specs and tables; refused when `check` has errors."""
    from dipper.app.programs import prepare
    from dipper.app.workspace import Workspace
    from dipper.kit.clock import system_clock
    from dipper.surface.applying import apply

    workspace = Workspace(folder)
    prepared = prepare(workspace, system_clock())
    if prepared.errors:
        for finding in prepared.findings:
            print(finding.as_text())
        raise typer.Exit(EXIT_FINDINGS)
    done = apply(workspace, prepared, system_clock)
    if as_json:
        print_json({"program": done.program, "tables": dict(done.tables)})
    else:
        print(f"applied program {done.program[:12]} and {len(done.tables)} tables.")
