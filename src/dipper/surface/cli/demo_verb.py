"""`dipper demo`: the example bank, end to end."""

from __future__ import annotations

from pathlib import Path

import typer

EXAMPLES = ("dipper demo --folder build/demo --seed 7",)


def command(
    folder: Path = typer.Option(Path("build/demo"), help="Where workspace and report go."),
    seed: int | None = typer.Option(None, help="Seed of population and draws."),
    persons: int = typer.Option(20_000, min=200, help="Persons of the bank."),
    organisations: int = typer.Option(1_500, min=20, help="Organisations of the bank."),
    decisions: int = typer.Option(20_000, min=200, help="Decisions in the two live days."),
) -> None:
    """Run the example bank through the platform and write the report."""
    from dipper.surface.kernels import keep_kernels_in

    keep_kernels_in(folder)
    from dipper.surface.demo.run import DemoSize, run_demo

    raise typer.Exit(run_demo(folder, seed, DemoSize(persons, organisations, decisions)))
