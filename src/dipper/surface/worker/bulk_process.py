"""Projects beside a bulk import: `python -m dipper.surface.worker.bulk_process WORKSPACE`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dipper.surface.beside import Progress, run_beside

if TYPE_CHECKING:
    from dipper.app.workspace import Workspace


def project_log(
    workspace: Workspace,
    is_ended: Callable[[], bool] = lambda: True,
    progress: Progress = lambda done: None,
) -> None:
    """Become the projecting process of a workspace that no worker serves, until the log ends.

    Raises Conflict when there is one.
    """
    from dipper.app.keys import read_keys
    from dipper.app.served import Programs
    from dipper.surface.worker.bulk import project_all, refuse_announcements
    from dipper.surface.worker.projector import Projector

    workspace.state.claim()
    with workspace.log.reader() as reader:
        key = read_keys(workspace.keys_file).erasure_key
        projector = Projector(
            reader, workspace.state, Programs(workspace), key, refuse_announcements
        )
        project_all(projector, is_ended, progress)


def _work(folder: Path, is_ended: Callable[[], bool], progress: Progress) -> dict[str, Any]:
    from dipper.app.workspace import Workspace

    workspace = Workspace(folder)
    try:
        project_log(workspace, is_ended, progress)
    finally:
        workspace.state.close()
    return {}


if __name__ == "__main__":
    run_beside(_work)
