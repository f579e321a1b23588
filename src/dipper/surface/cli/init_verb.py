"""`dipper init FOLDER`: make a workspace."""

from __future__ import annotations

from pathlib import Path

import typer

EXAMPLES = ("dipper init mybank",)


def command(
    folder: Path = typer.Argument(..., help="The folder of the new workspace."),
    partitions: int = typer.Option(1, min=1, max=64, help="Log partitions; fixed for good."),
) -> None:
    """Make a workspace with a starter that answers at once."""
    import os

    from dipper.app.init import init_workspace

    init_workspace(folder, random_bytes=os.urandom, partitions=partitions)
    print(f"{folder}: a workspace with specs/starter.yml and keys.toml.")
    print(f"Next: dipper serve {folder}")
