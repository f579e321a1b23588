"""`dipper sql "SELECT ..."`: one question in SQL over the masked history."""

from __future__ import annotations

from pathlib import Path

import typer

from dipper.surface.cli.output import print_json, print_rows

EXAMPLES = (
    'dipper sql "SELECT event, count(*) FROM events GROUP BY 1" -w mybank',
    'dipper sql "SELECT code, count(*) FROM failed_events GROUP BY 1" -w mybank --json',
)


def command(
    query: str = typer.Argument(..., help="One SELECT over timelines, events, failed_events."),
    folder: Path = typer.Option(Path(), "--workspace", "-w", help="The workspace."),
    rows: int = typer.Option(1_000, min=1, max=100_000, help="At most so many rows."),
    seconds: float = typer.Option(30.0, min=0.1, max=600.0, help="At most so long."),
    as_json: bool = typer.Option(False, "--json", help="The result as JSON."),
) -> None:
    """Ask one SELECT, in a process of its own that can read nothing but these views."""
    import sys

    import msgspec

    from dipper.app.workspace import Workspace
    from dipper.engine.embedded.analysis import Limits
    from dipper.surface.explaining import served_in
    from dipper.surface.sql import ask_sql

    workspace = Workspace(folder)
    limits = Limits(rows=rows, seconds=seconds)
    found = ask_sql(workspace, served_in(workspace).program, query, limits)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    print_rows(found.columns, found.rows)
    if found.is_truncated:
        print(f"only the first {rows:,} rows; see --rows.", file=sys.stderr)
