"""Fills the lake beside a bulk import: `python -m dipper.surface.worker.lake_process WORKSPACE`.

It follows the state that `bulk_process` projects: whose a row is stands there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dipper.surface.beside import Progress, run_beside

if TYPE_CHECKING:
    from dipper.app.workspace import Workspace


def write_history(
    workspace: Workspace,
    is_ended: Callable[[], bool] = lambda: True,
    progress: Progress = lambda done: None,
) -> None:
    """Bring the lake of a workspace up to its state, until that `is_ended`."""
    from dipper.app.programs import applied
    from dipper.app.served import Current, Programs
    from dipper.surface.worker.bulk import fill_lake

    current = applied(workspace)
    assert current is not None
    served = Programs(workspace).get(Current(current.program, dict(current.tables)))
    with workspace.log.reader() as reader:
        fill_lake(workspace, served, reader, is_ended, progress)


def _work(folder: Path, is_ended: Callable[[], bool], progress: Progress) -> dict[str, Any]:
    from dipper.app.workspace import Workspace

    workspace = Workspace(folder)
    try:
        write_history(workspace, is_ended, progress)
    finally:
        workspace.state.close()
    return {}


if __name__ == "__main__":
    run_beside(_work)
