"""The only writer of a partition: group commit in a thread of its own.

One sync is in flight; all that was queued meanwhile goes into the next, so no timer is needed and
a lone append waits for one sync only. Whoever appends gets a future and learns the offset once the
record is on disk, or Unavailable when it is not and never will be. The thread shares the
interpreter: a process that serves requests should lower `sys.setswitchinterval`.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from dipper.engine.embedded.log_disk import Disk
from dipper.engine.embedded.log_erasure import erase_closed
from dipper.engine.embedded.log_folder import (
    HEAD,
    WRITER_LOCK,
    StopMark,
    make_folder,
    take_lock,
)
from dipper.engine.embedded.log_format import RECORD_OVERHEAD_BYTES, SALT_BYTES, encode_group
from dipper.engine.embedded.log_recovery import recover
from dipper.engine.embedded.log_reserve import RESERVE_BYTES, Reserve
from dipper.engine.embedded.log_tail import Tail
from dipper.engine.ports import Entry, Position
from dipper.kit.errors import BadInput, TooLarge, Unavailable
from dipper.kit.limits import RECORD_PAYLOAD_MAX

SEGMENT_BYTES = 256 << 20
_GROUP_BYTES_MAX = 16 << 20
_BULK_BYTES = 4 << 20
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class _Append:
    entries: Sequence[Entry]
    received_us: int
    size: int
    from_reserve: bool
    future: Future[int] = field(default_factory=Future)


@dataclass(slots=True)
class _Task:
    """Something to do between two groups."""

    run: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)


class EmbeddedLogWriter:
    """Appends to the partition in `folder` (made if missing).

    Opening recovers the log; `opening` says what was found. Raises Conflict when another writer
    holds the partition, Corrupt when the log is damaged, Unavailable when the disk refuses.
    """

    def __init__(
        self,
        folder: Path,
        partition: int,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
        disk: Disk | None = None,
        random: Callable[[int], bytes] = os.urandom,
        on_close: Callable[[], object] = lambda: None,
    ) -> None:
        self.partition = partition
        self._folder = folder
        self._disk = disk or Disk()
        self._random = random
        self._on_close = on_close
        self._queue: SimpleQueue[_Append | _Task | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._open(segment_bytes, reserve_bytes)
        self._syncs = ThreadPoolExecutor(1, f"log-sync-{partition}")
        self._erasures = ThreadPoolExecutor(1, f"log-erase-{partition}")
        # A daemon: a process that ends without closing has crashed, and the log says so.
        self._thread = threading.Thread(
            target=self._run, name=f"log-writer-{partition}", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> EmbeddedLogWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def records(self) -> int:
        """The number of synced records."""
        return self._tail.records

    @property
    def reserve_held(self) -> int:
        """Bytes still kept for decision traces; below the whole, other appends are refused."""
        return self._reserve.held

    def append(
        self, entries: Sequence[Entry], received_us: int, *, reserve: bool = False
    ) -> Future[int]:
        """Queue entries; the future gives the offset of the first once all are on disk.

        The entries stay together and in order. With `reserve` they may use the room kept for
        decision traces when the disk is full. Raises TooLarge at once for a payload above
        RECORD_PAYLOAD_MAX, and Unavailable in the future when they could not be made durable.
        """
        sizes = [len(payload) for _, payload in entries]
        self._check_sizes(sizes)
        return self._submit(_Append(entries, received_us, sum(sizes), reserve))

    def append_now(self, entries: Sequence[Entry], received_us: int) -> int:
        """Append many entries and wait; gives the offset of the first. For bulk imports.

        Encodes one chunk while the one before is synced. When it raises Unavailable, some first
        part of the entries may be in the log, as after a crash.
        """
        self._check_sizes([len(payload) for _, payload in entries])
        task = _Task(lambda: self._bulk(entries, received_us))
        return int(self._submit(task).result())

    def erase(self, positions: Sequence[Position]) -> Future[int]:
        """Remove payload and salt of the records; the future gives how many lost them now.

        Closed segments are rewritten beside the running appends; the segment in use is rewritten
        between two groups when it is small and closed first when it is not. Raises BadInput for a
        position that this log does not have; repeating a call that failed is safe.
        """
        offsets = sorted({position.offset for position in positions})
        for position in positions:
            if position.partition != self.partition or not 0 <= position.offset < self.records:
                raise BadInput(
                    f"no record {tuple(position)}",
                    where=f"partition {self.partition}",
                    hint=f"It has {self.records} records.",
                )
        with self._gate:
            if not self._closed:
                return self._erasures.submit(self._erase, offsets)
        return _failed(self._closed_error())

    def close(self) -> None:
        """Write what is queued, mark the stop as clean and release the partition.

        Raises Unavailable when the mark could not be written; all else is done even then.
        """
        with self._gate:
            if self._closed:
                return
            self._closed = True
        self._on_close()
        self._erasures.shutdown()
        self._queue.put(None)
        self._thread.join()
        self._syncs.shutdown()
        try:
            self._tail.close()
        except OSError as error:
            raise self._unavailable(error) from error
        finally:
            self._release()

    def _open(self, segment_bytes: int, reserve_bytes: int) -> None:
        folder, disk = self._folder, self._disk
        with ExitStack() as held:
            try:
                make_folder(disk, folder)
            except OSError as error:
                raise self._unavailable(error) from error
            lock = take_lock(folder / WRITER_LOCK, self.partition, "the writer")
            held.callback(os.close, lock)
            try:
                self._reserve = Reserve(disk, folder, reserve_bytes)
                held.callback(self._reserve.close)
                head = disk.counter(folder / HEAD)
                held.callback(head.close)
                self.opening, end = recover(disk, folder, self.partition, head.load())
                StopMark(disk.boot_id(), False, 0, "").write(disk, folder)
                self._tail = Tail(disk, folder, self.partition, head, segment_bytes, end)
                held.callback(self._tail.release)
                disk.fsync_dir(folder)
            except OSError as error:
                raise self._unavailable(error) from error
            self._release = held.pop_all().close

    def _check_sizes(self, sizes: list[int]) -> None:
        if sizes and max(sizes) > RECORD_PAYLOAD_MAX:
            raise TooLarge(
                f"a record may have {RECORD_PAYLOAD_MAX} bytes of payload, got {max(sizes)}",
                where=f"partition {self.partition}",
            )

    def _submit(self, item: _Append | _Task) -> Future[Any]:
        with self._gate:
            if not self._closed:
                self._queue.put(item)
                return item.future
        return _failed(self._closed_error())

    def _run(self) -> None:
        """The writer's thread: groups of appends, and tasks between them, in order of arrival."""
        item = self._queue.get()
        while item is not None:
            if isinstance(item, _Task):
                _do(item)
                item = self._queue.get()
                continue
            jobs, size = [item], item.size
            item = self._waiting()
            while isinstance(item, _Append) and size < _GROUP_BYTES_MAX:
                jobs.append(item)
                size += item.size
                item = self._waiting()
            self._commit([job for job in jobs if job.future.set_running_or_notify_cancel()])
            if item is _NOTHING:
                item = self._queue.get()

    def _waiting(self) -> _Append | _Task | None:
        """What waits in the queue, or _NOTHING."""
        try:
            return self._queue.get_nowait()
        except Empty:
            return _NOTHING

    def _commit(self, jobs: list[_Append]) -> None:
        """Put the appends on disk as one group and tell each its fate."""
        try:
            self._put_or_refuse(jobs)
        except Exception as error:
            # A fault of ours must reach those who wait; the thread serves the next.
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)

    def _put_or_refuse(self, jobs: list[_Append]) -> None:
        try:
            self._require_room()
            self._put(jobs)
        except OSError as error:
            is_full = error.errno in _DISK_FULL
            self._fail([job for job in jobs if not (is_full and job.from_reserve)], error)
            self._put_from_reserve([job for job in jobs if is_full and job.from_reserve])

    def _put(self, jobs: list[_Append]) -> None:
        offset = self._tail.records
        count = sum(len(job.entries) for job in jobs)
        group = encode_group(
            ((job.entries, job.received_us) for job in jobs),
            offset,
            self._random(SALT_BYTES * count),
        )
        self._tail.put(group)
        for job in jobs:
            job.future.set_result(offset)
            offset += len(job.entries)

    def _put_from_reserve(self, jobs: list[_Append]) -> None:
        """Write appends that may use the reserve, giving up as much of it as they need."""
        need = sum(job.size + RECORD_OVERHEAD_BYTES * len(job.entries) for job in jobs)
        while jobs:
            try:
                self._put(jobs)
                return
            except OSError as error:
                if error.errno not in _DISK_FULL or not self._reserve.release(need):
                    self._fail(jobs, error)
                    return

    def _require_room(self) -> None:
        """While the reserve is not whole again the disk counts as full. Raises OSError."""
        if not self._reserve.restore():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _bulk(self, entries: Sequence[Entry], received_us: int) -> int:
        """Encode a chunk while the one before is written and synced by another thread."""
        first = offset = self._tail.records
        syncing: Future[None] | None = None
        try:
            self._require_room()
            for chunk in _chunks(entries):
                salts = self._random(SALT_BYTES * len(chunk))
                group = encode_group([(chunk, received_us)], offset, salts)
                if syncing is not None:
                    syncing.result()
                syncing = self._syncs.submit(self._tail.put, group)
                offset += len(chunk)
            if syncing is not None:
                syncing.result()
        except OSError as error:
            raise self._unavailable(error) from error
        finally:
            if syncing is not None:
                wait([syncing])
        return first

    def _erase(self, offsets: list[int]) -> int:
        settle = _Task(lambda: self._tail.settle(offsets))
        self._queue.put(settle)
        try:
            return int(settle.future.result()) + erase_closed(
                self._disk, self._folder, self.partition, offsets
            )
        except OSError as error:
            raise self._unavailable(error) from error

    def _fail(self, jobs: list[_Append], error: OSError) -> None:
        for job in jobs:
            job.future.set_exception(self._unavailable(error))

    def _unavailable(self, error: OSError) -> Unavailable:
        hint = "Nothing of it was acknowledged: try again."
        if error.errno in _DISK_FULL:
            hint = "Free room on the disk: appends go on by themselves."
        return Unavailable(
            f"the log cannot write: {error.strerror or error}", where=str(self._folder), hint=hint
        )

    def _closed_error(self) -> Unavailable:
        return Unavailable("the log is closed", where=str(self._folder))


_NOTHING = _Task(lambda: None)


def _do(task: _Task) -> None:
    if not task.future.set_running_or_notify_cancel():
        return
    try:
        task.future.set_result(task.run())
    except BaseException as error:
        task.future.set_exception(error)


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _chunks(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Runs of entries of about _BULK_BYTES of payload."""
    start = size = 0
    for index, (_, payload) in enumerate(entries, 1):
        size += len(payload)
        if size >= _BULK_BYTES:
            yield entries[start:index]
            start, size = index, 0
    if start < len(entries):
        yield entries[start:]
