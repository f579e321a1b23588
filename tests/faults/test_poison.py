"""What kills the projector three times is quarantined with its reason; the rest goes on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from dipper.app.init import init_workspace
from dipper.app.programs import prepare
from dipper.app.workspace import Workspace
from dipper.collect.counts import Counts
from dipper.collect.subjects import partition_of
from dipper.engine.ports import Entry, Position, Record
from dipper.engine.record import CONTROL_DECODER, EVENT_ENCODER, Event, RecordKind
from dipper.kit.clock import SECOND_US
from dipper.profile.segments import read_standing
from dipper.profile.subject import load_subject
from dipper.surface.append import AsWriter
from dipper.surface.applying import apply
from dipper.surface.conservation import Conservation
from dipper.surface.replaying import rebuild_state, replay
from dipper.surface.worker.projector import _blaming_the_record
from dipper.surface.worker.worker import Worker

NOW_US = 1_790_000_000 * SECOND_US
BEYOND_US = 2**63
"""A time that no column of the state can hold: projecting it raises."""


class Killed(BaseException):
    """The process is gone: nothing after this point runs."""


class Bank:
    """A workspace whose worker may be killed and started again."""

    def __init__(self, folder: Path, partitions: int) -> None:
        init_workspace(folder, random_bytes=os.urandom, partitions=partitions)
        self.partitions = partitions
        self.workspace = Workspace(folder)
        self.now_us = NOW_US
        apply(self.workspace, prepare(self.workspace, NOW_US), self.clock)
        self.to = AsWriter(self.workspace, self.clock)

    def clock(self) -> int:
        return self.now_us

    def pay(self, person: str, number: int, time_us: int = NOW_US) -> Position:
        """Append one bill; gives where it stands."""
        event = Event(
            event="bill_paid",
            message_id=f"{person}{number}",
            source="server",
            trust="server",
            time_us=time_us,
            received_us=NOW_US,
            subjects={"person": f"customer_no:{person}"},
            properties=msgspec.Raw(b'{"amount_fen":100}'),
        )
        home = partition_of(event.subjects, self.partitions)
        entry = Entry(RecordKind.EVENT, EVENT_ENCODER.encode(event))
        return Position(home, self.to.append(home, [entry]))

    def worker(self) -> Worker:
        """A worker that has just started."""
        self.workspace.state.close()
        self.to.close()
        self.workspace = Workspace(self.workspace.folder)
        self.workspace.state.claim()
        self.to = AsWriter(self.workspace, self.clock)
        return Worker(self.workspace, self.to, self.clock)

    def work(self, worker: Worker) -> None:
        """Until nothing is left; a turn that only fails is a turn too."""
        for _ in range(4):
            for _ in range(200):
                worker.turn()
                if not worker.projector.lag:
                    break
            self.now_us += 2 * SECOND_US
        assert worker.projector.lag == 0

    def quarantined(self) -> list[dict[str, Any]]:
        """What the log says is quarantined."""
        with self.workspace.log.reader() as reader:
            controls = [
                CONTROL_DECODER.decode(record.payload)
                for partition in range(self.partitions)
                for records in reader.read_batches(partition, 0)
                for record in records
                if record.kind == RecordKind.CONTROL
            ]
        return [control.body for control in controls if control.type == "quarantined"]

    def bills(self, worker: Worker, person: str) -> object:
        """The tag of a person."""
        served = worker.projector.served
        assert served is not None
        with self.workspace.state.read() as view:
            subject = load_subject(view, served.tag_table, [f"customer_no:{person}"], NOW_US)
        return subject.tags["bills_paid_30d"]

    def close(self) -> None:
        self.workspace.state.close()
        self.to.close()


@pytest.fixture(params=[1, 3])
def bank(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """A bank of one and of three partitions."""
    bank = Bank(tmp_path / "bank", request.param)
    yield bank
    bank.close()


def test_a_record_that_breaks_the_projection_is_quarantined(bank: Bank) -> None:
    """With its reason, and all before and behind it, in every partition, counts."""
    for person in "ABCD":
        bank.pay(person, 1)
    poison = bank.pay("A", 2, BEYOND_US)
    for person in "ABCD":
        bank.pay(person, 3)
    worker = bank.worker()
    bank.work(worker)
    (found,) = bank.quarantined()
    assert (found["partition"], found["offset"]) == poison
    assert found["reason"] == "struct.error while projecting"
    assert {bank.bills(worker, person) for person in "ABCD"} == {2}
    assert not (bank.workspace.run / "projecting.json").exists()


def test_quarantine_holds_after_a_restart_and_in_a_rebuild(bank: Bank) -> None:
    """Neither meets the record again; lake and conservation count it as failed."""
    poison = bank.pay("A", 1, BEYOND_US)
    bank.pay("A", 2)
    bank.work(bank.worker())
    worker = bank.worker()
    assert poison in worker.projector.quarantined
    bank.pay("A", 3)
    bank.work(worker)
    assert len(bank.quarantined()) == 1
    found = replay(bank.workspace)
    assert found["equal"], found
    bank.workspace.state.close()
    rebuild_state(Workspace(bank.workspace.folder))
    worker = bank.worker()
    assert bank.bills(worker, "A") == 2
    with bank.workspace.log.reader() as reader:
        counting = Conservation(reader)
        counting.catch_up()
        counts = counting.by_source()["server"]
    assert (counts.good, counts.failed) == (2, 1)
    stored = [pq.ParquetFile(file.path).read(["offset", "event"]) for file in
              bank.workspace.lake.snapshot().files]  # fmt: skip
    names = [name for table in stored for name in table["event"].to_pylist()]
    assert names.count("bill_paid") == 2


class Killing:
    """Stands before the projection, and dies when a batch holds one record."""

    def __init__(self, worker: Worker, poison: Position) -> None:
        self._project = worker.projector._project
        self._poison = poison
        worker.projector._project = self  # type: ignore[method-assign,assignment]
        self._skip = worker.projector.quarantined

    def __call__(self, records: Sequence[Record], served: Any) -> Any:
        places = {Position(record.partition, record.offset) for record in records}
        if self._poison in places - self._skip:
            raise Killed
        return self._project(records, served)


def test_a_record_that_kills_the_process_is_found_and_quarantined(bank: Bank) -> None:
    """The first death names a range, the next three the record; nobody else is blamed."""
    for person in "ABCD":
        bank.pay(person, 1)
    poison = bank.pay("A", 2)
    for person in "ABCD":
        bank.pay(person, 3)
    deaths = 0
    while True:
        worker = bank.worker()
        Killing(worker, poison)
        try:
            bank.work(worker)
            break
        except Killed:
            deaths += 1
        assert deaths < 10
    assert deaths == 4
    (found,) = bank.quarantined()
    assert (found["partition"], found["offset"]) == poison
    assert found["reason"] == "the projector died over it"
    assert {bank.bills(worker, person) for person in "ABCD"} == {2}


class BreakingTick:
    """Stands before the ticks, and breaks (or dies) over that of one moment."""

    def __init__(self, worker: Worker, now_us: int, fault: type[BaseException]) -> None:
        self._tick = worker.projector._tick
        self._now_us, self._fault = now_us, fault
        worker.projector._tick = self  # type: ignore[method-assign,assignment]

    def __call__(self, served: Any, now_us: int, is_sound: bool) -> Any:
        if now_us == self._now_us and is_sound:
            with _blaming_the_record():
                raise self._fault
        return self._tick(served, now_us, is_sound)


@pytest.mark.parametrize("fault", [ZeroDivisionError, Killed])
def test_a_tick_that_breaks_is_quarantined(bank: Bank, fault: type[BaseException]) -> None:
    """All partitions pass it, whether it raises or kills; what comes behind it counts."""
    for person in "ABCD":
        for number in range(3):
            bank.pay(person, number)
    bank.work(bank.worker())
    bank.pay("E", 1)
    poison_us = bank.now_us
    while True:
        worker = bank.worker()
        BreakingTick(worker, poison_us, fault)
        try:
            bank.work(worker)
            break
        except Killed:
            assert bank.now_us == poison_us
    (found,) = bank.quarantined()
    broke = "the projector died over it", "ZeroDivisionError while projecting"
    assert found["reason"] == broke[fault is ZeroDivisionError]
    for person in "ABCDE":
        bank.pay(person, 9)
    for number in range(3):
        bank.pay("F", number)
    bank.work(worker)
    assert {bank.bills(worker, person) for person in "ABCD"} == {4}
    served = worker.projector.served
    assert served is not None
    with bank.workspace.state.read() as view:
        subject = load_subject(view, served.tag_table, ["customer_no:F"], bank.now_us)
        assert view.get("touched", subject.key) is None
        standing = view.get("segments", subject.key)
    assert standing is not None
    assert read_standing(standing).members == {"regular_payers"}
    assert len(bank.quarantined()) == 1
    found = replay(bank.workspace)
    assert found["equal"], found


def test_a_quarantine_that_is_said_twice_counts_once(bank: Bank) -> None:
    """A worker that dies before it has passed the record says it again at its next start."""
    poison = bank.pay("A", 1, BEYOND_US)
    bank.pay("A", 2)
    worker = bank.worker()

    def die(*_: object) -> None:
        raise Killed

    while not bank.quarantined():
        if worker.notes.is_poison(poison):
            worker.projector.step = die  # type: ignore[method-assign,assignment]
        with contextlib.suppress(Killed):
            worker.turn()
    bank.work(bank.worker())
    assert len(bank.quarantined()) == 2
    with bank.workspace.log.reader() as reader:
        counting = Conservation(reader)
        counting.catch_up()
        assert counting.by_source()["server"] == Counts(good=1, failed=1)
    assert replay(bank.workspace)["equal"]


def test_deaths_that_no_record_has_caused_quarantine_nothing(bank: Bank) -> None:
    """A worker killed again and again, each time over another record, loses none."""
    for number in range(8):
        bank.pay("A", number)
    for offset in range(1, 6):
        worker = bank.worker()
        Killing(
            worker, Position(partition_of({"person": "customer_no:A"}, bank.partitions), offset)
        )
        with pytest.raises(Killed):
            bank.work(worker)
    worker = bank.worker()
    bank.work(worker)
    assert bank.quarantined() == []
    assert bank.bills(worker, "A") == 8


def test_a_torn_note_suspects_nobody(bank: Bank) -> None:
    """The note itself may be cut off by the crash that it is there for."""
    bank.pay("A", 1)
    note = bank.workspace.run / "projecting.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_bytes(b'{"ranges":{"0":[0,')
    worker = bank.worker()
    bank.work(worker)
    assert bank.bills(worker, "A") == 1
    assert bank.quarantined() == []
