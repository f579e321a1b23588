"""The folder of one partition: names, locks, and the mark that tells how the last writer ended."""

from __future__ import annotations

import fcntl
import json
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import google_crc32c

from dipper.engine.embedded.log_disk import Disk
from dipper.engine.embedded.log_format import (
    FILE_HEADER_BYTES,
    Buffer,
    FileHeader,
    decode_file_header,
)
from dipper.kit.errors import Conflict, Corrupt

OpenedAfter = Literal["clean_stop", "process_crash", "machine_crash", "new"]

HEAD = "head"
RESERVE = "reserve"
STOP = "stop"
WRITER_LOCK = "writer.lock"
ERASE_LOCK = "erase.lock"
SEGMENT_SUFFIX = ".log"
NEW_SUFFIX = ".new"
ERASING_SUFFIX = ".erasing"
VERIFY_HINT = (
    "Run `dipper verify` to list every damaged place, then restore the file from a backup."
)
_MARK_BYTES = 512


def make_folder(disk: Disk, folder: Path) -> None:
    """Make the folder and those above it, each name durable before anything stands in it."""
    if not folder.exists():
        make_folder(disk, folder.parent)
        folder.mkdir(exist_ok=True)
        disk.fsync_dir(folder.parent)


def segment_path(folder: Path, first: int) -> Path:
    """The file whose first record has offset `first`."""
    return folder / f"{first:020d}{SEGMENT_SUFFIX}"


def segment_inodes(folder: Path) -> dict[int, int]:
    """First offset -> inode of every segment, in order of offsets; empty for a missing folder."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return {}
    found = {
        int(entry.name[: -len(SEGMENT_SUFFIX)]): entry.inode()
        for entry in entries
        if entry.name.endswith(SEGMENT_SUFFIX) and entry.name[: -len(SEGMENT_SUFFIX)].isdigit()
    }
    return dict(sorted(found.items()))


def file_header(raw: bytes, path: Path, partition: int, first: int) -> FileHeader:
    """The header of a segment, checked against its name. Raises Corrupt."""
    header = decode_file_header(raw[:FILE_HEADER_BYTES])
    if header is None:
        raise Corrupt("the file header is damaged", where=f"{path}+0", hint=VERIFY_HINT)
    if (header.partition, header.first) != (partition, first):
        raise Corrupt(
            f"the file header says partition {header.partition}, first offset {header.first};"
            f" its place says {partition}, {first}",
            where=f"{path}+0",
            hint=VERIFY_HINT,
        )
    return header


@contextmanager
def mapped(path: Path) -> Iterator[Buffer]:
    """The bytes of a file, not copied; an empty file gives empty bytes."""
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def take_lock(path: Path, partition: int, role: str) -> int:
    """Lock the file for this process and note who holds it. Raises Conflict when it is held.

    The lock goes when the descriptor is closed or the process ends, however it ends.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise Conflict(
            f"partition {partition} is held by {holder or 'another process'}",
            where=str(path),
            hint="A partition has one writer. Stop that process, or append through its gateway.",
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{role} (process {os.getpid()})\n".encode(), 0)
    return descriptor


@contextmanager
def erasing(folder: Path) -> Iterator[None]:
    """Wait until nobody else rewrites segments of the partition, in any process."""
    descriptor = os.open(folder / ERASE_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class StopMark:
    """What the file `stop` says. While a writer runs, `clean` is false.

    `records` and `chain` are the end of the log at a clean stop.
    """

    boot_id: str
    clean: bool
    records: int
    chain: str

    def write(self, disk: Disk, folder: Path) -> None:
        """Overwrite the mark in place (it needs no free block) and sync it."""
        text = json.dumps({"version": 1, **self.__dict__}).encode()
        raw = f"{google_crc32c.value(text):08x} ".encode() + text
        descriptor = disk.open(folder / STOP, append=False)
        try:
            disk.pwrite(descriptor, raw.ljust(_MARK_BYTES - 1) + b"\n", 0)
            disk.fdatasync(descriptor)
        finally:
            disk.close(descriptor)


def read_stop_mark(folder: Path) -> StopMark | None:
    """None when there is none or it is torn: then nothing is known of how the writer ended."""
    try:
        crc, _, text = (folder / STOP).read_bytes().rstrip().partition(b" ")
    except FileNotFoundError:
        return None
    if crc != f"{google_crc32c.value(text):08x}".encode():
        return None
    facts = json.loads(text)
    return StopMark(facts["boot_id"], facts["clean"], facts["records"], facts["chain"])


def opened_after(mark: StopMark | None, boot_id: str, is_new: bool) -> OpenedAfter:
    """How the last writer ended, as far as its mark tells; unknown counts as a machine crash."""
    if is_new:
        return "new"
    if mark is not None and mark.clean:
        return "clean_stop"
    return "process_crash" if mark is not None and mark.boot_id == boot_id else "machine_crash"
