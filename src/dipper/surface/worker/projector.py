"""Projects the log into the subject state, from the position that the state has reached.

The state and its position change in one transaction, so every record is projected exactly once. The
program in force is itself projected (`meta/current`). When a new program lays records out
differently, the state is cleared and projected again under the new program, from the first record
up to the one that applied it, so that a replay does the same at the same place; what was announced
stays announced, because the announcements are records of the log. Whether it came to that or not,
what the new program turns is announced at the next tick, as of the moment at which it was applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from dipper.app.served import Current, Programs, Served
from dipper.engine.ports import LogReader, Position, Record, StateReader, SubjectState
from dipper.engine.record import CONTROL_DECODER, EVENT_DECODER, Control, Event, RecordKind
from dipper.kit.clock import SECOND_US
from dipper.kit.errors import Corrupt, DipperError
from dipper.kit.hashing import hash128
from dipper.profile.project import (
    LAYOUT,
    Projected,
    everyone,
    last_tick,
    project,
    runs,
)
from dipper.profile.tick import Ticked, passed_over, tick

CURRENT = b"current"
NOW = b"virtual_now"
BLIND = b"blind"
APPLIED = b"applied_us"
REBUILDING = b"rebuilding"
QUARANTINED = b"quarantined"
READ_AT_ONCE = 2_000
TICK_TYPES = ("tick", "clock")

Announce = Callable[[Sequence[Event]], None]


class ProjectionFailed(Exception):
    """A record broke the projection itself; `kind` names what it raised. The fault is the record's,
    unlike a full disk or a gateway that is gone."""

    def __init__(self, error: Exception) -> None:
        found = type(error)
        module = "" if found.__module__ == "builtins" else f"{found.__module__}."
        self.kind = f"{module}{found.__name__}"
        super().__init__(self.kind)


@contextmanager
def _blaming_the_record() -> Iterator[None]:
    try:
        yield
    except (DipperError, OSError, MemoryError):
        raise
    except Exception as error:
        raise ProjectionFailed(error) from error


class _Rebuilding(msgspec.Struct, frozen=True):
    """A rebuild under way: the program it goes by, and partition -> offset where it ends."""

    current: Current
    ends: dict[int, int]


@dataclass
class Step:
    """What one call of `Projector.step` has done, for the lake, the trainer and the operator."""

    records: list[Record] = field(default_factory=list)
    served: Served | None = None
    failed: list[tuple[Position, str]] = field(default_factory=list)
    touched: int = 0
    ticked_us: int | None = None
    erased: list[Control] = field(default_factory=list)


class Projector:
    """One process's projection of all partitions into one state."""

    def __init__(
        self,
        reader: LogReader,
        state: SubjectState,
        programs: Programs,
        erasure_key: bytes,
        announce: Announce,
    ) -> None:
        self._log = reader
        self._state = state
        self._programs = programs
        self._erasure_key = erasure_key
        self._announce = announce
        self._waiting: dict[int, tuple[int, Control]] = {}
        self.quarantined: set[Position] = set()
        with state.read() as view:
            self.positions = dict.fromkeys(range(reader.partitions()), 0) | view.positions()
            stored = view.get("meta", CURRENT)
            now = view.get("meta", NOW)
            applied = view.get("meta", APPLIED)
            rebuilding = view.get("meta", REBUILDING)
            # A worker that died before its tick has left these to the next one.
            self.touched_waiting = int(next(iter(view.scan("touched")), None) is not None)
        self.current = Current() if stored is None else msgspec.msgpack.decode(stored, type=Current)
        self.virtual_now_us = None if now is None else int.from_bytes(now, "big")
        self._applied_us = 0 if applied is None else int.from_bytes(applied, "big")
        self._forced: Served | None = None
        self._rebuilt_to: dict[int, int] = {}
        if rebuilding is not None:
            found = msgspec.msgpack.decode(rebuilding, type=_Rebuilding)
            self._forced, self._rebuilt_to = programs.get(found.current), found.ends
        self._find_quarantined()

    # --- what stands where ------------------------------------------------------------------

    @property
    def served(self) -> Served | None:
        """The program in force, or None before the first apply."""
        if self._forced is not None:
            return self._forced
        return self._programs.get(self.current) if self.current.program else None

    @property
    def lag(self) -> int:
        """Records that are not projected yet."""
        return sum(self._log.end(p) - at for p, at in self.positions.items())

    @property
    def is_rebuilding(self) -> bool:
        """Whether the state is being projected again from the beginning."""
        return self._forced is not None

    def _find_quarantined(self) -> None:
        """Quarantine stands behind what it quarantines, so a rebuild must know it beforehand."""
        if any(self.positions.values()):
            with self._state.read() as view:
                self.quarantined = quarantined_in(view)
            return
        for partition in self.positions:
            for record in _records(self._log, partition, 0):
                if record.kind == RecordKind.CONTROL and b'"quarantined"' in record.payload:
                    self._note_quarantine(CONTROL_DECODER.decode(record.payload))

    def _note_quarantine(self, control: Control) -> None:
        if control.type == "quarantined":
            body = control.body
            self.quarantined.add(Position(body["partition"], body["offset"]))

    # --- steps ------------------------------------------------------------------------------

    def step(self, at_once: int = READ_AT_ONCE, only: int | None = None) -> Step:
        """Project at most `at_once` records of each partition, or of one; empty when all is done.

        Raises ProjectionFailed when a record breaks the projection; what was projected before it
        stays.
        """
        done = Step()
        for partition in self.positions if only is None else (only,):
            if partition in self._waiting:
                continue
            start = self.positions[partition]
            left = self._log.end(partition) - start
            if left > 0:
                records = self._log.read(partition, start, min(at_once, left))
                self._partition(partition, records, done)
        return done

    def _partition(self, partition: int, records: list[Record], done: Step) -> None:
        for control, run in runs(records):
            if control is None:
                self._run(run, done)
            elif control.type in TICK_TYPES:
                self._reach_tick(partition, run[0], control, done)
                if partition in self._waiting:
                    done.records += run
                    return
            elif self._barrier(control, run, done):
                return  # A rebuild begins: what was read here comes again.
            done.records += run
            self._finish_rebuild()

    def _run(self, records: Sequence[Record], done: Step) -> None:
        """One run without barriers, under the program in force."""
        served = self.served
        position = {records[-1].partition: records[-1].offset + 1}
        for record in records:
            if record.kind == RecordKind.CONTROL and not record.erased:
                self._note_quarantine(CONTROL_DECODER.decode(record.payload))
        if served is None:
            # Before the first apply nothing is projected; that apply starts from the beginning.
            self._write({"meta": {BLIND: b"1"}}, position)
            return
        found = self._project(records, served)
        self._write(found.changes, position)
        done.served = served
        done.failed += found.failed
        done.touched += len(found.touched)
        self.touched_waiting += len(found.touched)

    def _project(self, records: Sequence[Record], served: Served) -> Projected:
        with self._state.read() as view, _blaming_the_record():
            return project(
                records,
                view,
                served.tag_table,
                erasure_key=self._erasure_key,
                skip=self.quarantined,
            )

    def _barrier(self, control: Control, run: Sequence[Record], done: Step) -> bool:
        """A record behind which another program or other tombstones hold; true for a rebuild."""
        position = {run[0].partition: run[0].offset + 1}
        if control.type in ("spec_applied", "table_applied"):
            rebuilds = self._adopt(control, position)
            done.served = self.served
            return rebuilds
        self._run(run, done)
        if control.type == "erased" and not self.is_rebuilding:
            done.erased.append(control)
        return False

    def _adopt(self, control: Control, position: dict[int, int]) -> bool:
        """Serve another program; rebuild when it lays the state out differently.

        In force is what was applied last: a partition that is read later than another does not
        bring back what the other has left behind.
        """
        before = self.current
        if control.time_us >= self._applied_us:
            self._applied_us = control.time_us
            self.current = before.after(control)
        current = self.current
        meta: dict[bytes, bytes | None] = self._in_force()
        if self._forced is not None or not current.program or before == current:
            self._write({"meta": meta}, position)
            return False
        served = self._programs.get(current)
        with self._state.read() as view:
            layout = view.get("meta", LAYOUT)
            is_other = layout is not None and layout.decode() != served.tag_table.layout
            was_blind = view.get("meta", BLIND) is not None
            touched = {} if is_other else everyone(view, self._applied_us)
        if is_other or was_blind:
            self._rebuild(served, position)
            return True
        self._write({"meta": meta, "touched": touched}, position)
        self.touched_waiting += len(touched)
        return False

    def _in_force(self) -> dict[bytes, bytes | None]:
        return {
            CURRENT: msgspec.msgpack.encode(self.current),
            APPLIED: self._applied_us.to_bytes(8, "big"),
        }

    def _rebuild(self, served: Served, ends: dict[int, int]) -> None:
        """Project everything again under a program, up to the record that applied it."""
        self._state.clear()
        self._forced, self._rebuilt_to = served, ends
        self.positions = dict.fromkeys(self.positions, 0)
        self._waiting.clear()
        # Whoever dies now goes on with the rebuild, not with the program that was there before.
        rebuilding = msgspec.msgpack.encode(_Rebuilding(served.current, ends))
        self._write({"meta": self._in_force() | {REBUILDING: rebuilding}}, {})

    def _finish_rebuild(self) -> None:
        if self._forced is None:
            return
        if any(self.positions[p] < end for p, end in self._rebuilt_to.items()):
            return
        self._forced = None
        with self._state.read() as view:
            touched = everyone(view, self._applied_us)
        self._write({"touched": touched, "meta": {REBUILDING: None}}, {})
        self.touched_waiting += len(touched)

    # --- ticks ------------------------------------------------------------------------------

    def _reach_tick(self, partition: int, record: Record, control: Control, done: Step) -> None:
        """A tick fires when every partition has reached it."""
        self._waiting[partition] = (record.offset, control)
        if len(self._waiting) < len(self.positions):
            return
        try:
            self._fire(int(control.body["now_us"]), control.type == "clock", done)
        except Exception:
            # It may be the gateway's fault or the tick's: the tick is read again and fires then.
            self._waiting.clear()
            raise

    def stalled_tick(self) -> tuple[Control, list[int]] | None:
        """A tick that partitions wait for while others, read to their ends, do not have it: its
        writer died or failed half-way. Gives it with the partitions that lack it."""
        lacking = [p for p in self.positions if p not in self._waiting]
        if not self._waiting or any(self.positions[p] < self._log.end(p) for p in lacking):
            return None
        control = next(iter(self._waiting.values()))[1]
        return (control, lacking) if control.type == "tick" else None

    def _fire(self, now_us: int, is_virtual: bool, done: Step) -> None:
        served = self.served
        places = [Position(p, offset) for p, (offset, _) in self._waiting.items()]
        positions = {p: offset + 1 for p, offset in places}
        changes: dict[str, dict[bytes, bytes | None]] = {}
        if served is not None:
            # A tick stands in every partition: quarantined in one, it is passed over in all. In a
            # rebuild, what was announced is in the log, and what was not stays unsaid.
            is_sound = self.quarantined.isdisjoint(places) and not self.is_rebuilding
            ticked = self._tick(served, now_us, is_sound)
            changes = ticked.changes
            missing = self._missing(ticked.announcements, positions)
            if missing:
                self._announce(missing)
        meta = changes.setdefault("meta", {})
        if is_virtual:
            meta[NOW] = now_us.to_bytes(8, "big")
            self.virtual_now_us = now_us
        self._write(changes, positions)
        self._waiting.clear()
        self.touched_waiting = 0
        done.ticked_us = now_us

    def _tick(self, served: Served, now_us: int, is_sound: bool) -> Ticked:
        with self._state.read() as view:
            if now_us <= last_tick(view):
                return Ticked({}, [])
            if not is_sound:
                return passed_over(view, now_us)
            with _blaming_the_record():
                return tick(view, served.tag_table, None, now_us)

    def _missing(self, announcements: list[Event], positions: dict[int, int]) -> list[Event]:
        """Those announcements that are not in the log between this tick and the next.

        After a crash, or in a replay, they are there: the same ids, written once.
        """
        left = {event.message_id: event for event in announcements}
        for partition, start in positions.items():
            if not left:
                break
            for record in _records(self._log, partition, start):
                if record.kind == RecordKind.CONTROL and not record.erased:
                    if CONTROL_DECODER.decode(record.payload).type in TICK_TYPES:
                        break
                elif record.kind == RecordKind.EVENT and b'"engine"' in record.payload:
                    left.pop(EVENT_DECODER.decode(record.payload).message_id, None)
        return list(left.values())

    # --- writing ----------------------------------------------------------------------------

    def _write(
        self, changes: dict[str, dict[bytes, bytes | None]], positions: dict[int, int]
    ) -> None:
        if self.quarantined:
            pairs = sorted((p.partition, p.offset) for p in self.quarantined)
            meta = changes.get("meta", {}) | {QUARANTINED: msgspec.msgpack.encode(pairs)}
            changes = changes | {"meta": meta}
        self._state.write(changes, positions)
        self.positions |= positions


def quarantined_in(view: StateReader) -> set[Position]:
    """The records that the state has passed over."""
    stored = view.get("meta", QUARANTINED)
    pairs = [] if stored is None else msgspec.msgpack.decode(stored, type=list[tuple[int, int]])
    return {Position(*pair) for pair in pairs}


def _records(log: LogReader, partition: int, start: int) -> Iterator[Record]:
    while batch := log.read(partition, start, READ_AT_ONCE):
        yield from batch
        start = batch[-1].offset + 1


def partition_of_subject(text: str, partitions: int) -> int:
    """The partition of an engine's event about a subject."""
    return int.from_bytes(hash128(text)[:8], "little") % partitions


TICK_EVERY_US = SECOND_US


def require_reachable(positions: dict[int, int], log: LogReader) -> None:
    """Raises Corrupt when the state is ahead of the log: it belongs to another log."""
    for partition, at in positions.items():
        if at > log.end(partition):
            raise Corrupt(
                f"the state has projected {at} records, the log has {log.end(partition)}.",
                where=f"partition {partition}",
                hint="The log was cut or replaced. Restore it, or rebuild with: dipper replay",
            )
