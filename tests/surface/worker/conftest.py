"""A small real workspace with a worker in this process, which is the writer of its log."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from dipper.app.init import init_workspace
from dipper.app.keys import read_keys
from dipper.app.programs import applied, prepare
from dipper.app.served import Current, Programs, Served
from dipper.app.workspace import Workspace
from dipper.collect.subjects import partition_of
from dipper.engine.ports import Entry
from dipper.engine.record import (
    CONTROL_DECODER,
    EVENT_DECODER,
    EVENT_ENCODER,
    Control,
    Event,
    RecordKind,
)
from dipper.kit.clock import SECOND_US
from dipper.profile.subject import Subject, load_subject
from dipper.surface.append import AsWriter
from dipper.surface.applying import apply
from dipper.surface.worker.worker import Worker

START_US = 1_790_000_000 * SECOND_US


class Bench:
    """The workspace, its clock, and the worker that runs on it."""

    def __init__(self, folder: Path, partitions: int) -> None:
        init_workspace(folder, random_bytes=os.urandom, partitions=partitions)
        self.folder = folder
        self.partitions = partitions
        self.now_us = START_US
        self._serial = 0
        self._to: AsWriter | None = None
        self.open()

    def clock(self) -> int:
        """The time of this bench; nothing moves it but the test."""
        return self.now_us

    def open(self) -> None:
        """A process that has nothing in memory yet."""
        self.workspace = Workspace(self.folder)

    def apply(self) -> None:
        """Serve what the specs say now."""
        self.stop()
        apply(self.workspace, prepare(self.workspace, self.now_us), self.clock)

    def add_spec(self, text: str) -> None:
        """Write more specs into the starter."""
        path = self.workspace.specs / "starter.yml"
        path.write_text(path.read_text("utf-8") + text, encoding="utf-8")

    @property
    def to(self) -> AsWriter:
        """The writer of all partitions."""
        if self._to is None:
            self._to = AsWriter(self.workspace, self.clock)
        return self._to

    def worker(self) -> Worker:
        """A worker that starts, as after a crash: what was in memory is gone."""
        self.open_again()
        self.workspace.state.claim()
        return Worker(self.workspace, self.to, self.clock)

    def open_again(self) -> None:
        """Leave everything that this process holds, and open it anew."""
        self.stop()
        with contextlib.suppress(Exception):
            self.workspace.state.close()
        self.open()

    def stop(self) -> None:
        """Release the log."""
        if self._to is not None:
            self._to.close()
            self._to = None

    def settle(self, worker: Worker, ticks: int = 2) -> None:
        """Turn until nothing is left to do; let so many ticks be due meanwhile."""
        for _ in range(ticks + 1):
            while worker.turn():
                pass
            self.now_us += 2 * SECOND_US
        while worker.turn():
            pass

    def event(self, name: str, person: str, **fields: Any) -> Event:
        """An accepted event of a person, now unless told otherwise."""
        self._serial += 1
        time_us = fields.pop("time_us", self.now_us)
        properties = fields.pop("properties", {"amount_fen": 100})
        values: dict[str, Any] = {
            "event": name,
            "message_id": f"m{self._serial}",
            "source": "server",
            "trust": "server",
            "time_us": time_us,
            "received_us": self.now_us,
            "subjects": {"person": f"customer_no:{person}"},
            "properties": msgspec.Raw(EVENT_ENCODER.encode(properties)),
        }
        return Event(**values | fields)

    def bills(self, person: str, count: int, **fields: Any) -> None:
        """Bills paid by a person."""
        self.append([self.event("bill_paid", person, **fields) for _ in range(count)])

    def append(self, events: Sequence[Event]) -> list[tuple[int, int]]:
        """Append events to the partitions of their subjects; gives where they stand."""
        placed = []
        for event in events:
            home = partition_of(event.subjects, self.partitions)
            entry = Entry(RecordKind.EVENT, EVENT_ENCODER.encode(event))
            placed.append((home, self.to.append(home, [entry])))
        return placed

    def control(self, type_: str, body: dict[str, Any], partitions: Sequence[int]) -> None:
        """Append a control record to some partitions."""
        control = Control(type=type_, time_us=self.now_us, body=body)
        for partition in partitions:
            self.to.append(partition, [Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))])

    @property
    def served(self) -> Served:
        """The program in force, as another process would load it."""
        current = applied(self.workspace)
        assert current is not None
        return Programs(self.workspace).get(Current(current.program, dict(current.tables)))

    def subject(self, person: str) -> Subject:
        """What the state knows of a person."""
        ids = [f"customer_no:{person}"]
        with self.workspace.state.read() as view:
            return load_subject(view, self.served.tag_table, ids, self.now_us, self.erasure_key)

    def ids_in_lake(self) -> Counter[str]:
        """Rows of the lake by the id that keeps them."""
        found: Counter[str] = Counter()
        for file in self.workspace.lake.snapshot().files:
            found.update(pq.ParquetFile(file.path).read(columns=["id"]).column("id").to_pylist())
        return found

    def events(self) -> list[Event]:
        """All events of the log, partition by partition."""
        return [
            EVENT_DECODER.decode(payload) for kind, payload in self.records() if kind == "event"
        ]

    def controls(self, type_: str) -> list[Control]:
        """All control records of a type."""
        found = [
            CONTROL_DECODER.decode(payload) for kind, payload in self.records() if kind == "control"
        ]
        return [control for control in found if control.type == type_]

    def records(self) -> list[tuple[str, bytes]]:
        names = {RecordKind.EVENT: "event", RecordKind.CONTROL: "control"}
        with self.workspace.log.reader() as reader:
            return [
                (names.get(record.kind, "failed"), record.payload)
                for partition in range(self.partitions)
                for records in reader.read_batches(partition, 0)
                for record in records
                if not record.erased
            ]

    @property
    def erasure_key(self) -> bytes:
        """The key of tombstones."""
        return read_keys(self.workspace.keys_file).erasure_key


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes workspaces, with the starter applied unless told otherwise."""
    made: list[Bench] = []

    def make(partitions: int = 1, *, is_applied: bool = True) -> Bench:
        bench = Bench(tmp_path / f"bank{len(made)}", partitions)
        made.append(bench)
        if is_applied:
            bench.apply()
        return bench

    yield make
    for bench in made:
        bench.open_again()
        bench.workspace.state.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """One workspace with the starter applied."""
    return make_bench()
