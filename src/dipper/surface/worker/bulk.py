"""Projects very many records at once: beside a bulk import, and for a rebuild.

The same pure steps as the worker's, over large batches, so that each subject is read and written a
few times instead of thousands; the lake takes the rows as sorted runs in one commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain

import pyarrow as pa

from dipper.app.served import Served
from dipper.app.workspace import Workspace
from dipper.engine.embedded.lake_failed import failed_rows
from dipper.engine.embedded.lake_schema import rows
from dipper.engine.ports import LogReader, Position, Record
from dipper.engine.record import EVENT_DECODER, FAILED_DECODER, Event, FailedEvent, RecordKind
from dipper.kit.errors import Conflict
from dipper.surface.beside import Progress
from dipper.surface.worker.lake_writer import Subjects
from dipper.surface.worker.projector import Projector

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
    for records in _steps(projector, is_ended, at_least):
        done += len(records)
        progress(done)
    return done


def follow(
    workspace: Workspace,
    served: Served,
    projector: Projector,
    reader: LogReader,
    is_ended: Callable[[], bool],
    progress: Progress = lambda done: None,
) -> None:
    """Bring state and lake up to a log that grows, until it `is_ended` and all is done.

    The lake takes everything in one commit at the end; `progress` hears the records so far.
    """
    lake = workspace.lake
    lake.declare(served.property_types, served.personal_properties)
    reached = dict.fromkeys(range(reader.partitions()), 0) | lake.positions()
    failures: list[tuple[Position, FailedEvent]] = []

    def tables() -> Iterator[pa.Table]:
        done = 0
        behind = _behind(reader, dict(reached), projector.positions)
        for records in chain(behind, _steps(projector, is_ended, AT_ONCE)):
            new = [r for r in records if r.offset >= reached[r.partition]]
            events = _events(new, projector.quarantined, failures)
            with workspace.state.read() as view:
                key = Subjects(view).key
                yield rows(events, key, served.roles_of, served.property_types)
            for record in new:
                reached[record.partition] = record.offset + 1
            done += len(records)
            progress(done)

    lake.append_sorted(tables(), reached)
    workspace.failed_events.append(failed_rows(failures), reached)


def _behind(
    reader: LogReader, reached: Mapping[int, int], ends: Mapping[int, int]
) -> Iterator[list[Record]]:
    """What the state has projected and the lake lacks."""
    for partition, start in reached.items():
        while start < ends[partition]:
            yield (records := reader.read(partition, start, min(AT_ONCE, ends[partition] - start)))
            start = records[-1].offset + 1


def _steps(
    projector: Projector, is_ended: Callable[[], bool], at_least: int
) -> Iterator[list[Record]]:
    """The records of each step."""
    while True:
        is_last = is_ended()
        # Large steps write each subject seldom.
        is_due = is_last or projector.lag >= at_least
        found = projector.step(AT_ONCE).records if is_due else []
        if found:
            yield found
        elif is_last:
            return
        else:
            time.sleep(POLL_S)


def _events(
    records: Sequence[Record],
    skip: Collection[Position],
    failures: list[tuple[Position, FailedEvent]],
) -> list[tuple[Position, Event]]:
    """The events among the records; failed ones go to `failures`."""
    events = []
    for record in records:
        position = Position(record.partition, record.offset)
        if record.erased or position in skip:
            continue
        if record.kind == RecordKind.EVENT:
            event = EVENT_DECODER.decode(record.payload)
            if not event.restates:
                events.append((position, event))
        elif record.kind == RecordKind.FAILED:
            failures.append((position, FAILED_DECODER.decode(record.payload)))
    return events


def refuse_announcements(events: object) -> None:
    """A bulk step announces nothing: turns are announced by the next tick of a running worker."""
    raise Conflict("a bulk projection has met a tick that announces.", hint="Start the worker.")
