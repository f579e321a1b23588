"""Reads synced records of any partition, from any process, while its writer appends.

The counter `head` bounds what is read. A segment's name may lead to another file after an
erasure, so each read compares the folder's inodes with those it holds open. Where records stand in
a file is remembered sparsely: a read begins at the nearest place known and steps from header to
header.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from dipper.engine.embedded.log_disk import COUNTER_BYTES, Counter
from dipper.engine.embedded.log_folder import (
    HEAD,
    VERIFY_HINT,
    file_header,
    segment_inodes,
    segment_path,
)
from dipper.engine.embedded.log_format import (
    ERASED,
    FILE_HEADER_BYTES,
    FLAGS_KNOWN,
    HEADER,
    HEADER_BYTES,
    KIND_MAX,
    RECORD_OVERHEAD_BYTES,
    VERSION,
    header_fault,
)
from dipper.engine.ports import Record
from dipper.engine.record import RecordKind
from dipper.kit.errors import BadInput, Corrupt, NotFound

_MARK_SPACING_BYTES = 64 << 10
_CHUNK_BYTES_MIN = 16 << 10
_CHUNK_BYTES_MAX = 4 << 20
_OPEN_FILES_MAX = 32
_FOLDER_CLOCK_NS = 50_000_000
"""A folder changed less than this ago may change again under the same time stamp."""

_KINDS = (RecordKind.EVENT, *RecordKind)  # by the kind byte; 0 never occurs


class _Segment:
    """One open file and the places known in it: record `offsets[i]` stands at `positions[i]`."""

    def __init__(self, path: Path, partition: int, first: int) -> None:
        self.path = path
        self.partition = partition
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        file_header(os.pread(self.descriptor, FILE_HEADER_BYTES, 0), path, partition, first)
        self._offsets = [first]
        self._positions = [FILE_HEADER_BYTES]
        self._next = (first, FILE_HEADER_BYTES)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        # A reader may be made for one question and dropped; its files go with it.
        self.close()

    def records(self, start: int, stop: int, limit: int) -> list[Record]:
        """Records from `start`, before `stop`, up to `limit` or about one chunk. Raises Corrupt."""
        position = self._find(start, stop)
        chunk = min(_CHUNK_BYTES_MAX, max(_CHUNK_BYTES_MIN, limit * 1024))
        found, end = self._parse(position, start, min(stop, start + limit), chunk)
        self._mark(start, position)
        self._next = (start + len(found), end)
        return found

    def _find(self, offset: int, stop: int) -> int:
        """The position of a record that stands in this segment."""
        if self._next[0] == offset:
            return self._next[1]
        at = bisect_right(self._offsets, offset) - 1
        here, position = self._offsets[at], self._positions[at]
        unpack = HEADER.unpack_from
        while here < offset:
            data = os.pread(self.descriptor, _MARK_SPACING_BYTES, position)
            begin, inside = here, 0
            while here < offset and inside + HEADER_BYTES <= len(data):
                header = unpack(data, inside)
                if header[6] != here:
                    raise self._corrupt(here, position + inside, "header is damaged")
                inside += HEADER_BYTES + header[0]
                here += 1
            if here == begin:
                raise self._corrupt(here, position, f"the file ends, {stop} records are synced")
            position += inside
            self._mark(here, position)
        return position

    def _mark(self, offset: int, position: int) -> None:
        """Remember a place, unless one nearby is known."""
        at = bisect_right(self._offsets, offset)
        if position - self._positions[at - 1] >= _MARK_SPACING_BYTES:
            self._offsets.insert(at, offset)
            self._positions.insert(at, position)

    def _parse(self, position: int, offset: int, stop: int, chunk: int) -> tuple[list[Record], int]:
        """The whole records of one chunk of the file (a larger chunk if the first needs it)."""
        data = os.pread(self.descriptor, chunk, position)
        size = len(data)
        if size == chunk and (need := HEADER_BYTES + HEADER.unpack_from(data)[0]) > size:
            if position + need > os.fstat(self.descriptor).st_size:
                raise self._corrupt(offset, position, "the file ends inside the record")
            return self._parse(position, offset, stop, need)
        # NamedTuple's own constructor is a Python function; this loop is the speed of a replay.
        new, unpack, crc32c, kinds = tuple.__new__, HEADER.unpack_from, google_crc32c.value, _KINDS
        partition = self.partition
        found: list[Record] = []
        add, at = found.append, 0
        while offset < stop and at + HEADER_BYTES <= size:
            length, crc, version, kind, flags, zero, says, received_us, _ = unpack(data, at)
            end = at + HEADER_BYTES + length
            if end > size:
                break
            if crc32c(data[at + 8 : end]) != crc:
                raise self._corrupt(offset, position + at, "checksum does not match")
            if (
                says != offset
                or version != VERSION
                or zero
                or flags > FLAGS_KNOWN
                or not 0 < kind <= KIND_MAX
            ):
                fault = header_fault(length, version, kind, flags, zero, says, offset)
                raise self._corrupt(offset, position + at, fault)
            payload = data[at + RECORD_OVERHEAD_BYTES : end]
            erased = flags & ERASED != 0
            add(new(Record, (partition, offset, kinds[kind], received_us, payload, erased)))
            at = end
            offset += 1
        if not found:
            raise self._corrupt(offset, position, "the file ends before a synced record")
        return found, position + at

    def _corrupt(self, offset: int, position: int, what: str) -> Corrupt:
        return Corrupt(
            f"record {offset}: {what}", where=f"{self.path}+{position}", hint=VERIFY_HINT
        )


class _Partition:
    """What a reader holds open of one partition."""

    def __init__(self, folder: Path, partition: int) -> None:
        self._folder = folder
        self._partition = partition
        self._head: Counter | None = None
        self._inodes: dict[int, int] = {}
        self._firsts: list[int] = []
        self._segments: dict[int, _Segment] = {}
        self._folder_ns = -1
        self._listed_ns = 0
        self.lock = threading.Lock()

    def end(self) -> int:
        if self._head is None:
            path = self._folder / HEAD
            if not path.exists() or path.stat().st_size < COUNTER_BYTES:
                return 0
            self._head = Counter(path, writable=False)
        return self._head.load()

    def records(self, start: int, limit: int) -> list[Record]:
        """Some records from `start`; none when all synced ones were read."""
        end = self.end()
        if start >= end or limit <= 0:
            return []
        self._refresh()
        at = bisect_right(self._firsts, start) - 1
        if at < 0:
            raise NotFound(
                f"record {start} is not in the log",
                where=str(self._folder),
                hint=f"It begins at {self._firsts[0]}." if self._firsts else "It has no files.",
            )
        stop = min(end, self._firsts[at + 1]) if at + 1 < len(self._firsts) else end
        return self._segment(self._firsts[at]).records(start, stop, limit)

    def close(self) -> None:
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        if self._head is not None:
            self._head.close()
            self._head = None

    def _segment(self, first: int) -> _Segment:
        segment = self._segments.get(first)
        if segment is None:
            if len(self._segments) >= _OPEN_FILES_MAX:
                self._segments.pop(next(iter(self._segments))).close()
            segment = _Segment(segment_path(self._folder, first), self._partition, first)
            self._segments[first] = segment
        return segment

    def _refresh(self) -> None:
        """List the folder again if it changed, and let go of files that were replaced."""
        changed_ns = os.stat(self._folder).st_mtime_ns
        if changed_ns == self._folder_ns and self._listed_ns - changed_ns > _FOLDER_CLOCK_NS:
            return
        self._folder_ns, self._listed_ns = changed_ns, time.time_ns()
        inodes = segment_inodes(self._folder)
        for first in [f for f in self._segments if inodes.get(f) != self._inodes.get(f)]:
            self._segments.pop(first).close()
        self._inodes, self._firsts = inodes, list(inodes)


class EmbeddedLogReader:
    """Reads the log in `folder`; may be shared by threads."""

    def __init__(self, folder: Path, partitions: int) -> None:
        self._partitions = [_Partition(folder / f"p{k}", k) for k in range(partitions)]

    def __enter__(self) -> EmbeddedLogReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def partitions(self) -> int:
        """How many partitions the log has."""
        return len(self._partitions)

    def end(self, partition: int) -> int:
        """The number of synced records of the partition."""
        part = self._part(partition)
        with part.lock:
            return part.end()

    def read(self, partition: int, start: int, limit: int) -> list[Record]:
        """At most `limit` synced records from offset `start`.

        Raises NotFound when the log begins later, Corrupt when stored bytes are not what was
        written.
        """
        part = self._part(partition)
        found: list[Record] = []
        with part.lock:
            while more := part.records(start + len(found), limit - len(found)):
                found += more
        return found

    def read_batches(self, partition: int, start: int) -> Iterator[list[Record]]:
        """All synced records from `start`, in lists of about 4 MiB, until none is left."""
        part = self._part(partition)
        while True:
            with part.lock:
                batch = part.records(start, _CHUNK_BYTES_MAX)
            if not batch:
                return
            yield batch
            start += len(batch)

    def close(self) -> None:
        """Let go of all files; a later read opens them again."""
        for part in self._partitions:
            with part.lock:
                part.close()

    def _part(self, partition: int) -> _Partition:
        if not 0 <= partition < len(self._partitions):
            raise BadInput(
                f"no partition {partition}", hint=f"The log has {len(self._partitions)}."
            )
        return self._partitions[partition]
