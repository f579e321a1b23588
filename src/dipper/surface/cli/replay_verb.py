"""`dipper replay [FOLDER]`: project the log again and compare, or rebuild the state."""

from __future__ import annotations

from pathlib import Path

import typer

from dipper.surface.cli.output import EXIT_FINDINGS, print_json, progress

EXAMPLES = (
    "dipper replay mybank",
    "dipper replay mybank --rebuild",
)


def command(
    folder: Path = typer.Argument(Path(), help="The workspace."),
    rebuild: bool = typer.Option(False, "--rebuild", help="Replace the state by the replayed one."),
    as_json: bool = typer.Option(False, "--json", help="The result as JSON."),
) -> None:
    """Replay the log into a fresh state beside the served one and compare the bytes."""
    from dipper.surface.kernels import keep_kernels_in

    keep_kernels_in(folder)
    from dipper.app.workspace import Workspace
    from dipper.surface.replaying import rebuild_state, replay

    workspace = Workspace(folder)
    if rebuild:
        with progress("projecting", None) as done:
            records = rebuild_state(workspace, done)
        print_json({"records": records}) if as_json else print(f"{records:,} records projected.")
        return
    with progress("replaying", None) as done:
        found = replay(workspace, done)
    if as_json:
        print_json(found)
    else:
        word = "equal" if found["equal"] else "DIFFERENT"
        print(f"{found['records']:,} records replayed: {word}.")
        print(f"  served   {found['served'][:16]}…\n  replayed {found['replayed'][:16]}…")
    if not found["equal"]:
        raise typer.Exit(EXIT_FINDINGS)
