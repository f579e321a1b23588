"""`dipper plan [FOLDER]`: what an apply would change, in words and numbers."""

from __future__ import annotations

from pathlib import Path

import typer

from dipper.surface.cli.output import EXIT_FINDINGS, print_json, progress

EXAMPLES = (
    "dipper plan mybank",
    "dipper plan mybank --language zh",
)


def command(
    folder: Path = typer.Argument(Path(), help="The workspace."),
    language: str = typer.Option("en", help="Language of titles: zh or en."),
    as_json: bool = typer.Option(False, "--json", help="The plan as JSON."),
) -> None:
    """Show what an apply would change: objects, fields, and how many subjects move."""
    from dipper.app.workspace import Workspace
    from dipper.kit.clock import system_clock
    from dipper.spec.plan_text import plan_text
    from dipper.surface.planning import make_plan

    with progress("projecting", None) as done:
        planned, errors = make_plan(Workspace(folder), system_clock, done)
    if as_json:
        print_json(planned.as_dict() | {"errors": [error.as_dict() for error in errors]})
    else:
        print(plan_text(planned, language), end="")
        for error in errors:
            print(error.as_text())
    if errors:
        raise typer.Exit(EXIT_FINDINGS)
