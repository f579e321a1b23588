"""What an apply would change, with the numbers that only counting can give: who enters, who leaves.

Both programs are evaluated over the same subjects at the same moment. A program that lays records
out as the served one does is read from the served state; another one needs a state of its own,
projected from the log into a folder that is thrown away. Nothing of the workspace is changed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dipper.app.keys import read_keys
from dipper.app.programs import Prepared, applied, prepare
from dipper.app.served import Current, Programs, Served
from dipper.app.workspace import Workspace
from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import StateReader
from dipper.engine.record import Event
from dipper.kit.clock import Clock
from dipper.profile.gather import gather
from dipper.profile.identity import Key
from dipper.profile.project import LAYOUT
from dipper.profile.tags import TagTable
from dipper.spec.finding import Finding
from dipper.spec.plan import Plan, SegmentNumbers, plan
from dipper.surface.explaining import now_of
from dipper.surface.worker.bulk import project_all
from dipper.surface.worker.projector import Projector

Members = dict[str, set[Key]]
Progress = Callable[[int], None]


def make_plan(
    workspace: Workspace, clock: Clock, progress: Progress = lambda done: None
) -> tuple[Plan, list[Finding]]:
    """The plan of the workspace's files over what is served, and the findings that refuse it.

    Members are counted only where the files can be applied; `progress` hears records projected.
    """
    prepared = prepare(workspace, clock())
    current = applied(workspace)
    if current is None:
        return plan(None, prepared.program), prepared.errors
    served = Programs(workspace).get(Current(current.program, dict(current.tables)))
    changes = plan(served.program, prepared.program)
    if prepared.errors or changes.is_empty:
        return changes, prepared.errors
    numbers = _numbers(workspace, served, prepared, clock, progress)
    return plan(served.program, prepared.program, numbers), []


def _numbers(
    workspace: Workspace, served: Served, prepared: Prepared, clock: Clock, progress: Progress
) -> dict[str, SegmentNumbers]:
    wanted = Served(Current(), prepared.program, prepared.tables)
    with workspace.state.read() as view:
        now_us = now_of(view, clock)
        stored = view.get("meta", LAYOUT)
        if stored is None:
            return {}
        before = members(view, served.tag_table, now_us)
        if stored.decode() == wanted.tag_table.layout:
            return _moves(before, members(view, wanted.tag_table, now_us))
    with _projected(workspace, wanted, progress) as state, state.read() as view:
        return _moves(before, members(view, wanted.tag_table, now_us))


def members(reader: StateReader, table: TagTable, now_us: int) -> Members:
    """Segment -> keys of the subjects that belong to it at a moment, by the ids that name them."""
    found: Members = {name: set() for kind in table.kinds.values() for name in kind.segment_names}
    for key, _ in reader.scan("ids"):
        subject = gather(reader, table, key)
        if subject is None or subject.kind == "device" or subject.name()[1] != key:
            continue
        kind = table.kinds[subject.kind]
        values = kind.segments.at(subject.rows, now_us, subject.known(table.lines))
        for name, source in kind.announced:
            if values[source]:
                found[name].add(key)
    return found


def _moves(before: Members, after: Members) -> dict[str, SegmentNumbers]:
    """By segment of the new program; the members of one that is new have all entered."""
    nobody: set[Key] = set()
    return {
        name: SegmentNumbers(
            enter=len(now - before.get(name, nobody)),
            leave=len(before.get(name, nobody) - now),
            now=len(now),
        )
        for name, now in after.items()
    }


class _Only(Programs):
    """Programs of which only one is ever served, whatever the log's control records name."""

    def __init__(self, workspace: Workspace, served: Served) -> None:
        super().__init__(workspace)
        self._served = served

    def get(self, current: Current) -> Served:
        return self._served

    def of_trace(self, program: str, tables: Mapping[str, str]) -> Served:
        return self._served


@contextmanager
def _projected(workspace: Workspace, served: Served, progress: Progress) -> Iterator[EmbeddedState]:
    """The whole log under one program, in a state that is removed afterwards."""
    key = read_keys(workspace.keys_file).erasure_key
    with tempfile.TemporaryDirectory(dir=workspace.data) as folder:
        state = EmbeddedState(Path(folder) / "state")
        try:
            with workspace.log.reader() as log:
                programs = _Only(workspace, served)
                project_all(Projector(log, state, programs, key, _say_nothing), progress=progress)
            yield state
        finally:
            state.close()


def _say_nothing(events: Sequence[Event]) -> None:
    """Turns under a program that is not served are nobody's business."""
