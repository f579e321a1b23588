"""REL-04 and REL-05: a failed sync, a full disk, a short write. Nothing is acknowledged falsely."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.embedded.log_disk import Disk
from dipper.engine.embedded.log_format import FILE_HEADER_BYTES, scan
from dipper.engine.embedded.log_writer import EmbeddedLogWriter
from dipper.engine.ports import Entry, Position
from dipper.engine.record import RecordKind
from dipper.kit.errors import Unavailable

WAIT_S = 30
MB = 1 << 20


def entries(*texts: str) -> list[Entry]:
    return [Entry(RecordKind.EVENT, text.encode()) for text in texts]


def append(writer: EmbeddedLogWriter, *texts: str, reserve: bool = False) -> int:
    return writer.append(entries(*texts), 1, reserve=reserve).result(WAIT_S)


def payloads(log: EmbeddedLog) -> list[str]:
    return [record.payload.decode() for record in log.reader().read(0, 0, 1_000_000)]


class FailingDisk(Disk):
    """Fails the calls named in `failing`, and notes each sync of a file that failed before."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.broken: set[int] = set()
        self.retried = 0

    def _check(self, call: str) -> None:
        if call in self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def fdatasync(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        self.retried += inode in self.broken
        if "fdatasync" in self.failing:
            self.broken.add(inode)
        self._check("fdatasync")
        super().fdatasync(descriptor)

    def ftruncate(self, descriptor: int, size: int) -> None:
        self._check("ftruncate")
        super().ftruncate(descriptor, size)

    def remove(self, path: Path) -> None:
        self.broken.discard(path.stat().st_ino)
        super().remove(path)

    def rename(self, source: Path, target: Path) -> None:
        self._check("rename")
        if target.exists():
            self.broken.discard(target.stat().st_ino)
        super().rename(source, target)

    def fsync_dir(self, folder: Path) -> None:
        self._check("fsync_dir")
        super().fsync_dir(folder)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._check("write")
        return super().write(descriptor, data)


class FullDisk(Disk):
    """Holds `capacity` bytes in one folder; the write that passes it is short, the next fails."""

    def __init__(self, folder: Path, capacity: int) -> None:
        self.folder = folder
        self.capacity = capacity

    def free_bytes(self, folder: Path) -> int:
        used = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        return max(0, self.capacity - used)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        room = self.free_bytes(self.folder)
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(descriptor, data[:room])

    def allocate(self, descriptor: int, size: int) -> None:
        if size - os.fstat(descriptor).st_size > self.free_bytes(self.folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().allocate(descriptor, size)


def check_whole(folder: Path) -> None:
    """No segment ends inside a record."""
    for path in (folder / "p0").glob("*.log"):
        data = path.read_bytes()
        assert scan(data, FILE_HEADER_BYTES, int(path.stem)).position == len(data)


@pytest.mark.parametrize("also", [set(), {"ftruncate"}])
def test_failed_sync_is_not_acknowledged(tmp_path: Path, also: set[str]) -> None:
    """After EIO the group fails, its file is never synced again, and the next segment begins."""
    disk = FailingDisk()
    log = EmbeddedLog(tmp_path, 1, reserve_bytes=0, disk=disk)
    writer = log.writer(0)
    append(writer, "a", "b")
    disk.failing = {"fdatasync", *also}
    failed = [writer.append(entries(f"failed {i}"), 1) for i in range(5)]
    for future in failed:
        error = future.exception(WAIT_S)
        assert isinstance(error, Unavailable)
        assert "Input/output error" in error.message
    assert log.reader().end(0) == 2
    disk.failing = set()
    assert append(writer, "c") == 2
    assert append(writer, "d", "e") == 3
    assert disk.retried == 0
    assert payloads(log) == ["a", "b", "c", "d", "e"]
    assert len(list((tmp_path / "p0").glob("*.log"))) == 2
    writer.close()
    assert payloads(EmbeddedLog(tmp_path, 1, reserve_bytes=0)) == ["a", "b", "c", "d", "e"]
    whats = [damage.what for damage in log.custodian().verify()]
    assert whats == (["bytes behind the last record"] if also else [])


def test_first_group_fails(tmp_path: Path) -> None:
    """When not one record of a segment was synced, the next segment takes its place."""
    disk = FailingDisk()
    log = EmbeddedLog(tmp_path, 1, reserve_bytes=0, disk=disk)
    with log.writer(0) as writer:
        disk.failing = {"fdatasync"}
        for _ in range(3):
            with pytest.raises(Unavailable):
                append(writer, "failed")
        disk.failing = set()
        assert append(writer, "a") == 0
    assert payloads(log) == ["a"]
    assert disk.retried == 0
    assert log.custodian().verify() == []


def test_leftovers_of_a_failed_sync_go_at_the_next_start(tmp_path: Path) -> None:
    """What a power loss brought back behind the last record of a closed segment is cut."""
    disk = FailingDisk()
    log = EmbeddedLog(tmp_path / "a", 1, reserve_bytes=0, disk=disk)
    writer = log.writer(0)
    append(writer, "a")
    disk.failing = {"fdatasync", "ftruncate"}
    with pytest.raises(Unavailable):
        append(writer, "never acknowledged")
    disk.failing = set()
    append(writer, "b")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "p0" / "stop").unlink()
    log = EmbeddedLog(tmp_path / "b", 1, reserve_bytes=0)
    with log.writer(0) as again:
        assert again.opening.after == "machine_crash"
    assert log.custodian().verify() == []
    assert payloads(log) == ["a", "b"]
    files = (tmp_path / "b" / "p0").iterdir()
    assert not any(b"never acknowledged" in path.read_bytes() for path in files)
    writer.close()


@pytest.mark.parametrize("call", ["write", "rename", "fsync_dir", "fdatasync"])
def test_failed_roll(tmp_path: Path, call: str) -> None:
    """When a new segment cannot be begun the append fails, and all is well once it can."""
    disk = FailingDisk()
    log = EmbeddedLog(tmp_path, 1, segment_bytes=400, reserve_bytes=0, disk=disk)
    acknowledged = []
    with log.writer(0) as writer:
        for i in range(30):
            disk.failing = {call} if i % 3 == 2 else set()
            try:
                append(writer, f"event {i}" * 20)
                acknowledged.append(f"event {i}" * 20)
            except Unavailable:
                assert i % 3 == 2
        disk.failing = set()
        append(writer, "last")
    assert len(acknowledged) >= 20
    assert payloads(log) == [*acknowledged, "last"]
    assert log.custodian().verify() == []


@pytest.mark.parametrize("call", ["write", "rename", "fsync_dir", "fdatasync"])
def test_failed_erasure(tmp_path: Path, call: str) -> None:
    """An erasure that the disk refuses fails, loses nothing, and succeeds when repeated."""
    disk = FailingDisk()
    log = EmbeddedLog(tmp_path, 1, segment_bytes=400, reserve_bytes=0, disk=disk)
    with log.writer(0) as writer:
        sent = [f"event {i}" * 10 for i in range(10)]
        for text in sent:
            append(writer, text)
        for offset in (0, 9):
            disk.failing = {call}
            assert isinstance(writer.erase([Position(0, offset)]).exception(WAIT_S), Unavailable)
            disk.failing = set()
            append(writer, "more")
            writer.erase([Position(0, offset)]).result(WAIT_S)
            sent[offset] = ""
        assert payloads(log) == [*sent, "more", "more"]
    assert not list((tmp_path / "p0").glob("*.erasing"))
    assert log.custodian().verify() == []


def test_failed_opening(tmp_path: Path) -> None:
    """A log that the disk does not let open is Unavailable, holds no file, and opens later."""
    before = len(os.listdir("/dev/fd"))
    disk = FailingDisk()
    log = EmbeddedLog(tmp_path, 1, reserve_bytes=0, disk=disk)
    for call in ("fdatasync", "rename", "write", "fsync_dir"):
        disk.failing = {call}
        with pytest.raises(Unavailable, match="Input/output error"):
            log.writer(0)
        assert len(os.listdir("/dev/fd")) == before
    disk.failing = set()
    with log.writer(0) as writer:
        assert append(writer, "a") == 0
    assert len(os.listdir("/dev/fd")) == before


def test_full_disk(tmp_path: Path) -> None:
    """On a full disk appends are refused, no record is torn, and room brings them back at once."""
    disk = FullDisk(tmp_path, 100_000)
    log = EmbeddedLog(tmp_path, 1, segment_bytes=30_000, reserve_bytes=0, disk=disk)
    sent: list[str] = []
    with log.writer(0) as writer:
        for _ in range(2):
            while True:
                future = writer.append(entries(*(["x" * 700] * 7)), 1)
                if error := future.exception(WAIT_S):
                    break
                sent += ["x" * 700] * 7
            assert isinstance(error, Unavailable)
            assert "No space left" in error.message
            assert "go on by themselves" in error.hint
            check_whole(tmp_path)
            assert payloads(log) == sent
            with pytest.raises(Unavailable, match="No space left"):
                writer.append_now(entries(*(["y" * 900] * 100)), 1)
            check_whole(tmp_path)
            disk.capacity += 50_000
            assert append(writer, "room again") == len(sent)
            sent.append("room again")
    assert payloads(log) == sent
    assert log.custodian().verify() == []


def test_reserve_carries_decision_traces(tmp_path: Path) -> None:
    """On a full disk only appends with `reserve` go on, until it is used up; room restores it."""
    disk = FullDisk(tmp_path, 10 * MB)
    log = EmbeddedLog(tmp_path, 1, reserve_bytes=4 * MB, disk=disk)
    with log.writer(0) as writer:
        assert writer.reserve_held == 4 * MB
        event, trace = "e" * 60_000, "t" * 2_000
        while writer.append(entries(event), 1).exception(WAIT_S) is None:
            pass
        assert writer.reserve_held == 4 * MB
        before = writer.records
        traces = 0
        while writer.append(entries(trace), 1, reserve=True).exception(WAIT_S) is None:
            traces += 1
            if writer.reserve_held < 4 * MB:
                other = writer.append(entries("small"), 1)
                assert isinstance(other.exception(WAIT_S), Unavailable)
        assert writer.reserve_held == 0
        assert traces * (len(trace) + 80) > 3.9 * MB
        assert payloads(log)[before:] == [trace] * traces
        check_whole(tmp_path)
        disk.capacity += 16 * MB
        assert append(writer, "small") == before + traces
        assert writer.reserve_held == 4 * MB
        assert (tmp_path / "p0" / "reserve").stat().st_size == 4 * MB
    assert log.custodian().verify() == []


def test_mixed_group_on_a_full_disk(tmp_path: Path) -> None:
    """Of appends that wait together only those with `reserve` are written, in their order."""
    disk = FullDisk(tmp_path, 5 * MB)
    log = EmbeddedLog(tmp_path, 1, reserve_bytes=2 * MB, disk=disk)
    with log.writer(0) as writer:
        while writer.append(entries("e" * 60_000), 1).exception(WAIT_S) is None:
            pass
        before = writer.records
        assert before > 0
        futures = [writer.append(entries(f"{i}" * 3000), 1, reserve=i % 2 == 0) for i in range(10)]
        for i, future in enumerate(futures):
            assert (future.exception(WAIT_S) is None) == (i % 2 == 0)
        assert [future.result() for future in futures[::2]] == list(range(before, before + 5))
        assert payloads(log)[before:] == [f"{i}" * 3000 for i in range(0, 10, 2)]


def test_start_on_a_full_disk(tmp_path: Path) -> None:
    """A log opens on a full disk; decision traces go on, other appends wait for room."""
    disk = FullDisk(tmp_path, 5 * MB)
    log = EmbeddedLog(tmp_path, 1, reserve_bytes=2 * MB, disk=disk)
    with log.writer(0) as writer:
        while writer.append(entries("e" * 60_000), 1).exception(WAIT_S) is None:
            pass
        while writer.reserve_held == 2 * MB:
            append(writer, "t" * 9_000, reserve=True)
        before = writer.records
    disk.capacity -= disk.free_bytes(tmp_path)
    with log.writer(0) as writer:
        assert writer.opening.after == "clean_stop"
        assert append(writer, "trace", reserve=True) == before
        assert isinstance(writer.append(entries("small"), 1).exception(WAIT_S), Unavailable)
        disk.capacity += 16 * MB
        assert append(writer, "small") == before + 1
    assert log.custodian().verify() == []


def test_fault_in_a_group_reaches_its_callers(tmp_path: Path) -> None:
    """An entry that cannot be encoded fails its group at once, and the writer serves the next."""
    with EmbeddedLog(tmp_path, 1, reserve_bytes=0).writer(0) as writer:
        future = writer.append([Entry(RecordKind.EVENT, "text")], 1)  # type: ignore[arg-type]
        assert isinstance(future.exception(WAIT_S), TypeError)
        assert append(writer, "a") == 0


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The system itself cuts writes short beyond this size (RLIMIT_FSIZE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_short_write_of_the_system(tmp_path: Path) -> None:
    """A write that the system cuts short is taken back whole; the log goes on when it may."""
    log = EmbeddedLog(tmp_path, 1, reserve_bytes=0)
    with log.writer(0) as writer:
        append(writer, "a" * 3000)
        with file_size_limit(4096):
            future = writer.append(entries("b" * 3000), 1)
            assert isinstance(future.exception(WAIT_S), Unavailable)
            check_whole(tmp_path)
            assert append(writer, "c" * 100) == 1
        assert append(writer, "d" * 3000) == 2
    assert [text[0] for text in payloads(log)] == ["a", "c", "d"]
    assert log.custodian().verify() == []


def test_files_are_not_for_everybody(tmp_path: Path) -> None:
    """Other users of the machine cannot read the log's files."""
    with EmbeddedLog(tmp_path, 1, reserve_bytes=0).writer(0) as writer:
        append(writer, "a")
        writer.erase([Position(0, 0)]).result(WAIT_S)
    for path in (tmp_path / "p0").iterdir():
        assert not path.stat().st_mode & stat.S_IRWXO, path
