"""The system calls by which the log changes files, in one small class that tests replace.

A test's disk can run full, fail a sync, or drop and tear what was never synced. Reading needs no
such door: readers take what the files hold.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import subprocess
import sys
from pathlib import Path

COUNTER_BYTES = 8
_ZEROS = bytes(1 << 20)


class Counter:
    """A u64 in a memory-mapped file: one aligned store publishes it to every process."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        flags = os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY
        descriptor = os.open(path, flags, 0o640)
        try:
            missing = COUNTER_BYTES - os.fstat(descriptor).st_size
            if missing > 0:
                # Written, not stretched: a hole could fail with SIGBUS later, on a full disk.
                os.pwrite(descriptor, bytes(missing), COUNTER_BYTES - missing)
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            self._map = mmap.mmap(descriptor, COUNTER_BYTES, access=access)
        finally:
            os.close(descriptor)
        self._cell = memoryview(self._map).cast("Q")

    def load(self) -> int:
        return int(self._cell[0])

    def store(self, value: int) -> None:
        self._cell[0] = value

    def close(self) -> None:
        self._cell.release()
        self._map.close()


class Disk:
    """Plain system calls; every method raises OSError as the system does."""

    def open(self, path: Path, *, append: bool) -> int:
        """A descriptor for writing, made if it is not there: at the end, or in place."""
        return os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if append else 0), 0o640
        )

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """May write less than all, as write(2) may."""
        return os.write(descriptor, data)

    def pwrite(self, descriptor: int, data: bytes, position: int) -> int:
        return os.pwrite(descriptor, data, position)

    def fdatasync(self, descriptor: int) -> None:
        """Return when data and length are on the medium, not only in its cache."""
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(descriptor)

    def ftruncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def allocate(self, descriptor: int, size: int) -> None:
        """Claim the blocks of the first `size` bytes."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
            return
        at = os.fstat(descriptor).st_size
        while at < size:
            at += os.pwrite(descriptor, _ZEROS[: size - at], at)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def fsync_dir(self, folder: Path) -> None:
        """Make names created, renamed and removed in the folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, folder: Path) -> int:
        """What an ordinary user can still write there."""
        facts = os.statvfs(folder)
        return facts.f_bavail * facts.f_frsize

    def counter(self, path: Path) -> Counter:
        return Counter(path, writable=True)

    def boot_id(self) -> str:
        """Another text after every start of the machine."""
        if sys.platform == "darwin":
            command = ["/usr/sbin/sysctl", "-n", "kern.boottime"]
            return subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.strip()
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def write_all(disk: Disk, descriptor: int, data: bytes) -> None:
    """Write all bytes through as many calls as it takes; raises OSError when the disk refuses."""
    done = disk.write(descriptor, data)
    if done == len(data):
        return
    rest = memoryview(data)
    while done < len(data):
        done += disk.write(descriptor, rest[done:])
