"""The writer groups appends, rolls segments, chains files and says how the last writer ended."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.embedded.log_disk import Disk
from dipper.engine.embedded.log_format import (
    FIRST_OF_GROUP,
    HEADER,
    decode_file_header,
    scan,
)
from dipper.engine.embedded.log_writer import EmbeddedLogWriter
from dipper.engine.ports import Entry, Position
from dipper.engine.record import RecordKind
from dipper.kit.errors import Conflict, Corrupt, TooLarge, Unavailable

WAIT_S = 30


def entries(*texts: str) -> list[Entry]:
    return [Entry(RecordKind.EVENT, text.encode()) for text in texts]


def open_log(folder: Path, **options: object) -> EmbeddedLog:
    return EmbeddedLog(folder, 1, reserve_bytes=0, **options)  # type: ignore[arg-type]


class SlowDisk(Disk):
    """Holds syncs back until it is told to go on, and counts them."""

    def __init__(self) -> None:
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.in_sync = threading.Event()
        self.syncs = 0

    def fdatasync(self, descriptor: int) -> None:
        self.in_sync.set()
        assert self.may_sync.wait(WAIT_S)
        self.syncs += 1
        super().fdatasync(descriptor)


class OtherBoot(Disk):
    """The same disk after the machine was started again."""

    def boot_id(self) -> str:
        return "another boot"


def flags_of(path: Path) -> list[int]:
    data, position, offset = path.read_bytes(), 64, int(path.stem)
    flags = []
    while position < len(data):
        flags.append(HEADER.unpack_from(data, position)[4])
        position, offset, fault = scan(data, position, offset, stop=offset + 1)
        assert not fault
    return flags


def test_one_sync_takes_all_that_waits(tmp_path: Path) -> None:
    """Appends queued while a sync is in flight share the next one; none is answered before."""
    disk = SlowDisk()
    with open_log(tmp_path, disk=disk).writer(0) as writer:
        before = disk.syncs
        disk.may_sync.clear()
        disk.in_sync.clear()
        first = writer.append(entries("first"), 1)
        assert disk.in_sync.wait(WAIT_S)
        queued = [writer.append(entries(f"{i}"), 1) for i in range(50)]
        assert not first.done()
        assert not any(future.done() for future in queued)
        assert writer.records == 0
        disk.may_sync.set()
        assert [future.result(WAIT_S) for future in queued] == list(range(1, 51))
        assert disk.syncs - before == 2
    flags = flags_of(tmp_path / "p0" / f"{0:020d}.log")
    assert flags == [FIRST_OF_GROUP, FIRST_OF_GROUP] + [0] * 49


def test_cancelled_append_is_left_out(tmp_path: Path) -> None:
    """A future cancelled while it waits takes its entries with it and disturbs nobody."""
    disk = SlowDisk()
    log = open_log(tmp_path, disk=disk)
    with log.writer(0) as writer:
        disk.may_sync.clear()
        disk.in_sync.clear()
        futures = [writer.append(entries("a"), 1)]
        assert disk.in_sync.wait(WAIT_S)
        futures += [writer.append(entries(text), 1) for text in ("b", "c")]
        assert futures[1].cancel()
        disk.may_sync.set()
        assert futures[2].result(WAIT_S) == 1
        assert [record.payload for record in log.reader().read(0, 0, 9)] == [b"a", b"c"]


def test_segments_roll_and_join(tmp_path: Path) -> None:
    """A segment that would grow too long is followed by one whose header carries its chain."""
    log = open_log(tmp_path, segment_bytes=1000)
    with log.writer(0) as writer:
        for i in range(30):
            writer.append(entries(f"event {i}" * 10), 1).result(WAIT_S)
    paths = sorted((tmp_path / "p0").glob("*.log"))
    assert len(paths) > 3
    chain = bytes(32)
    offset = 0
    for path in paths:
        data = path.read_bytes()
        assert len(data) <= 1000
        header = decode_file_header(data[:64])
        assert header == (0, offset, chain)
        running = hashlib.sha256(chain)
        found = scan(data, 64, offset, chain=running, digests=True)
        assert found.position == len(data)
        offset, chain = found.offset, running.digest()
    assert offset == 30
    assert [r.offset for r in log.reader().read(0, 0, 99)] == list(range(30))


def test_group_larger_than_a_segment(tmp_path: Path) -> None:
    """A group stays in one file even when it is larger than a segment should be."""
    log = open_log(tmp_path, segment_bytes=1000)
    with log.writer(0) as writer:
        writer.append(entries(*("x" * 100 for _ in range(50))), 1).result(WAIT_S)
        writer.append(entries("y"), 1).result(WAIT_S)
    assert [path.stem for path in sorted((tmp_path / "p0").glob("*.log"))] == [
        f"{0:020d}",
        f"{50:020d}",
    ]


def test_bulk_append(tmp_path: Path) -> None:
    """A bulk append of many chunks keeps order and offsets, between other appends."""
    log = open_log(tmp_path, segment_bytes=3 << 20)
    large = entries(*(f"{i:05d}" + "x" * 1500 for i in range(8000)))
    with log.writer(0) as writer:
        writer.append(entries("before"), 1).result(WAIT_S)
        assert writer.append_now(large, 2) == 1
        assert writer.append(entries("after"), 3).result(WAIT_S) == 8001
        assert writer.append_now([], 4) == 8002
        with pytest.raises(TooLarge):
            writer.append_now(entries("x" * (1 << 21)), 2)
    found = [record for batch in log.reader().read_batches(0, 1) for record in batch]
    assert [record.payload for record in found[:-1]] == [entry.payload for entry in large]
    assert {record.received_us for record in found[:-1]} == {2}
    assert log.custodian().verify() == []


def test_append_of_nothing(tmp_path: Path) -> None:
    """An append without entries succeeds, adds nothing and gives the offset that comes next."""
    with open_log(tmp_path).writer(0) as writer:
        assert writer.append([], 1).result(WAIT_S) == 0
        assert writer.append(entries("a"), 1).result(WAIT_S) == 0
        assert writer.append([], 1).result(WAIT_S) == 1
        assert writer.records == 1


def test_salts_hide_equal_payloads(tmp_path: Path) -> None:
    """Two equal payloads have different digests, so that a digest cannot be guessed."""
    with open_log(tmp_path).writer(0) as writer:
        writer.append(entries("same", "same"), 1).result(WAIT_S)
    data = (tmp_path / "p0" / f"{0:020d}.log").read_bytes()
    second = 64 + 64 + 16 + len("same")
    assert data[64 + 32 : 64 + 64] != data[second + 32 : second + 64]


@pytest.mark.parametrize(
    ("prepare", "disk", "expected"),
    [
        (lambda writer: writer.close(), Disk(), "clean_stop"),
        (lambda writer: None, Disk(), "process_crash"),
        (lambda writer: None, OtherBoot(), "machine_crash"),
        (lambda writer: writer.close(), OtherBoot(), "clean_stop"),
    ],
)
def test_opening_says_how_the_last_writer_ended(
    tmp_path: Path, prepare: Callable[[EmbeddedLogWriter], None], disk: Disk, expected: str
) -> None:
    """Clean stop, crash of the process and crash of the machine are told apart at opening."""
    writer = open_log(tmp_path / "a").writer(0)
    assert writer.opening.after == "new"
    writer.append(entries("a"), 1).result(WAIT_S)
    prepare(writer)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with open_log(tmp_path / "b", disk=disk).writer(0) as again:
        assert (again.opening.after, again.opening.lost) == (expected, 0)
        assert again.records == 1
    writer.close()


def test_torn_stop_mark_counts_as_machine_crash(tmp_path: Path) -> None:
    """When the mark cannot be read nothing is known, so the worst is taken."""
    log = open_log(tmp_path)
    with log.writer(0) as writer:
        writer.append(entries("a"), 1).result(WAIT_S)
    mark = tmp_path / "p0" / "stop"
    mark.write_bytes(mark.read_bytes()[:40])
    with log.writer(0) as writer:
        assert writer.opening.after == "machine_crash"
        assert writer.records == 1


def test_held_partition_names_its_holder(tmp_path: Path) -> None:
    """A second writer is told which process holds the partition and what to do."""
    with open_log(tmp_path).writer(0), pytest.raises(Conflict, match=r"the writer \(process \d+\)"):
        open_log(tmp_path).writer(0)


def test_failed_opening_releases_the_partition(tmp_path: Path) -> None:
    """A log that cannot be opened for damage can be opened as soon as it is mended."""
    log = open_log(tmp_path)
    with log.writer(0) as writer:
        writer.append(entries("a"), 1).result(WAIT_S)
    path = tmp_path / "p0" / f"{0:020d}.log"
    sound = path.read_bytes()
    path.write_bytes(b"X" + sound[1:])
    for _ in range(2):
        with pytest.raises(Corrupt, match="file header is damaged"):
            log.writer(0)
    path.write_bytes(sound)
    with log.writer(0) as writer:
        assert writer.append(entries("b"), 1).result(WAIT_S) == 1


def test_large_segment_in_use_is_closed_before_erasure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erasing from a large segment in use begins a new one, so that appends need not wait."""
    monkeypatch.setattr("dipper.engine.embedded.log_tail.SMALL_SEGMENT_BYTES", 2000)
    log = open_log(tmp_path)
    with log.writer(0) as writer:
        writer.append(entries(*("x" * 200 for _ in range(20))), 1).result(WAIT_S)
        assert writer.erase([Position(0, 3), Position(0, 19)]).result(WAIT_S) == 2
        assert writer.append(entries("after"), 1).result(WAIT_S) == 20
        assert len(list((tmp_path / "p0").glob("*.log"))) == 2
        assert [r.offset for r in log.reader().read(0, 0, 99) if r.erased] == [3, 19]
    assert log.custodian().verify() == []


def test_appends_go_on_during_erasures(tmp_path: Path) -> None:
    """Records appended while segments are rewritten are neither lost nor moved."""
    log = open_log(tmp_path, segment_bytes=20_000)
    with log.writer(0) as writer:
        writer.append(entries(*(f"{i}" for i in range(500))), 1).result(WAIT_S)
        futures: list[Future[int]] = []
        erasures = []
        for i in range(500, 1500):
            futures.append(writer.append(entries(f"{i}"), 1))
            if i % 100 == 0:
                futures[max(0, i - 999)].result(WAIT_S)
                erasures.append(writer.erase([Position(0, i - 500), Position(0, i - 499)]))
        assert [future.result(WAIT_S) for future in futures] == list(range(500, 1500))
        assert sum(future.result(WAIT_S) for future in erasures) == 20
    erased = {base + k for base in range(0, 1000, 100) for k in (0, 1)}
    for record in log.reader().read(0, 0, 2000):
        assert record.erased == (record.offset in erased)
        assert record.payload == (b"" if record.erased else b"%d" % record.offset)
    assert log.custodian().verify() == []


def test_closed_writer_erases_nothing(tmp_path: Path) -> None:
    """An erasure asked of a closed writer fails with Unavailable."""
    writer = open_log(tmp_path).writer(0)
    writer.append(entries("a"), 1).result(WAIT_S)
    writer.close()
    writer.close()
    assert isinstance(writer.erase([Position(0, 0)]).exception(WAIT_S), Unavailable)
