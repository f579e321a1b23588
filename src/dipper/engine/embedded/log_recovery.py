"""What a writer does before it writes: find the end of the log, cut a torn tail, refuse damage.

A power loss may keep any part of what was never synced, in any order. Groups are synced one after
the other, so a record marked FIRST_OF_GROUP proves that everything before it was durable: a bad
record with such a record behind it is damage, one without is the torn tail of the last group.
The counter `head` says more while the system stayed up; after a power loss it may be old.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import google_crc32c

from dipper.engine.embedded.log_disk import Disk
from dipper.engine.embedded.log_folder import (
    ERASING_SUFFIX,
    NEW_SUFFIX,
    VERIFY_HINT,
    OpenedAfter,
    erasing,
    file_header,
    mapped,
    opened_after,
    read_stop_mark,
    segment_inodes,
    segment_path,
)
from dipper.engine.embedded.log_format import (
    FILE_HEADER_BYTES,
    FIRST_OF_GROUP,
    HEADER,
    HEADER_BYTES,
    Buffer,
    Chain,
    Scan,
    find_record,
    scan,
)
from dipper.kit.errors import Corrupt


@dataclass(frozen=True)
class Opening:
    """What a writer found. `lost` counts records that were synced and are not there any more;
    it is 0 unless files were cut from outside or the medium lied. `cut_bytes` is the torn tail."""

    after: OpenedAfter
    lost: int
    cut_bytes: int


@dataclass(frozen=True)
class LogEnd:
    """The last segment, its length after recovery, and the chain over its records."""

    path: Path
    first: int
    before: bytes
    size: int
    records: int
    chain: Chain


def recover(disk: Disk, folder: Path, partition: int, head: int) -> tuple[Opening, LogEnd | None]:
    """Bring the partition's files to a whole number of synced records.

    `head` is the counter's value as found. No end means that there is no segment yet. Raises
    Corrupt when damage, and not a torn tail, stands in the last segment.
    """
    mark = read_stop_mark(folder)
    synced = max(head, mark.records) if mark is not None and mark.clean else head
    with erasing(folder):
        _remove_unfinished(disk, folder)
        firsts = list(segment_inodes(folder))
        after = opened_after(mark, disk.boot_id(), is_new=not firsts and not synced)
        if after == "machine_crash" and len(firsts) > 1:
            _cut_leftovers(disk, folder, partition, firsts[-2], firsts[-1])
        removed = _remove_headless(disk, folder, firsts)
        if not firsts:
            if synced and not removed:
                raise Corrupt(f"all files of partition {partition} are gone", where=str(folder))
            return _opening(after, synced, 0, removed), None
        end, cut = _recover_last(disk, folder, partition, firsts[-1], synced, after)
    return _opening(after, synced, end.records, cut + removed), end


def tail_fault(data: Buffer, found: Scan, synced: int) -> str:
    """Why the bad place at which a scan of the last segment ended is damage, or '' for a torn tail.

    `synced` is the number of records known to be synced (0 when unknown).
    """
    at = find_record(data, found.position + 1, found.offset + 1)
    while at is not None:
        position, offset = at
        if found.offset < synced:
            return f"{found.fault}, and record {offset} behind it is whole"
        while (walked := scan(data, position, offset, stop=offset + 1)).offset > offset:
            if HEADER.unpack_from(data, position)[4] & FIRST_OF_GROUP:
                return f"{found.fault}, and record {offset} was written after it was synced"
            position, offset = walked.position, walked.offset
        at = find_record(data, position + 1, offset)
    if found.offset < synced and not _is_short(data, found.position):
        return f"{found.fault}, and the record was acknowledged"
    return ""


def _is_short(data: Buffer, position: int) -> bool:
    """Whether the file (but for zeros at its end) is too short to hold the record."""
    rest = data[position:]
    filled = len(rest.rstrip(b"\0"))
    if filled < HEADER_BYTES:
        return True
    length, crc = HEADER.unpack_from(rest)[:2]
    whole_but_for_its_length = crc in (
        google_crc32c.value(rest[8:]),
        google_crc32c.value(rest[8:filled]),
    )
    return filled < HEADER_BYTES + length and not whole_but_for_its_length


def _opening(after: OpenedAfter, synced: int, records: int, cut: int) -> Opening:
    lost = max(0, synced - records)
    return Opening("machine_crash" if lost else after, lost, cut)


def _remove_unfinished(disk: Disk, folder: Path) -> None:
    """A file with these suffixes was never renamed into its place: nobody relies on it."""
    unfinished = [*folder.glob(f"*{NEW_SUFFIX}"), *folder.glob(f"*{ERASING_SUFFIX}")]
    for path in unfinished:
        disk.remove(path)
    if unfinished:
        disk.fsync_dir(folder)


def _remove_headless(disk: Disk, folder: Path, firsts: list[int]) -> int:
    """Remove last segments cut inside their file header; gives their bytes."""
    removed = 0
    while firsts:
        path = segment_path(folder, firsts[-1])
        size = path.stat().st_size
        if size >= FILE_HEADER_BYTES:
            with mapped(path) as data:
                if data[:FILE_HEADER_BYTES].strip(b"\0") or data[:].strip(b"\0"):
                    break
        if len(firsts) == 1 and firsts[0] > 0:
            raise Corrupt("the only file has no header", where=f"{path}+0", hint=VERIFY_HINT)
        disk.remove(path)
        disk.fsync_dir(folder)
        firsts.pop()
        removed += max(size, 1)
    return removed


def _cut_leftovers(disk: Disk, folder: Path, partition: int, first: int, following: int) -> None:
    """Cut what stands in a closed segment behind its last record.

    A writer whose sync failed cuts its segment and goes on in the next; a power loss may undo the
    cut. Those bytes were never acknowledged and may hold personal data.
    """
    path = segment_path(folder, first)
    with mapped(path) as data:
        file_header(data[:FILE_HEADER_BYTES], path, partition, first)
        found = scan(data, FILE_HEADER_BYTES, first, stop=following)
        size = len(data)
    if found.offset != following:
        raise Corrupt(
            found.fault or f"the file ends at record {found.offset}, the next begins {following}",
            where=f"{path}+{found.position}",
            hint=VERIFY_HINT,
        )
    if found.position < size:
        _cut(disk, path, found.position)


def _recover_last(
    disk: Disk, folder: Path, partition: int, first: int, synced: int, after: OpenedAfter
) -> tuple[LogEnd, int]:
    path = segment_path(folder, first)
    with mapped(path) as data:
        header = file_header(data[:FILE_HEADER_BYTES], path, partition, first)
        chain = hashlib.sha256(header.before)
        known = scan(data, FILE_HEADER_BYTES, first, stop=max(synced, first), chain=chain)
        found = known if known.fault else scan(data, *known[:2], chain=chain)
        if found.fault and (damage := tail_fault(data, found, synced)):
            raise Corrupt(damage, where=f"{path}+{found.position}", hint=VERIFY_HINT)
        cut = len(data) - found.position
        unsynced = data[known.position : found.position] if after == "process_crash" else b""
    if cut:
        _cut(disk, path, found.position)
    _sync(disk, path, unsynced, known.position)
    return LogEnd(path, first, header.before, found.position, found.offset, chain), cut


def _cut(disk: Disk, path: Path, size: int) -> None:
    descriptor = disk.open(path, append=False)
    try:
        disk.ftruncate(descriptor, size)
        disk.fdatasync(descriptor)
    finally:
        disk.close(descriptor)


def _sync(disk: Disk, path: Path, unsynced: bytes, position: int) -> None:
    """Make whole records behind `head` durable before they are published.

    The bytes are written once more: if a sync of the dead writer failed, the system counts its
    pages as clean, and a sync alone would succeed without writing them.
    """
    descriptor = disk.open(path, append=False)
    try:
        done = 0
        while done < len(unsynced):
            done += disk.pwrite(descriptor, unsynced[done:], position + done)
        disk.fdatasync(descriptor)
    finally:
        disk.close(descriptor)
