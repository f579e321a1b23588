"""Brings the log's events into the lake: at most one commit a second, exactly once.

The lake keeps the position it has reached in the same commit, so a restart goes on where it was and
a record that comes twice adds nothing. Failed events go into a small table beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from dipper.app.served import Served
from dipper.engine.embedded.lake import EmbeddedLake
from dipper.engine.embedded.lake_failed import FailedEvents, failed_rows
from dipper.engine.embedded.lake_schema import rows
from dipper.engine.ports import Position, Record, StateReader, SubjectState
from dipper.engine.record import EVENT_DECODER, FAILED_DECODER, Event, FailedEvent, RecordKind
from dipper.kit.clock import SECOND_US
from dipper.kit.hashing import hash128
from dipper.profile.today import key_today

COMMIT_EVERY_US = SECOND_US
ROWS_MAX = 100_000
COMPACT_FRESH_FILES = 60


class LakeWriter:
    """Buffers records and commits them. One thread."""

    def __init__(
        self, lake: EmbeddedLake, failed: FailedEvents, state: SubjectState, partitions: int
    ) -> None:
        self._lake = lake
        self._failed_table = failed
        self._state = state
        self.positions = dict.fromkeys(range(partitions), 0) | lake.positions()
        self._events: list[tuple[Position, Event]] = []
        self._failed: list[tuple[Position, FailedEvent]] = []
        self._reached: dict[int, int] = {}
        self._served: Served | None = None
        self._committed_us = 0
        self._fresh_commits = 0

    def reached(self, partition: int) -> int:
        """The next record that is neither in the lake nor waiting for the next commit."""
        return self._reached.get(partition, self.positions[partition])

    def add(
        self, records: Sequence[Record], served: Served, skip: Collection[Position] = ()
    ) -> None:
        """Take records in; those that the lake has are left out, and those to skip."""
        if self._served is not None and served.current != self._served.current:
            self.commit()
        self._served = served
        new = [record for record in records if record.offset >= self.reached(record.partition)]
        self._events += events_in(new, skip, self._failed)
        for record in new:
            self._reached[record.partition] = record.offset + 1

    def is_due(self, now_us: int) -> bool:
        """Whether a commit is due: a second has passed, or much has come together."""
        if not self._reached:
            return False
        return len(self._events) >= ROWS_MAX or now_us - self._committed_us >= COMMIT_EVERY_US

    def commit(self, now_us: int = 0) -> int:
        """Write what came together; gives the rows added."""
        if not self._reached or self._served is None:
            return 0
        served = self._served
        self._lake.declare(served.property_types, served.personal_properties)
        with self._state.read() as view:
            subjects = Subjects(view)
            table = rows(self._events, subjects.key, served.roles_of, served.property_types)
        if self._failed:
            self._failed_table.append(failed_rows(self._failed), self._reached)
        self._lake.append(table, self._reached)
        self.positions |= self._reached
        self._events, self._failed, self._reached = [], [], {}
        self._committed_us = now_us
        self._fresh_commits += 1
        return table.num_rows

    def is_due_compaction(self) -> bool:
        """Whether so many fresh files lie about that questions become slow."""
        return self._fresh_commits >= COMPACT_FRESH_FILES

    def compact(self) -> int:
        """Fold fresh files into sorted runs; gives the rows moved."""
        self._fresh_commits = 0
        self._failed_table.compact()
        return self._lake.compact()


def events_in(
    records: Sequence[Record],
    skip: Collection[Position],
    failed: list[tuple[Position, FailedEvent]],
) -> list[tuple[Position, Event]]:
    """The events that have rows in the lake; failed ones go to `failed`."""
    events = []
    for record in records:
        position = Position(record.partition, record.offset)
        if record.erased or position in skip:
            continue
        if record.kind == RecordKind.EVENT:
            try:
                event = EVENT_DECODER.decode(record.payload)
            except msgspec.DecodeError:
                continue  # The projection has failed it with its reason.
            if not event.restates:  # Else the lake has the row, without the erased role.
                events.append((position, event))
        elif record.kind == RecordKind.FAILED:
            failed.append((position, FAILED_DECODER.decode(record.payload)))
    return events


class Subjects:
    """The subject key under which a row is clustered, as identity stands at writing."""

    def __init__(self, view: StateReader) -> None:
        self._view = view
        self._known: dict[str, bytes] = {}

    def key(self, role: str, text: str) -> bytes:
        """The key of an id's subject; a device is its own."""
        key = self._known.get(text)
        if key is None:
            key = hash128(text)
            if role != "device":
                key = key_today(self._view, key)
            self._known[text] = key
        return key
