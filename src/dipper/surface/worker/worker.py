"""The worker: one loop over project, lake, ticks, training and erasure.

Everything that it does follows from the log, so it may die at any point and go on. The loop never
waits for the control plane, and a slow lake only makes the lake late.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from dipper.app.keys import read_keys
from dipper.app.served import Programs
from dipper.app.workspace import Workspace
from dipper.engine.ports import Entry, Position, Record
from dipper.engine.record import EVENT_ENCODER, Control, Event, RecordKind
from dipper.kit.clock import SECOND_US, Clock
from dipper.kit.errors import DipperError, Unavailable
from dipper.kit.limits import PROJECTOR_CRASHES_MAX
from dipper.surface.append import Appender
from dipper.surface.worker.crashes import CrashNotes
from dipper.surface.worker.erasing import Eraser
from dipper.surface.worker.lake_writer import LakeWriter
from dipper.surface.worker.projector import (
    READ_AT_ONCE,
    Projector,
    Step,
    partition_of_subject,
    require_reachable,
)
from dipper.surface.worker.ticks import Ticks
from dipper.surface.worker.trainer import Trainer

IDLE_S = 0.002
COMPACT_EVERY_US = 600 * SECOND_US

log = structlog.get_logger("worker")


class Worker:
    """All projections of one workspace in one process."""

    def __init__(self, workspace: Workspace, appender: Appender, clock: Clock) -> None:
        self.workspace = workspace
        self.clock = clock
        self.appender = appender
        self.partitions = workspace.settings.storage.partitions
        self.reader = workspace.log.reader()
        workspace.run.mkdir(parents=True, exist_ok=True)
        self.notes = CrashNotes(workspace.run / "projecting.json")
        keys = read_keys(workspace.keys_file)
        programs = Programs(workspace)
        self.projector = Projector(
            self.reader, workspace.state, programs, keys.erasure_key, self._announce
        )
        require_reachable(self.projector.positions, self.reader)
        self.lake = LakeWriter(
            workspace.lake, workspace.failed_events, workspace.state, self.partitions
        )
        self.ticks = Ticks(workspace.state, self.projector)
        self.trainer = Trainer(workspace, programs)
        self.eraser = Eraser(workspace, keys.erasure_key, lambda: self.projector.served)
        self._failures: dict[Position, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; then bring the lake up to where the state is."""
        self.catch_up()
        while not stop.is_set():
            try:
                if not self.turn():
                    stop.wait(IDLE_S)
            except Unavailable as error:
                # The gateway is starting or its disk is full: nothing is lost, come again.
                log.warning("waiting", reason=str(error))
                stop.wait(0.5)
        self.lake.commit(self.clock())

    def catch_up(self) -> None:
        """After a crash lake or trainer may be behind the state: give them what they lack."""
        served = self.projector.served
        if served is None:
            return
        for partition, reached in self.projector.positions.items():
            start = min(self.lake.positions[partition], self.trainer.positions[partition], reached)
            while start < reached:
                records = self.reader.read(partition, start, min(READ_AT_ONCE, reached - start))
                self.lake.add(records, served)
                self.trainer.add(records)
                start = records[-1].offset + 1
        self.eraser.resume(self.reader, self.appender)

    def turn(self) -> bool:
        """One turn of the loop; False when there was nothing to do."""
        step = self._project()
        now_us = self.clock()
        served = self.projector.served
        if step.records and served is not None and not self.projector.is_rebuilding:
            self.lake.add(step.records, served)
            self.trainer.add(step.records)
        for control in step.erased:
            self.lake.commit(now_us)
            self.eraser.erase(control, self.reader, self.appender)
        if self.lake.is_due(now_us):
            self.lake.commit(now_us)
            if self.lake.is_due_compaction():
                self.lake.compact()
        if self.ticks.is_due(now_us):
            self._everywhere([self.ticks.entry(now_us)])
        published = self.trainer.publish(self.virtual_or(now_us))
        if published:
            self._everywhere(published)
        return bool(step.records)

    def virtual_or(self, now_us: int) -> int:
        """The demo's time where there is one, else the machine's."""
        virtual = self.projector.virtual_now_us
        return now_us if virtual is None else virtual

    def _project(self) -> Step:
        """One step, one record at a time where a process or a step has died before."""
        suspect = self.notes.suspect
        if suspect is not None and self.projector.positions[suspect.partition] >= suspect.stop:
            self.notes.clear()
            suspect = None
        at_once = READ_AT_ONCE if suspect is None and not self._failures else 1
        for partition, start in self.projector.positions.items():
            if self.notes.is_poison(partition, start):
                self._quarantine(Position(partition, start), "the projector died over it")
            self.notes.begin(partition, start, start + at_once)
        try:
            step = self.projector.step(at_once)
        except DipperError:
            raise
        except Exception as error:
            self._failed(at_once, error)
            return Step()
        self.notes.end()
        if at_once == 1 and step.records:
            self._failures.pop(_position(step.records[0]), None)
        return step

    def _failed(self, at_once: int, error: Exception) -> None:
        """A step raised what it must not: find the record, and quarantine it the third time."""
        for partition, start in self.projector.positions.items():
            position = Position(partition, start)
            self._failures[position] = self._failures.get(position, 0) + (at_once == 1)
            if self._failures[position] >= PROJECTOR_CRASHES_MAX:
                self._quarantine(position, f"{type(error).__name__} while projecting")
                del self._failures[position]
        log.error("projection failed", kind=type(error).__name__, at_once=at_once)

    def _quarantine(self, position: Position, reason: str) -> None:
        self.projector.quarantined.add(position)
        body = {"partition": position.partition, "offset": position.offset, "reason": reason}
        control = Control(type="quarantined", time_us=self.clock(), body=body)
        self.appender.append(position.partition, [_control_entry(control)])
        log.error("quarantined", **body)

    def _announce(self, events: Sequence[Event]) -> None:
        """Append announcements, each to its subject's partition."""
        parts: dict[int, list[Entry]] = {}
        for event in events:
            text = next(iter(event.subjects.values()), "")
            entry = Entry(RecordKind.EVENT, EVENT_ENCODER.encode(event))
            parts.setdefault(partition_of_subject(text, self.partitions), []).append(entry)
        for partition, entries in parts.items():
            self.appender.append(partition, entries)

    def _everywhere(self, entries: Sequence[Entry]) -> None:
        for partition in range(self.partitions):
            self.appender.append(partition, entries)


def _control_entry(control: Control) -> Entry:
    return Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))


def _position(record: Record) -> Position:
    return Position(record.partition, record.offset)
