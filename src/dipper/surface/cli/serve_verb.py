"""`dipper serve [FOLDER]`: start the platform."""

from __future__ import annotations

from pathlib import Path

import typer

EXAMPLES = (
    "dipper serve mybank",
    "dipper serve mybank --roles gateway,worker",
)


def command(
    folder: Path = typer.Argument(Path(), help="The workspace."),
    roles: str = typer.Option("gateway,worker,api", help="Which processes this host runs."),
) -> None:
    """Start gateway, worker and api; stop with Ctrl-C."""
    import sys

    from dipper.app.keys import read_keys
    from dipper.app.programs import applied, prepare
    from dipper.app.workspace import Workspace
    from dipper.kit.clock import system_clock
    from dipper.kit.errors import BadInput
    from dipper.surface.applying import apply
    from dipper.surface.supervisor import ROLES, Supervisor, commands

    chosen = tuple(role.strip() for role in roles.split(","))
    for role in chosen:
        if role not in ROLES:
            raise BadInput(
                f"no role '{role}'.", where="--roles", hint=f"Roles: {', '.join(ROLES)}."
            )
    workspace = Workspace(folder)
    serve = workspace.settings.serve
    if applied(workspace) is None:
        done = apply(workspace, prepare(workspace, system_clock()), system_clock)
        print(f"first start: applied program {done.program[:12]}.", file=sys.stderr)
    workspace.control.close()
    token = read_keys(workspace.keys_file).api_token
    print(f"data plane     http://{serve.host}:{serve.data_port}/v1/batch, /v1/decide")
    print(f"control plane  http://{serve.host}:{serve.control_port}/?token={token}")
    sys.stdout.flush()
    children = commands(folder, chosen, workspace.settings.storage.partitions)
    raise typer.Exit(Supervisor(children).run())
