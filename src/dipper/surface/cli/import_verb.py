"""`dipper import FILE [--map MAP.yaml]`: history of any shape becomes events."""

from __future__ import annotations

from pathlib import Path

import typer

from dipper.surface.cli.output import EXIT_FINDINGS, print_json, print_rows, progress

EXAMPLES = (
    "dipper import history.csv --source core -w mybank",
    "dipper import history.csv --map history.map.yml -w mybank",
)


def command(
    file: Path = typer.Argument(..., help="CSV, NDJSON or Parquet."),
    folder: Path = typer.Option(Path(), "--workspace", "-w", help="The workspace."),
    map_file: Path | None = typer.Option(None, "--map", help="The reviewed map of the file."),
    source: str | None = typer.Option(None, help="Source of a guessed map."),
    yes: bool = typer.Option(False, "--yes", help="Go on with a guessed map without review."),
    as_json: bool = typer.Option(False, "--json", help="The counts as JSON."),
) -> None:
    """Import a file. Without a map it writes a guessed one for review and stops."""
    from dipper.surface.kernels import keep_kernels_in

    keep_kernels_in(folder)
    from dipper.app.workspace import Workspace
    from dipper.feed.guess import guess
    from dipper.feed.mapping import dump_map, load_map
    from dipper.feed.table import count_rows
    from dipper.kit.clock import system_clock
    from dipper.kit.errors import BadInput
    from dipper.surface.bulk_import import BulkImport

    workspace = Workspace(folder)
    if map_file is None:
        if source is None:
            raise BadInput(
                "without --map the source must be named.",
                where="--source",
                hint="A declared source says how far the file is believed, such as: --source core",
            )
        found, notes = guess(file, source)
        map_file = file.with_suffix(".map.yml") if yes else Path(f"{file.stem}.map.yml")
        map_file.write_text(dump_map(found, notes), encoding="utf-8")
        if not yes:
            print(f"wrote {map_file}: review it, then: dipper import {file} --map {map_file}")
            return
    mapping = load_map(map_file)
    bulk = BulkImport(workspace, system_clock)
    try:
        with progress(f"reading {file.name}", count_rows(file, mapping.file)) as done:
            imported = bulk.read(file, mapping, done)
        with progress("projecting", imported.counts.received) as done:
            bulk.project(done)
    finally:
        bulk.close()
    counts = imported.counts
    if as_json:
        print_json({"file": str(file), "rows": imported.rows} | counts._asdict())
    else:
        columns = ("rows", "good", "failed", "duplicate", "refused")
        print_rows(columns, [(imported.rows, *counts)])
    if counts.failed:
        print(f"{counts.failed} rows failed; their reasons stand in the view failed_events.")
        raise typer.Exit(EXIT_FINDINGS)
