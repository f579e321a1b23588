"""`dipper check [FOLDER]`: everything that is wrong with the specs and tables, at once."""

from __future__ import annotations

from pathlib import Path

import typer

from dipper.surface.cli.output import EXIT_FINDINGS, print_json

EXAMPLES = (
    "dipper check mybank",
    "dipper check mybank --json",
)


def command(
    folder: Path = typer.Argument(Path(), help="The workspace."),
    as_json: bool = typer.Option(False, "--json", help="Findings as JSON."),
) -> None:
    """Check specs and tables; exit 1 when something refuses an apply."""
    from dipper.app.programs import prepare
    from dipper.app.workspace import Workspace
    from dipper.kit.clock import system_clock

    prepared = prepare(Workspace(folder), system_clock())
    if as_json:
        print_json(
            {
                "program": prepared.program.hash,
                "findings": [finding.as_dict() for finding in prepared.findings],
            }
        )
    else:
        for finding in prepared.findings:
            print(finding.as_text())
        errors = len(prepared.errors)
        print(f"{errors} errors, {len(prepared.findings) - errors} warnings.")
    if prepared.errors:
        raise typer.Exit(EXIT_FINDINGS)
