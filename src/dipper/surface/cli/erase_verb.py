"""`dipper erase PERSON`: remove a person from log, lake, state and traces."""

from __future__ import annotations

from pathlib import Path

import typer

from dipper.surface.cli.output import print_json

EXAMPLES = ("dipper erase customer_no:C1001 -w mybank",)


def command(
    person: str = typer.Argument(..., help="An id of the person, as idtype:value."),
    folder: Path = typer.Option(Path(), "--workspace", "-w", help="The workspace."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    as_json: bool = typer.Option(False, "--json", help="The receipt as JSON."),
) -> None:
    """Erase a person for good, and print a receipt with counts per store."""
    from dipper.surface.kernels import keep_kernels_in

    keep_kernels_in(folder)
    from dipper.app.workspace import Workspace
    from dipper.kit.clock import system_clock
    from dipper.surface.erasing import erase

    if not yes:
        typer.confirm("This cannot be undone. Erase this person?", abort=True, err=True)
    receipt = erase(Workspace(folder), person, system_clock)
    if as_json:
        print_json(receipt)
        return
    print(f"receipt {receipt['erasure']}: {receipt['ids']} ids erased.")
    print(
        f"  log      {receipt['log_records']} records emptied, {receipt['log_restated']} restated"
    )
    print(f"  lake     {receipt['lake_rows']} rows, {receipt['failed_rows']} failed events")
    print("  state    removed; a keyed tombstone refuses later events")
    print(f"  models   {receipt['models']}")
