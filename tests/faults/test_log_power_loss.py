"""REL-06: power loss at any system call, on a disk that drops, reorders and tears unsynced bytes.

`SimDisk` works on real files and remembers what was made durable. At the chosen call the power
goes: it lays down one of the states that a disk could be in, every later call fails, and the log
is opened on that state, with another power loss to come.
"""

from __future__ import annotations

import errno
import os
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.embedded.log_disk import Counter, Disk
from dipper.engine.embedded.log_writer import EmbeddedLogWriter
from dipper.engine.ports import Entry, Position
from dipper.engine.record import RecordKind
from dipper.kit.errors import Unavailable

SECTOR = 512
WAIT_S = 30


Step = tuple[str, list[int]]
"""append, bulk or erase, with payload sizes or numbers of records."""


@dataclass(frozen=True)
class Life:
    """What one run of the machine does: the process dies at disk call number `kill_at`, if it comes
    to that, and starts again; the power goes at call `crash_at`, or after the steps."""

    steps: list[Step]
    crash_at: int
    kill_at: int
    closes: bool
    seed: int


@dataclass
class SimFile:
    """The durable bytes of a file, and what was done to it since."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """(position, bytes) of a write, (size, None) of a truncation."""

    def sync(self) -> None:
        data = bytearray(self.durable)
        for change in self.pending:
            _apply(data, *change)
        self.durable, self.pending = bytes(data), []

    def after_power_loss(self, draw: random.Random) -> bytes:
        """One of the contents that a disk may hold: any of the pending sectors, some torn."""
        data = bytearray(self.durable)
        keep = draw.choice((0.0, 0.3, 0.7, 0.95, 1.0))
        reached = len(data)
        for position, piece in self.pending:
            if piece is None:
                if draw.random() < keep:
                    _apply(data, position, None)
                continue
            reached = max(reached, position + len(piece))
            for at, part in _sectors(position, piece):
                if draw.random() < keep:
                    torn = draw.random() < 0.05
                    _apply(data, at, part[: draw.randrange(len(part))] if torn else part)
        if draw.random() < 0.3:
            data.extend(bytes(max(0, reached - len(data))))
        return bytes(data)


def _apply(data: bytearray, position: int, piece: bytes | None) -> None:
    if piece is None:
        del data[position:]
        data.extend(bytes(position - len(data)))
        return
    data.extend(bytes(max(0, position - len(data))))
    data[position : position + len(piece)] = piece


def _sectors(position: int, piece: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(piece):
        end = min(len(piece), at + SECTOR - (position + at) % SECTOR)
        yield position + at, piece[at:end]
        at = end


class SimCounter(Counter):
    """A mapped counter: any value it ever had may be the one on disk."""

    def __init__(self, path: Path, disk: SimDisk) -> None:
        super().__init__(path, writable=True)
        self._disk = disk
        disk.head_values.append(self.load())

    def store(self, value: int) -> None:
        super().store(value)
        self._disk.head_values.append(value)


class SimDisk(Disk):
    """Real files in `folder`; power goes at call number `crash_at` and leaves `image` behind."""

    def __init__(self, folder: Path, image: Path, boot: int, life: Life) -> None:
        self.folder, self.image = folder, image
        self.boot, self.crash_at, self.kill_at = boot, life.crash_at, life.kill_at
        self.draw = random.Random(life.seed)
        self.calls = 0
        self.lock = threading.RLock()
        self.head_values: list[int] = []
        self.files: dict[int, SimFile] = {}
        self.names: dict[str, int | None] = {}
        self.changes: list[dict[str, int | None]] = []
        self.kept: list[int] = []
        self.is_dead = self.is_killed = False
        for path in folder.iterdir():
            inode = path.stat().st_ino
            self._keep(inode, path)
            self.files[inode].durable = path.read_bytes()
            self.names[path.name] = inode

    def _power(self) -> None:
        """Count a call; at the chosen ones the process dies, or the power goes for good."""
        if not self.is_killed and not self.is_dead:
            self.calls += 1
            self.is_killed = self.calls == self.kill_at
            if self.calls >= self.crash_at:
                self.is_dead = True
                self._leave_image()
        if self.is_dead or self.is_killed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _leave_image(self) -> None:
        names = dict(self.names)
        for change in self.changes:
            if self.draw.random() < 0.6:
                names.update(change)
        self.image.mkdir(parents=True)
        for name, inode in names.items():
            if inode is None:
                continue
            data = self.files[inode].after_power_loss(self.draw)
            if name == "head" and self.head_values:
                data = self.draw.choice(self.head_values).to_bytes(8, "little")
            (self.image / name).write_bytes(data)

    def _change(self, descriptor: int, position: int, data: bytes | None) -> None:
        """Note a change of a file; a power loss in the call itself may keep parts of it."""
        pending = self.files[os.fstat(descriptor).st_ino].pending
        pending.append((position, data))
        self._call(pending)

    def _rename(self, change: dict[str, int | None]) -> None:
        self.changes.append(change)
        self._call(self.changes)

    def _call(self, changes: list[Any]) -> None:
        try:
            self._power()
        except OSError:
            changes.pop()
            raise

    def _keep(self, inode: int, path: Path) -> None:
        """Hold the file open: the number of a file that is gone must not come back."""
        self.files[inode] = SimFile()
        self.kept.append(os.open(path, os.O_RDONLY))

    def open(self, path: Path, *, append: bool) -> int:
        with self.lock:
            is_new = not path.exists()
            if is_new:
                self._power()
            descriptor = super().open(path, append=append)
            if is_new:
                inode = os.fstat(descriptor).st_ino
                self._keep(inode, path)
                self.changes.append({path.name: inode})
            return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        with self.lock:
            short = self.draw.randrange(1, len(data) + 1) if self.draw.random() < 0.2 else len(data)
            position = os.fstat(descriptor).st_size
            self._change(descriptor, position, bytes(data[:short]))
            return super().write(descriptor, data[:short])

    def pwrite(self, descriptor: int, data: bytes, position: int) -> int:
        with self.lock:
            self._change(descriptor, position, bytes(data))
            return super().pwrite(descriptor, data, position)

    def fdatasync(self, descriptor: int) -> None:
        with self.lock:
            self._power()
            self.files[os.fstat(descriptor).st_ino].sync()

    def ftruncate(self, descriptor: int, size: int) -> None:
        with self.lock:
            self._change(descriptor, size, None)
            super().ftruncate(descriptor, size)

    def allocate(self, descriptor: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def rename(self, source: Path, target: Path) -> None:
        with self.lock:
            inode = source.stat().st_ino
            self._rename({target.name: inode, source.name: None})
            super().rename(source, target)

    def remove(self, path: Path) -> None:
        with self.lock:
            self._rename({path.name: None})
            super().remove(path)

    def fsync_dir(self, folder: Path) -> None:
        with self.lock:
            self._power()
            if folder == self.folder:
                for change in self.changes:
                    self.names.update(change)
                self.changes = []

    def counter(self, path: Path) -> Counter:
        with self.lock:
            is_new = not path.exists()
            counter = SimCounter(path, self)
            inode = path.stat().st_ino
            if is_new:
                self._keep(inode, path)
                self.changes.append({path.name: inode})
            return counter

    def boot_id(self) -> str:
        return f"boot {self.boot}"

    def cut_power(self) -> None:
        """Power goes now, if it has not gone yet."""
        with self.lock:
            if not self.is_dead:
                self.is_dead = True
                self._leave_image()

    def revive(self) -> None:
        """A new process; what the old one wrote is where it was, synced or not."""
        self.is_killed = False

    def close_files(self) -> None:
        for descriptor in self.kept:
            os.close(descriptor)


@dataclass
class Model:
    """What must be there: acknowledged payloads by offset; what may be there: those in flight."""

    acknowledged: list[bytes] = field(default_factory=list)
    in_flight: list[bytes] = field(default_factory=list)
    erased: set[int] = field(default_factory=set)
    erasing: set[int] = field(default_factory=set)
    made: int = 0
    stop: str = ""
    """How the last writer ended: `open`, `clean`, or nothing when it died starting or closing."""

    def payload(self, size: int) -> bytes:
        self.made += 1
        return b"<%08d>" % self.made + b"x" * size

    def check(self, log: EmbeddedLog, writer: EmbeddedLogWriter) -> None:
        """Compare with the log as opened; what is found is durable from now on."""
        assert writer.opening.lost == 0
        if self.stop in ("clean", "open"):
            assert (writer.opening.after == "clean_stop") == (self.stop == "clean")
        self.stop = "open"
        found = log.reader().read(0, 0, 1_000_000)
        known = self.acknowledged + self.in_flight
        assert len(self.acknowledged) <= len(found) <= len(known)
        for record, payload in zip(found, known, strict=False):
            if record.erased:
                assert record.offset in self.erased | self.erasing
            else:
                assert record.offset not in self.erased
                assert record.payload == payload
        self.acknowledged, self.in_flight = known[: len(found)], []
        self.erased, self.erasing = {record.offset for record in found if record.erased}, set()
        assert log.custodian().verify() == []

    def check_gone(self, folder: Path) -> None:
        """No byte of an erased payload is in any file."""
        raw = b"".join(path.read_bytes() for path in folder.iterdir())
        for offset in self.erased:
            assert self.acknowledged[offset][:10] not in raw


def act(step: Step, writer: EmbeddedLogWriter, model: Model) -> None:
    """One append, bulk append or erasure, waited for; raises Unavailable when the power is gone."""
    name, numbers = step
    if name == "erase":
        count = len(model.acknowledged)
        model.erasing = {number % count for number in numbers} if count else set()
        writer.erase([Position(0, offset) for offset in model.erasing]).result(WAIT_S)
        model.erased, model.erasing = model.erased | model.erasing, set()
        return
    model.in_flight = [model.payload(size) for size in numbers]
    entries = [Entry(RecordKind.EVENT, payload) for payload in model.in_flight]
    if name == "bulk":
        first = writer.append_now(entries, 1)
    else:
        first = writer.append(entries, 1).result(WAIT_S)
    assert first == len(model.acknowledged)
    model.acknowledged, model.in_flight = model.acknowledged + model.in_flight, []


def run_process(folder: Path, disk: SimDisk, life: Life, todo: list[Step], model: Model) -> None:
    """Open the log and do the steps until process or power dies."""
    log = EmbeddedLog(folder, 1, segment_bytes=3000, reserve_bytes=0, disk=disk)
    try:
        writer = log.writer(0)
    except Unavailable:
        assert disk.is_dead or disk.is_killed
        model.stop = "open" if model.stop == "open" else ""
        return
    try:
        model.check(log, writer)
        while todo:
            act(todo.pop(0), writer, model)
        if not life.closes:
            disk.cut_power()
        model.stop = ""
        writer.close()
        model.stop = "clean"
    except Unavailable:
        assert disk.is_dead or disk.is_killed
        with suppress(Unavailable):
            writer.close()


sizes = st.lists(st.integers(0, 1200), min_size=1, max_size=8)
steps = st.lists(
    st.tuples(st.sampled_from(("append", "append", "bulk", "erase")), sizes), max_size=6
)
lives = st.lists(
    st.builds(Life, steps, st.integers(1, 60), st.integers(1, 60), st.booleans(), st.integers(0)),
    min_size=1,
    max_size=4,
)


def check_lives(plan: list[Life]) -> None:
    """Each life ends in a power loss; the last opening has all that was ever acknowledged."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=parent) as root,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("dipper.engine.embedded.log_tail.SMALL_SEGMENT_BYTES", 1500)
        model = Model()
        folder = Path(root) / "0"
        (folder / "p0").mkdir(parents=True)
        for boot, life in enumerate(plan):
            image = Path(root) / f"{boot + 1}"
            disk = SimDisk(folder / "p0", image / "p0", boot, life)
            todo = list(life.steps)
            run_process(folder, disk, life, todo, model)
            if disk.is_killed and not disk.is_dead:
                disk.revive()
                run_process(folder, disk, life, todo, model)
            disk.cut_power()
            disk.close_files()
            folder = image
            model.check_gone(folder / "p0")
        log = EmbeddedLog(folder, 1, segment_bytes=3000, reserve_bytes=0)
        with log.writer(0) as writer:
            model.check(log, writer)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(lives)
def test_power_loss_loses_nothing(plan: list[Life]) -> None:
    """Whenever the power goes and whatever the disk kept, no acknowledged record is lost."""
    check_lives(plan)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(lives)
def test_power_loss_loses_nothing_10_000_times(
    plan: list[Life],
) -> None:
    """The same over ten thousand histories."""
    check_lives(plan)
