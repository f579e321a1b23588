"""The growing end of a partition: the segment in use, its chain, and what follows a failed write.

One thread at a time. Every method leaves the log at a whole number of synced records or raises
OSError and leaves it there all the same.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from dipper.engine.embedded.log_disk import Counter, Disk, write_all
from dipper.engine.embedded.log_erasure import rewrite_segment
from dipper.engine.embedded.log_folder import NEW_SUFFIX, StopMark, segment_path
from dipper.engine.embedded.log_format import (
    CHAIN_START,
    FILE_HEADER_BYTES,
    Chain,
    FileHeader,
    Group,
    encode_file_header,
)
from dipper.engine.embedded.log_recovery import LogEnd

SMALL_SEGMENT_BYTES = 16 << 20
"""A segment in use below this size is rewritten in place of being closed, to keep files few."""


class Tail:
    """Appends encoded groups. `records` counts what is synced.

    After a failed sync there is no segment in use: its file is cut back, never synced again, and
    the next group begins a new one.
    """

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        partition: int,
        head: Counter,
        segment_bytes: int,
        end: LogEnd | None,
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._partition = partition
        self._head = head
        self._segment_bytes = segment_bytes
        self._descriptor: int | None = None
        self.records = end.records if end else 0
        self._first = end.first if end else 0
        self._before = end.before if end else CHAIN_START
        self._size = end.size if end else 0
        self._chain: Chain = end.chain if end else hashlib.sha256(CHAIN_START)
        if end:
            self._descriptor = disk.open(end.path, append=True)
        else:
            self._begin_segment()
        self._head.store(self.records)

    def put(self, group: Group) -> None:
        """Write, sync and publish a group encoded for offset `records`."""
        if group.offset != self.records:
            raise RuntimeError(f"group for offset {group.offset}, the log is at {self.records}")
        if not group.count:
            return
        if self._descriptor is None or self._is_full(len(group.data)):
            self._begin_segment()
        descriptor = self._descriptor
        assert descriptor is not None
        try:
            write_all(self._disk, descriptor, group.data)
        except OSError:
            self._cut_back(descriptor)
            raise
        try:
            self._disk.fdatasync(descriptor)
        except OSError:
            self._abandon(descriptor)
            raise
        self._size += len(group.data)
        self._chain.update(group.links)
        self.records += group.count
        self._head.store(self.records)

    def settle(self, offsets: list[int]) -> int:
        """Erase the offsets of the segment in use if it is small, else close it.

        Gives the count erased; afterwards all that remains to erase stands in closed segments.
        """
        touched = [offset for offset in offsets if offset >= self._first]
        if not touched:
            return 0
        if self._descriptor is None or self._size > SMALL_SEGMENT_BYTES:
            self._begin_segment()
            return 0
        # From here to the end the name may lead to either file: on failure neither is used again.
        self._disk.close(self._descriptor)
        self._descriptor = None
        path = segment_path(self._folder, self._first)
        count, self._size = rewrite_segment(
            self._disk, path, self._partition, touched, self.records, NEW_SUFFIX
        )
        self._descriptor = self._disk.open(path, append=True)
        return count

    def close(self) -> None:
        """Mark a clean stop, unless a failed write left the last segment in doubt."""
        if self._descriptor is not None:
            mark = StopMark(self._disk.boot_id(), True, self.records, self._chain.digest().hex())
            mark.write(self._disk, self._folder)
        self.release()

    def release(self) -> None:
        """Let go of the file without a mark; nothing is lost, for all is synced."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._disk.close(descriptor)

    def _is_full(self, more: int) -> bool:
        return self._size > FILE_HEADER_BYTES and self._size + more > self._segment_bytes

    def _begin_segment(self) -> None:
        """Start the file that begins with record `records`.

        The header is synced under another name first, so that a segment's name never stands for
        less than a header. A segment without a single record is replaced by its successor.
        """
        is_empty = self.records == self._first
        before = self._before if is_empty else self._chain.digest()
        path = segment_path(self._folder, self.records)
        unfinished = path.with_suffix(NEW_SUFFIX)
        header = encode_file_header(FileHeader(self._partition, self.records, before))
        descriptor = self._write_header(unfinished, header)
        try:
            # Once the name may stand, nothing more may go into the file before it.
            self.release()
            self._disk.rename(unfinished, path)
            self._disk.fsync_dir(self._folder)
        except OSError:
            self._disk.close(descriptor)
            raise
        self._descriptor = descriptor
        self._first, self._before = self.records, before
        self._size = FILE_HEADER_BYTES
        self._chain = hashlib.sha256(before)

    def _write_header(self, path: Path, header: bytes) -> int:
        descriptor = self._disk.open(path, append=True)
        try:
            self._disk.ftruncate(descriptor, 0)
            write_all(self._disk, descriptor, header)
            self._disk.fdatasync(descriptor)
        except OSError:
            self._disk.close(descriptor)
            self._disk.remove(path)
            raise
        return descriptor

    def _cut_back(self, descriptor: int) -> None:
        """Take back a write that failed before its sync."""
        try:
            self._disk.ftruncate(descriptor, self._size)
        except OSError:
            self._abandon(descriptor)

    def _abandon(self, descriptor: int) -> None:
        """Leave the segment for good: after a failed sync nobody knows what the disk holds.

        If even the cut fails, the next segment's first offset bounds this one for every reader.
        """
        self._descriptor = None
        self._disk.close(descriptor)
        try:
            again = self._disk.open(segment_path(self._folder, self._first), append=False)
        except OSError:
            return
        try:
            self._disk.ftruncate(again, self._size)
        except OSError:
            return
        finally:
            self._disk.close(again)
