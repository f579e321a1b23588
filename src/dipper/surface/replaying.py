"""Replays the log into a fresh state: the same log must give the same bytes.

The served state stands at some position; the replay goes exactly so far, in a folder of its own, so
a running server is not disturbed. Timers that nobody touched since the last tick, and what a change
of program looked at again, come out alike because both follow from records.
"""

from __future__ import annotations

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
from dipper.surface.worker.bulk import project_all
from dipper.surface.worker.projector import Projector

Progress = Callable[[int], None]


class UpTo:
    """A log that ends at given positions: what a state at these positions has seen."""

    def __init__(self, reader: LogReader, ends: dict[int, int]) -> None:
        self._reader = reader
        self._ends = ends

    def partitions(self) -> int:
        """As many as the log has."""
        return self._reader.partitions()

    def end(self, partition: int) -> int:
        """Where the state stands."""
        return self._ends.get(partition, 0)

    def read(self, partition: int, start: int, limit: int) -> list[Record]:
        """Records below the end."""
        left = self.end(partition) - start
        return self._reader.read(partition, start, min(limit, left)) if left > 0 else []


def replay(workspace: Workspace, progress: Progress = lambda done: None) -> dict[str, Any]:
    """Project the log again and compare with the served state, both at the same positions."""
    with tempfile.TemporaryDirectory(dir=workspace.data) as folder:
        copy = Path(folder) / "snapshot"
        workspace.state.snapshot(copy)
        served = EmbeddedState(Path(folder) / "served")
        served.restore(copy)
        with served.read() as view:
            positions = view.positions()
        fresh = EmbeddedState(Path(folder) / "replayed")
        with workspace.log.reader() as reader:
            records = _project(workspace, UpTo(reader, positions), fresh, progress)
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
        records = _project(workspace, reader, state, progress)
    state.close()
    return records


def _project(
    workspace: Workspace, reader: LogReader, state: EmbeddedState, progress: Progress
) -> int:
    key = read_keys(workspace.keys_file).erasure_key
    projector = Projector(reader, state, Programs(workspace), key, _refuse)
    return project_all(projector, progress)


def _refuse(events: Sequence[Event]) -> None:
    """In a replay every announcement is in the log already, or the log lost one."""
    raise Conflict(
        f"the replay announces {len(events)} turns that the log does not have.",
        hint="A worker was stopped between a tick and its announcements; start it again first.",
    )
