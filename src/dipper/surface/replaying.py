"""Replays the log into a fresh state: the same log must give the same bytes.

The served state stands at some position; the replay goes exactly so far, in a folder of its own, so
a running server is not disturbed. Timers that nobody touched since the last tick, and what a change
of program looked at again, come out alike because both follow from records.

`python -m dipper.surface.replaying WORKSPACE` replays along with a server that works, until its
standard input is closed, and then compares; nothing may be quarantined meanwhile.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dipper.app.keys import read_keys
from dipper.app.served import Programs
from dipper.app.workspace import Workspace
from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import LogReader, Record
from dipper.engine.record import Event
from dipper.kit.errors import Conflict
from dipper.surface.beside import Progress, run_beside
from dipper.surface.worker.bulk import project_all
from dipper.surface.worker.projector import Projector

ALONG_RECORDS = 2_000
NICE = 10


class UpTo:
    """A log that ends where a state stands: what that state has seen."""

    def __init__(self, reader: LogReader, state: EmbeddedState) -> None:
        self._reader = reader
        self._state = state

    def stop_at(self, state: EmbeddedState) -> None:
        """End where this state stands from now on."""
        self._state = state

    def partitions(self) -> int:
        """As many as the log has."""
        return self._reader.partitions()

    def end(self, partition: int) -> int:
        """Where the state stands."""
        with self._state.read() as view:
            return view.positions().get(partition, 0)

    def read(self, partition: int, start: int, limit: int) -> list[Record]:
        """Records of the log, behind the end too: what a tick announced stands there before the
        state has seen it."""
        return self._reader.read(partition, start, limit)


def replay(
    workspace: Workspace,
    progress: Progress = lambda done: None,
    is_ended: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Project the log again and compare with the served state, both at the same positions.

    Before it `is_ended`, replays along behind the served state.
    """
    with tempfile.TemporaryDirectory(dir=workspace.data) as folder:
        fresh = EmbeddedState(Path(folder) / "replayed")
        served = EmbeddedState(Path(folder) / "served")
        with workspace.log.reader() as reader:
            log = UpTo(reader, workspace.state)
            projector = _projector(workspace, log, fresh)
            records = project_all(projector, is_ended, progress, ALONG_RECORDS)
            workspace.state.snapshot(Path(folder) / "snapshot")
            served.restore(Path(folder) / "snapshot")
            log.stop_at(served)
            records += project_all(projector, progress=lambda done: progress(records + done))
        with served.read() as view:
            positions = view.positions()
        found = {
            "records": records,
            "positions": {str(p): at for p, at in positions.items()},
            "served": served.dump_digest(),
            "replayed": fresh.dump_digest(),
        }
        served.close()
        fresh.close()
    return found | {"equal": found["served"] == found["replayed"]}


def rebuild_state(workspace: Workspace, progress: Progress = lambda done: None) -> int:
    """Forget the state and project the whole log again; no worker may run."""
    state = workspace.state
    state.claim()
    state.clear()
    with workspace.log.reader() as reader:
        records = project_all(_projector(workspace, reader, state), progress=progress)
    state.close()
    return records


def _projector(workspace: Workspace, reader: LogReader, state: EmbeddedState) -> Projector:
    key = read_keys(workspace.keys_file).erasure_key
    return Projector(reader, state, Programs(workspace), key, _refuse)


def _refuse(events: Sequence[Event]) -> None:
    """In a replay every announcement is in the log already, or the log lost one."""
    raise Conflict(
        f"the replay announces {len(events)} turns that the log does not have.",
        hint="A worker was stopped between a tick and its announcements; start it again first.",
    )


def _work(folder: Path, is_ended: Callable[[], bool], progress: Progress) -> dict[str, Any]:
    os.nice(NICE)  # The server that is followed comes first.
    return replay(Workspace(folder), progress, is_ended)


if __name__ == "__main__":
    run_beside(_work)
