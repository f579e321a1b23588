"""Projects very many records at once: beside a bulk import, and for a rebuild.

The same pure steps as the worker's, over large batches, so that each subject is read and written a
few times instead of thousands; the lake takes the rows as sorted runs in one commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa

from dipper.app.served import Served
from dipper.app.workspace import Workspace
from dipper.engine.embedded.lake_failed import failed_rows
from dipper.engine.embedded.lake_schema import rows
from dipper.engine.ports import LogReader, Position, Record
from dipper.engine.record import FailedEvent
from dipper.kit.errors import Conflict
from dipper.surface.beside import Progress
from dipper.surface.worker.lake_writer import Subjects, events_in
from dipper.surface.worker.projector import Projector, quarantined_in

AT_ONCE = 100_000
POLL_S = 0.02


def project_all(
    projector: Projector,
    is_ended: Callable[[], bool] = lambda: True,
    progress: Progress = lambda done: None,
    at_least: int = AT_ONCE,
) -> int:
    """Bring the state up to a log that grows, until it `is_ended`; gives the records projected."""
    done = 0
    while True:
        is_last = is_ended()
        # Large steps write each subject seldom.
        is_due = is_last or projector.lag >= at_least
        found = projector.step(AT_ONCE).records if is_due else []
        if found:
            done += len(found)
            progress(done)
        elif is_last:
            return done
        else:
            time.sleep(POLL_S)


def fill_lake(
    workspace: Workspace,
    served: Served,
    reader: LogReader,
    is_ended: Callable[[], bool] = lambda: True,
    progress: Progress = lambda done: None,
) -> None:
    """Bring the lake up to a state that is projected meanwhile, until that `is_ended`.

    Everything goes in with one commit at the end; `progress` hears the records so far.
    """
    lake = workspace.lake
    lake.declare(served.property_types, served.personal_properties)
    reached = dict.fromkeys(range(reader.partitions()), 0) | lake.positions()
    failures: list[tuple[Position, FailedEvent]] = []

    def tables() -> Iterator[pa.Table]:
        done = 0
        while True:
            is_last = is_ended()
            with workspace.state.read() as view:
                ends = view.positions()
                lag = sum(max(0, ends.get(p, 0) - at) for p, at in reached.items())
                records = _next(reader, reached, ends) if is_last or lag >= AT_ONCE else []
                if records:
                    events = events_in(records, quarantined_in(view), failures)
                    key = Subjects(view).key
                    yield rows(events, key, served.roles_of, served.property_types)
            if records:
                reached[records[0].partition] = records[-1].offset + 1
                done += len(records)
                progress(done)
            elif is_last:
                return
            else:
                time.sleep(POLL_S)

    lake.append_sorted(tables(), reached)
    workspace.failed_events.append(failed_rows(failures), reached)


def _next(reader: LogReader, reached: Mapping[int, int], ends: Mapping[int, int]) -> list[Record]:
    """The next records of some partition that the state has projected and the lake lacks."""
    for partition, start in reached.items():
        left = ends.get(partition, 0) - start
        if left > 0:
            return reader.read(partition, start, min(AT_ONCE, left))
    return []


def refuse_announcements(events: object) -> None:
    """A bulk step announces nothing: turns are announced by the next tick of a running worker."""
    raise Conflict("a bulk projection has met a tick that announces.", hint="Start the worker.")
