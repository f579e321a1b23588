"""What every log must do. An engine's test subclasses `LogSuite` and gives `facts` and `open`.

Plain assertions and pytest's `tmp_path` only, so that the package needs no test library. A gap is
declared with its reason; the suite then holds the engine to refusing, not to doing something else.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from dipper.engine.ports import Damage, Entry, LogCustodian, LogReader, LogWriter, Position, Record
from dipper.engine.record import RecordKind
from dipper.kit.errors import BadInput, Conflict, DipperError, TooLarge, Unavailable
from dipper.kit.limits import RECORD_PAYLOAD_MAX

RECEIVED_US = 1_780_000_000_000_000
WAIT_S = 60


class OpenLog(Protocol):
    """How an engine's log is reached."""

    def partitions(self) -> int: ...

    def writer(self, partition: int) -> LogWriter: ...

    def reader(self) -> LogReader: ...

    def custodian(self) -> LogCustodian: ...


@dataclass(frozen=True)
class Gap:
    """Something that an engine does not do: not yet, not below it, or by its nature."""

    kind: Literal["todo", "upstream", "never"]
    why: str


@dataclass(frozen=True)
class LogFacts:
    """What an engine declares. `gaps` may name `erase` and `exclusive_writer`."""

    partitions: int
    gaps: Mapping[str, Gap] = field(default_factory=dict)


def entries(*texts: str, kind: RecordKind = RecordKind.EVENT) -> list[Entry]:
    """One entry per text."""
    return [Entry(kind, text.encode()) for text in texts]


def refused(future: Future[int]) -> BaseException | None:
    """The error with which an append ended."""
    return future.exception(WAIT_S)


def fails_with(error: type[DipperError], act: object, *arguments: object) -> DipperError:
    """Call `act` and give the error that it must raise."""
    try:
        act(*arguments)  # type: ignore[operator]
    except error as raised:
        return raised
    raise AssertionError(f"expected {error.__name__}, nothing was raised")


class LogSuite:
    """The suite. `open(folder)` opens the engine's log; it is called again after every close."""

    facts: ClassVar[LogFacts]

    def open(self, folder: Path) -> OpenLog:
        raise NotImplementedError

    def append(self, writer: LogWriter, *texts: str) -> int:
        return writer.append(entries(*texts), RECEIVED_US).result(WAIT_S)

    def read_all(self, reader: LogReader, partition: int) -> list[Record]:
        return reader.read(partition, 0, 1_000_000)

    def test_offsets_count_records(self, tmp_path: Path) -> None:
        """Each partition counts its records from 0; the future gives the first of an append."""
        log = self.open(tmp_path)
        assert log.partitions() == self.facts.partitions
        for partition in range(log.partitions()):
            writer = log.writer(partition)
            assert writer.partition == partition
            assert self.append(writer, "a", "b", "c") == 0
            assert self.append(writer, "d") == 3
            assert self.append(writer, "e", "f") == 4
            assert log.reader().end(partition) == 6
            writer.close()

    def test_reads_what_was_written(self, tmp_path: Path) -> None:
        """A record comes back with its kind, time and payload to the byte, empty or binary."""
        log = self.open(tmp_path)
        partition = log.partitions() - 1
        writer = log.writer(partition)
        sent = [
            Entry(RecordKind.EVENT, b'{"event":"bill_paid"}'),
            Entry(RecordKind.FAILED, bytes(range(256)) * 3),
            Entry(RecordKind.CONTROL, b""),
            Entry(RecordKind.EVENT, "缴费".encode()),
        ]
        writer.append(sent[:2], RECEIVED_US).result(WAIT_S)
        writer.append(sent[2:], -5).result(WAIT_S)
        times = [RECEIVED_US, RECEIVED_US, -5, -5]
        assert self.read_all(log.reader(), partition) == [
            Record(partition, offset, entry.kind, time, entry.payload, False)
            for offset, (entry, time) in enumerate(zip(sent, times, strict=True))
        ]
        writer.close()

    def test_reads_a_range(self, tmp_path: Path) -> None:
        """A read begins at its start, ends at its limit, and gives nothing behind the end."""
        log = self.open(tmp_path)
        writer, reader = log.writer(0), log.reader()
        self.append(writer, *map(str, range(2000)))
        for start, limit in ((0, 1), (7, 10), (1990, 10), (1995, 100), (1000, 1000)):
            found = reader.read(0, start, limit)
            assert [record.offset for record in found] == list(
                range(start, min(2000, start + limit))
            )
            assert all(record.payload == str(record.offset).encode() for record in found)
        assert reader.read(0, 2000, 10) == []
        assert reader.read(0, 5, 0) == []
        writer.close()

    def test_partitions_are_apart(self, tmp_path: Path) -> None:
        """What one partition's writer appends stands in no other partition."""
        log = self.open(tmp_path)
        writers = [log.writer(k) for k in range(log.partitions())]
        for k, writer in enumerate(writers):
            self.append(writer, *(f"p{k}.{i}" for i in range(k + 1)))
        for k in range(log.partitions()):
            found = [record.payload.decode() for record in self.read_all(log.reader(), k)]
            assert found == [f"p{k}.{i}" for i in range(k + 1)]
        for writer in writers:
            writer.close()

    def test_reader_follows(self, tmp_path: Path) -> None:
        """A reader opened before the first append sees each record once it is acknowledged."""
        log = self.open(tmp_path)
        reader = log.reader()
        assert reader.end(0) == 0
        assert self.read_all(reader, 0) == []
        writer = log.writer(0)
        for count in range(1, 50):
            offset = self.append(writer, f"event {count}")
            assert reader.end(0) == count
            assert reader.read(0, offset, 9)[0].payload == f"event {count}".encode()
        writer.close()

    def test_appends_stay_together(self, tmp_path: Path) -> None:
        """Entries of one append are neighbours in order, whatever other threads append."""
        log = self.open(tmp_path)
        writer = log.writer(0)
        firsts: list[tuple[int, str]] = []

        def work(name: str) -> None:
            for turn in range(40):
                texts = [f"{name}.{turn}.{i}" for i in range(5)]
                firsts.append((self.append(writer, *texts), f"{name}.{turn}"))

        threads = [threading.Thread(target=work, args=(f"t{k}",)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        payloads = [record.payload.decode() for record in self.read_all(log.reader(), 0)]
        assert len(payloads) == 4 * 40 * 5
        for first, name in firsts:
            assert payloads[first : first + 5] == [f"{name}.{i}" for i in range(5)]
        writer.close()

    def test_survives_closing(self, tmp_path: Path) -> None:
        """After a close all records are there, and the next offset follows the last."""
        log = self.open(tmp_path)
        for k in range(log.partitions()):
            writer = log.writer(k)
            self.append(writer, "a", "b")
            writer.close()
        log = self.open(tmp_path)
        for k in range(log.partitions()):
            assert [r.payload for r in self.read_all(log.reader(), k)] == [b"a", b"b"]
            writer = log.writer(k)
            assert self.append(writer, "c") == 2
            writer.close()
            assert [r.payload for r in self.read_all(log.reader(), k)] == [b"a", b"b", b"c"]

    def test_closed_writer_refuses(self, tmp_path: Path) -> None:
        """Queued appends are finished by a close; a later append fails with Unavailable."""
        log = self.open(tmp_path)
        writer = log.writer(0)
        queued = [writer.append(entries(f"{i}"), RECEIVED_US) for i in range(100)]
        writer.close()
        assert [future.result(WAIT_S) for future in queued] == list(range(100))
        assert isinstance(refused(writer.append(entries("late"), RECEIVED_US)), Unavailable)
        assert log.reader().end(0) == 100

    def test_largest_payload(self, tmp_path: Path) -> None:
        """A payload of RECORD_PAYLOAD_MAX bytes is kept; one byte more is TooLarge."""
        log = self.open(tmp_path)
        writer = log.writer(0)
        large = b"x" * RECORD_PAYLOAD_MAX
        writer.append([Entry(RecordKind.EVENT, large)], RECEIVED_US).result(WAIT_S)
        self.append(writer, "small")
        fails_with(TooLarge, writer.append, [Entry(RecordKind.EVENT, large + b"x")], RECEIVED_US)
        found = self.read_all(log.reader(), 0)
        assert [record.payload for record in found] == [large, b"small"]
        writer.close()

    def test_one_writer(self, tmp_path: Path) -> None:
        """A second writer of a partition is refused with Conflict until the first is closed."""
        if self.lacks("exclusive_writer"):
            return
        log, other = self.open(tmp_path), self.open(tmp_path)
        writer = log.writer(0)
        assert "partition 0" in str(fails_with(Conflict, other.writer, 0))
        writer.close()
        second = other.writer(0)
        self.append(second, "a")
        second.close()

    def test_erases_payloads_only(self, tmp_path: Path) -> None:
        """An erased record keeps offset, kind and time, has no payload, and all still verifies."""
        log = self.open(tmp_path)
        writers = [log.writer(k) for k in range(log.partitions())]
        for writer in writers:
            self.append(writer, *(f"secret {i}" for i in range(10)))
        before = {k: self.read_all(log.reader(), k) for k in range(log.partitions())}
        positions = [Position(k, offset) for k in before for offset in (0, 4, 9)]
        if self.lacks("erase"):
            fails_with(DipperError, log.custodian().erase, positions)
        else:
            assert log.custodian().erase(positions) == len(positions)
            assert log.custodian().erase(positions) == 0
            self.check_erased(log, before, positions)
            assert log.custodian().verify() == []
        for writer in writers:
            assert self.append(writer, "later") == 10
            writer.close()
        assert self.open(tmp_path).custodian().verify() == []

    def check_erased(
        self, log: OpenLog, before: Mapping[int, Sequence[Record]], positions: Sequence[Position]
    ) -> None:
        for k, records in before.items():
            expected = [
                record._replace(payload=b"", erased=True)
                if Position(k, record.offset) in positions
                else record
                for record in records
            ]
            assert self.read_all(log.reader(), k) == expected

    def test_open_reader_sees_erasure(self, tmp_path: Path) -> None:
        """A reader that has read a record gives no payload of it after its erasure."""
        if self.lacks("erase"):
            return
        log = self.open(tmp_path)
        writer, reader = log.writer(0), log.reader()
        self.append(writer, "keep", "secret")
        assert reader.read(0, 1, 1)[0].payload == b"secret"
        log.custodian().erase([Position(0, 1)])
        assert [(r.payload, r.erased) for r in self.read_all(reader, 0)] == [
            (b"keep", False),
            (b"", True),
        ]
        writer.close()

    def test_erases_at_rest(self, tmp_path: Path) -> None:
        """Erasure works while no writer holds the log, and the next writer goes on after it."""
        if self.lacks("erase"):
            return
        log = self.open(tmp_path)
        writer = log.writer(0)
        self.append(writer, "secret", "keep")
        writer.close()
        assert log.custodian().erase([Position(0, 0)]) == 1
        writer = self.open(tmp_path).writer(0)
        assert self.append(writer, "more") == 2
        assert [r.payload for r in self.read_all(log.reader(), 0)] == [b"", b"keep", b"more"]
        writer.close()

    def test_unknown_places(self, tmp_path: Path) -> None:
        """A partition or offset that the log does not have is BadInput."""
        log = self.open(tmp_path)
        writer = log.writer(0)
        self.append(writer, "a")
        fails_with(BadInput, log.reader().read, self.facts.partitions, 0, 1)
        fails_with(BadInput, log.writer, self.facts.partitions)
        if not self.lacks("erase"):
            fails_with(BadInput, log.custodian().erase, [Position(0, 1)])
            fails_with(BadInput, log.custodian().erase, [Position(self.facts.partitions, 0)])
        writer.close()

    def test_sound_log_has_no_damage(self, tmp_path: Path) -> None:
        """Verification of a log that was written and closed finds nothing."""
        log = self.open(tmp_path)
        for k in range(log.partitions()):
            writer = log.writer(k)
            self.append(writer, *map(str, range(100)))
            writer.close()
        found: list[Damage] = log.custodian().verify()
        assert found == []

    def lacks(self, ability: str) -> bool:
        """Whether the engine declares the ability as a gap; a gap has a reason."""
        gap = self.facts.gaps.get(ability)
        assert gap is None or gap.why
        return gap is not None
