"""The worker: one loop over project, lake, ticks, training and erasure.

Everything that it does follows from the log, so it may die at any point and go on. The loop never
waits for the control plane, and a slow lake only makes the lake late.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from dipper.app.keys import read_keys
from dipper.app.served import Programs, Served
from dipper.app.workspace import Workspace
from dipper.engine.ports import Entry, Position, Record
from dipper.engine.record import EVENT_ENCODER, Control, Event, RecordKind
from dipper.kit.clock import SECOND_US, Clock
from dipper.kit.errors import Unavailable
from dipper.surface.append import Appender
from dipper.surface.worker.crashes import CrashNotes
from dipper.surface.worker.erasing import Eraser
from dipper.surface.worker.lake_writer import LakeWriter
from dipper.surface.worker.projector import (
    READ_AT_ONCE,
    ProjectionFailed,
    Projector,
    Step,
    partition_of_subject,
    require_reachable,
)
from dipper.surface.worker.ticks import Ticks
from dipper.surface.worker.trainer import Trainer

IDLE_S = (0.002, 0.02)
"""How long to wait when there is nothing to do: at first, and after some time without anything."""
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
        self.eraser = Eraser(
            workspace, keys.erasure_key, lambda: self.projector.served, self.trainer.forget
        )
        self._is_behind = True
        self._broke: dict[Position, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; then bring the lake up to where the state is."""
        idle_s, idle_max_s = IDLE_S
        while not stop.is_set():
            try:
                if self.turn():
                    idle_s = IDLE_S[0]
                else:
                    stop.wait(idle_s)
                    idle_s = min(1.1 * idle_s, idle_max_s)
            except Unavailable as error:
                # The gateway is starting or its disk is full: nothing is lost, come again.
                log.warning("waiting", reason=str(error))
                stop.wait(0.5)
        self.lake.commit(self.clock())

    def catch_up(self) -> None:
        """After a crash or a failed step lake or trainer may be behind the state: give them what
        they lack, and finish erasures that were begun."""
        served = self.projector.served
        if served is None:
            return
        for partition, reached in self.projector.positions.items():
            start = min(self.lake.reached(partition), self.trainer.positions[partition], reached)
            while start < reached:
                records = self.reader.read(partition, start, min(READ_AT_ONCE, reached - start))
                self._hand_on(records, served)
                if self.lake.is_due(self.clock()):
                    self.lake.commit(self.clock())
                start = records[-1].offset + 1
        # What still waits for a commit may hold rows of an erased person.
        self.lake.commit(self.clock())
        self.eraser.resume(self.reader, self.appender)
        self._is_behind = False

    def _hand_on(self, records: Sequence[Record], served: Served) -> None:
        self.lake.add(records, served, self.projector.quarantined)
        self.trainer.add(records)

    def turn(self) -> bool:
        """One turn of the loop; False when there was nothing to do."""
        if self._is_behind:
            self.catch_up()
        step = self._project()
        now_us = self.clock()
        served = self.projector.served
        if step.records and served is not None:
            self._hand_on(step.records, served)
        for control in step.erased:
            self.lake.commit(now_us)
            self.eraser.erase(control, self.reader, self.appender)
        if self.lake.is_due(now_us):
            self.lake.commit(now_us)
            if self.lake.is_due_compaction():
                self.lake.compact()
        stalled = self.projector.stalled_tick()
        if stalled is not None:
            control, lacking = stalled
            for partition in lacking:
                self.appender.append(partition, [_control_entry(control)])
        elif self.ticks.is_due(now_us):
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
        """One step; one record at a time where a process or a step has died before."""
        positions = self.projector.positions
        if self.notes.has_suspects(positions):
            return self._carefully()
        ends = {partition: self.reader.end(partition) for partition in positions}
        ranges = {
            partition: (start, min(start + READ_AT_ONCE, ends[partition]))
            for partition, start in positions.items()
            if start < ends[partition]
        }
        if not ranges:
            return Step()
        self.notes.begin(ranges)
        try:
            step = self.projector.step()
        except ProjectionFailed as error:
            self.notes.suspect()
            self._is_behind = True
            log.error("projection failed", kind=error.kind)
            return Step()
        except Exception:
            # Not the record's fault: a full disk, a gateway that is gone.
            self.notes.end()
            self._is_behind = True
            raise
        self.notes.end()
        return step

    def _carefully(self) -> Step:
        """One record of each partition by itself; the third time that one breaks the projection it
        is quarantined."""
        done = Step()
        for partition, start in list(self.projector.positions.items()):
            if start >= self.reader.end(partition):
                continue
            position = Position(partition, start)
            if self.notes.is_poison(position):
                self._quarantine(position)
            self.notes.begin_one(position)
            try:
                step = self.projector.step(1, partition)
            except ProjectionFailed as error:
                self._broke[position] = error.kind
                log.error("projection failed", kind=error.kind, position=tuple(position))
                continue
            except Exception:
                self.notes.end_one(position)
                self._is_behind = True
                raise
            self.notes.end_one(position)
            done.records += step.records
            done.erased += step.erased
        return done

    def _quarantine(self, position: Position) -> None:
        kind = self._broke.pop(position, None)
        reason = "the projector died over it" if kind is None else f"{kind} while projecting"
        body = {"partition": position.partition, "offset": position.offset, "reason": reason}
        control = Control(type="quarantined", time_us=self.clock(), body=body)
        self.appender.append(position.partition, [_control_entry(control)])
        self.projector.quarantined.add(position)
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
