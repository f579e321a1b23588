"""`dipper verify [FOLDER]`: check every byte of the log against its checksums and its chain."""

from __future__ import annotations

from pathlib import Path

import typer

from dipper.surface.cli.output import EXIT_FINDINGS, print_json, progress

EXAMPLES = ("dipper verify mybank",)


def command(
    folder: Path = typer.Argument(Path(), help="The workspace."),
    as_json: bool = typer.Option(False, "--json", help="The findings as JSON."),
) -> None:
    """Verify CRCs, digests and the chain of all partitions; exit 1 when something is damaged."""
    from dipper.app.workspace import Workspace

    workspace = Workspace(folder)
    with workspace.log.reader() as log:
        ends = {partition: log.end(partition) for partition in range(log.partitions())}
    with progress(f"verifying {sum(ends.values()):,} records", None):
        findings = workspace.log.custodian().verify()
    if as_json:
        print_json(
            {
                "records": sum(ends.values()),
                "partitions": len(ends),
                "findings": [
                    {
                        "partition": damage.partition,
                        "offset": damage.offset,
                        "where": damage.where,
                        "what": damage.what,
                    }
                    for damage in findings
                ],
            }
        )
    else:
        for damage in findings:
            place = f"partition {damage.partition}, record {damage.offset}"
            print(f"{damage.where}: {place}: {damage.what}")
        places = "1 place is" if len(findings) == 1 else f"{len(findings)} places are"
        word = f"{places} damaged" if findings else "as written"
        print(f"{sum(ends.values()):,} records in {len(ends)} partitions: {word}.")
    if findings:
        raise typer.Exit(EXIT_FINDINGS)
