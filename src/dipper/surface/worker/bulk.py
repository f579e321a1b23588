"""Projects very many records at once: after a bulk import, and for a rebuild.

The same pure steps as the worker's, over large batches, so that each subject is read and written a
few times instead of thousands; the lake takes the rows as sorted runs in one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from dipper.app.served import Served
from dipper.app.workspace import Workspace
from dipper.engine.embedded.lake_failed import failed_rows
from dipper.engine.embedded.lake_schema import rows
from dipper.engine.ports import LogReader, Position
from dipper.engine.record import EVENT_DECODER, FAILED_DECODER, Event, FailedEvent, RecordKind
from dipper.kit.errors import Conflict
from dipper.surface.worker.lake_writer import Subjects
from dipper.surface.worker.projector import Projector

STATE_RECORDS = 200_000
LAKE_RECORDS = 100_000

Progress = Callable[[int], None]


def project_all(projector: Projector, progress: Progress = lambda done: None) -> int:
    """Bring the state up to the end of the log; gives the records projected."""
    done = 0
    while step := projector.step(STATE_RECORDS).records:
        done += len(step)
        progress(done)
    return done


def fill_lake(
    workspace: Workspace,
    served: Served,
    reader: LogReader,
    progress: Progress = lambda done: None,
) -> int:
    """Bring the lake up to the end of the log in one commit of sorted runs; gives the rows."""
    lake, failed = workspace.lake, workspace.failed_events
    lake.declare(served.property_types, served.personal_properties)
    reached = {p: reader.end(p) for p in range(reader.partitions())}
    start = dict.fromkeys(reached, 0) | lake.positions()
    if all(start[p] >= end for p, end in reached.items()):
        return 0
    failures: list[tuple[Position, FailedEvent]] = []
    written = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal written
        with workspace.state.read() as view:
            subjects = Subjects(view, served.tag_table)
            for partition, end in reached.items():
                for events in _parts(reader, partition, start[partition], end, failures):
                    table = rows(events, subjects.key, served.roles_of, served.property_types)
                    written += table.num_rows
                    progress(written)
                    yield table

    lake.append_sorted(tables(), reached)
    failed.append(failed_rows(failures), reached)
    return written


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
