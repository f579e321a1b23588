"""Projects very many records at once: beside a bulk import, and for a rebuild.

The same pure steps as the worker's, over large batches, so that each subject is read and written a
few times instead of thousands; the lake takes the rows as sorted runs in one commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pyarrow as pa

from dipper.app.served import Served
from dipper.app.workspace import Workspace
from dipper.engine.embedded.lake_failed import failed_rows
from dipper.engine.embedded.lake_schema import rows
from dipper.engine.ports import LogReader, Position
from dipper.engine.record import EVENT_DECODER, FAILED_DECODER, Event, FailedEvent, RecordKind
from dipper.kit.errors import Conflict
from dipper.surface.beside import Progress
from dipper.surface.worker.lake_writer import Subjects
from dipper.surface.worker.projector import Projector

STATE_RECORDS = 200_000
LAKE_RECORDS = 100_000
POLL_S = 0.02


def project_all(
    projector: Projector,
    is_ended: Callable[[], bool] = lambda: True,
    progress: Progress = lambda done: None,
    at_least: int = STATE_RECORDS,
) -> int:
    """Bring the state up to a log that grows, until it `is_ended`; gives the records projected."""
    done = 0
    for records in _steps(projector, is_ended, at_least):
        done += records
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
        for records in _steps(projector, is_ended, STATE_RECORDS):
            with workspace.state.read() as view:
                subjects = Subjects(view)
                for partition, end in projector.positions.items():
                    for events in _parts(reader, partition, reached[partition], end, failures):
                        yield rows(events, subjects.key, served.roles_of, served.property_types)
                    reached[partition] = max(reached[partition], end)
            done += records
            progress(done)

    lake.append_sorted(tables(), reached)
    workspace.failed_events.append(failed_rows(failures), reached)


def _steps(projector: Projector, is_ended: Callable[[], bool], at_least: int) -> Iterator[int]:
    """The records of each step, the first of which has none."""
    yield 0
    while True:
        is_last = is_ended()
        # Large steps write each subject seldom.
        is_due = is_last or projector.lag >= at_least
        found = len(projector.step(STATE_RECORDS).records) if is_due else 0
        if found:
            yield found
        elif is_last:
            return
        else:
            time.sleep(POLL_S)


def _parts(
    reader: LogReader,
    partition: int,
    start: int,
    end: int,
    failures: list[tuple[Position, FailedEvent]],
) -> Iterator[list[tuple[Position, Event]]]:
    while start < end:
        events = []
        records = reader.read(partition, start, min(LAKE_RECORDS, end - start))
        for record in records:
            if record.erased:
                continue
            position = Position(record.partition, record.offset)
            if record.kind == RecordKind.EVENT:
                event = EVENT_DECODER.decode(record.payload)
                if not event.restates:
                    events.append((position, event))
            elif record.kind == RecordKind.FAILED:
                failures.append((position, FAILED_DECODER.decode(record.payload)))
        start = records[-1].offset + 1
        yield events


def refuse_announcements(events: object) -> None:
    """A bulk step announces nothing: turns are announced by the next tick of a running worker."""
    raise Conflict("a bulk projection has met a tick that announces.", hint="Start the worker.")
