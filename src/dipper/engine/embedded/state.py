"""The subject state on LMDB: point reads for any process, one writer process.

Nothing here is synced: the log is this store's write-ahead log. A crash of processes leaves the
pages whole, because the system goes on holding them; a crash of the machine may leave them
silently wrong, so `claim` compares the boot id and throws the state away when the machine went
down without a clean stop. `writemap` is never used: it cost nine tenths of the throughput.

The files of one generation stand in a folder of their own. `compact` writes the next generation
and then moves the number in `current`, which every process maps and looks at before each read, so
that a reader never stays on pages that an erasure has left behind.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import shutil
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import lmdb

from dipper.engine.ports import Changes
from dipper.kit.errors import Conflict, Unavailable

MAP_SIZE = 16 << 30
READERS_MAX = 510
GROW_WAIT_S = 30.0

# What each holds: docs/internals/ARCHITECTURE.md. All exist from the first opening on, so that a
# reader never meets a table that was made after its own transaction began.
TABLES = ("ids", "segments", "touched", "timers", "decisions", "erased", "lifted", "meta")

_CLEAN = "clean"
_POSITIONS = "positions"
_PARTITION = struct.Struct(">I")
_NUMBER = struct.Struct("<Q")


class LmdbReader:
    """Implements `engine.ports.StateReader` over one read transaction."""

    __slots__ = ("_tables", "_transaction")

    def __init__(self, transaction: lmdb.Transaction, tables: Mapping[str, object]) -> None:
        self._transaction = transaction
        self._tables = tables

    def get(self, table: str, key: bytes) -> bytes | None:
        """The value, or None."""
        value = self._transaction.get(key, None, self._tables[table])
        return None if value is None else bytes(value)

    def view(self, table: str, key: bytes) -> memoryview | None:
        """The value where it lies in the map, or None; gone with the transaction."""
        value: memoryview | None = self._transaction.get(key, None, self._tables[table])
        return value

    def scan(
        self, table: str, start: bytes = b"", end: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with start <= key < end in key order."""
        cursor = self._transaction.cursor(db=self._tables[table])
        if not (cursor.set_range(start) if start else cursor.first()):
            return
        for key_view, value in cursor:
            key = bytes(key_view)
            if end is not None and key >= end:
                return
            yield key, bytes(value)

    def positions(self) -> dict[int, int]:
        """partition -> offset of the next record to project."""
        return {
            _PARTITION.unpack(key)[0]: _NUMBER.unpack(value)[0]
            for key, value in self.scan(_POSITIONS)
        }


class _Store(NamedTuple):
    """One generation, open in this process."""

    number: int
    environment: lmdb.Environment
    tables: Mapping[str, object]


class EmbeddedState:
    """Implements `engine.ports.SubjectState`. Threads of a process may share one instance."""

    def __init__(self, folder: Path, map_size: int = MAP_SIZE) -> None:
        self._folder = folder
        self._map_size = map_size
        self._active: set[object] = set()
        self._held = threading.Event()
        self._turn = threading.RLock()
        self._claim: int | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._current = _map_number(folder / "current")
        self._store = self._open()

    # --- reading ----------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[LmdbReader]:
        """A consistent view. Hold it for one request: a held view keeps old pages alive."""
        token = object()
        transaction, tables = self._begin(token)
        try:
            with transaction:
                yield LmdbReader(transaction, tables)
        finally:
            self._active.discard(token)

    def _begin(self, token: object) -> tuple[lmdb.Transaction, Mapping[str, object]]:
        """Register a reader and begin its view, after any change of the map has ended.

        A set's add and discard are atomic, so a reader that registers either sees the hold or
        is seen by the thread that holds.
        """
        while True:
            self._active.add(token)
            store = self._store
            if not self._held.is_set() and _NUMBER.unpack_from(self._current)[0] == store.number:
                try:
                    return store.environment.begin(buffers=True), store.tables
                except lmdb.MapResizedError:
                    self._active.discard(token)
                    with self._turn:
                        self._resize(0)
                    continue
            self._active.discard(token)
            with self._turn:
                if _NUMBER.unpack_from(self._current)[0] != self._store.number:
                    self._store = self._open()

    # --- writing ----------------------------------------------------------------------------

    def claim(self) -> bool:
        """Become the writer process; true when a lost machine made the old state worthless.

        Call once at start. Raises Conflict when another process is the writer.
        """
        handle = os.open(self._folder / "writer.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise Conflict(
                "another process writes the subject state",
                where=str(self._folder),
                hint="Stop the other worker first.",
            ) from error
        self._claim = handle
        boot = self._folder / "boot"
        now = _boot_id()
        lost = boot.exists() and boot.read_text() not in (now, _CLEAN)
        if lost:
            self.clear()
        # Durable before the first write, so that a lost machine is always seen to be lost.
        _write_durably(boot, now)
        return lost

    def write(self, changes: Changes, positions: Mapping[int, int]) -> None:
        """Apply all changes and the positions reached in one transaction."""
        reached = [
            (_PARTITION.pack(partition), _NUMBER.pack(offset))
            for partition, offset in sorted(positions.items())
        ]
        with self._turn:
            while True:
                environment, tables = self._store.environment, self._store.tables
                try:
                    with environment.begin(write=True) as transaction:
                        for table, rows in changes.items():
                            _apply(transaction, tables[table], rows)
                        if reached:
                            transaction.cursor(db=tables[_POSITIONS]).putmulti(reached)
                    return
                except lmdb.MapFullError:
                    self._resize(2 * environment.info()["map_size"])
                except lmdb.MapResizedError:
                    self._resize(0)

    def _resize(self, size: int) -> None:
        """Change the map while no other thread of this process reads."""
        self._held.set()
        try:
            pause = threading.Event()
            for _ in range(int(GROW_WAIT_S * 1_000)):
                if not self._active:
                    break
                pause.wait(0.001)
            else:
                raise Unavailable(
                    f"readers held the subject state for {GROW_WAIT_S:g} s while it had to grow",
                    where=str(self._folder),
                    hint="Keep a read no longer than one request.",
                )
            self._store.environment.set_mapsize(size)
        finally:
            self._held.clear()

    # --- maintenance ------------------------------------------------------------------------

    def dump_digest(self) -> str:
        """SHA-256 over all tables, keys and values in order, and the positions."""
        total = hashlib.sha256()
        with self.read() as reader:
            for table in sorted(TABLES):
                total.update(_framed(table.encode()))
                for key, value in reader.scan(table):
                    total.update(_framed(key))
                    total.update(_framed(value))
            total.update(repr(sorted(reader.positions().items())).encode())
        return total.hexdigest()

    def compact(self) -> None:
        """Rewrite the store so that no deleted value remains, in free pages or in used ones.

        LMDB's own compact copy takes pages as they are, with what was deleted in their gaps; so
        every pair is written anew into zeroed pages.
        """
        self._replace(self._rewrite)

    def clear(self) -> None:
        """Forget everything (before a rebuild)."""
        self._replace(_leave_empty)

    def snapshot(self, folder: Path) -> None:
        """A synced compact copy with its positions, in a folder that does not exist yet."""
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self._copy(partial)
        _sync(partial / "data.mdb")
        _sync(partial)
        partial.rename(folder)
        _sync(folder.parent)

    def restore(self, folder: Path) -> None:
        """Go on from a snapshot, forgetting everything else."""

        def fill(target: Path) -> None:
            shutil.copy(folder / "data.mdb", target / "data.mdb")

        self._replace(fill)

    def size_bytes(self) -> int:
        """Bytes of the file that pages occupy (free pages included)."""
        environment = self._store.environment
        return int((environment.info()["last_pgno"] + 1) * environment.stat()["psize"])

    def close(self) -> None:
        """Close; the writer also marks the stop as clean after syncing what it wrote."""
        if self._claim is not None:
            self._store.environment.sync(True)
            _write_durably(self._folder / "boot", _CLEAN)
            os.close(self._claim)
            self._claim = None
        self._store.environment.close()
        self._current.close()

    def _copy(self, folder: Path) -> None:
        with self._turn:
            self._store.environment.copy(str(folder), compact=True)

    def _rewrite(self, folder: Path) -> None:
        names = (*TABLES, _POSITIONS)
        target = lmdb.open(
            str(folder), map_size=self._map_size, max_dbs=len(names), sync=False, meminit=True
        )
        with self._store.environment.begin() as source:
            for name in names:
                table = target.open_db(name.encode())
                with target.begin(write=True, db=table) as sink:
                    cursor = source.cursor(self._store.tables[name])
                    sink.cursor().putmulti(cursor.iternext(), append=True)
        target.sync(True)
        target.close()

    def _replace(self, fill: Callable[[Path], None]) -> None:
        """Write the next generation, point every process at it, remove the one before."""
        with self._turn:
            number = self._store.number + 1
            folder = self._folder / f"g{number}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            old = self._folder / f"g{self._store.number}"
            _NUMBER.pack_into(self._current, 0, number)
            self._current.flush()
            self._store = self._open()
            shutil.rmtree(old, ignore_errors=True)

    def _open(self) -> _Store:
        """Open the current generation. The old environment closes with its last reader."""
        while True:
            number = _NUMBER.unpack_from(self._current)[0]
            environment = lmdb.open(
                str(self._folder / f"g{number}"),
                map_size=self._map_size,
                max_dbs=len(TABLES) + 1,
                max_readers=READERS_MAX,
                sync=False,
                meminit=False,
            )
            if _NUMBER.unpack_from(self._current)[0] == number:
                break
        environment.reader_check()
        tables = {name: environment.open_db(name.encode()) for name in (*TABLES, _POSITIONS)}
        return _Store(number, environment, tables)


def _apply(
    transaction: lmdb.Transaction, handle: object, rows: Mapping[bytes, bytes | None]
) -> None:
    """Put and delete in key order, which touches each page of the tree once."""
    cursor = transaction.cursor(db=handle)
    puts = []
    for key in sorted(rows):
        value = rows[key]
        if value is None:
            if cursor.set_key(key):
                cursor.delete()
        else:
            puts.append((key, value))
    if puts:
        cursor.putmulti(puts)


def _leave_empty(folder: Path) -> None:
    """A generation without anything in it."""


def _map_number(path: Path) -> mmap.mmap:
    """The shared number of the current generation, mapped for reading and writing."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if os.fstat(handle).st_size < _NUMBER.size:
            os.ftruncate(handle, _NUMBER.size)
        return mmap.mmap(handle, _NUMBER.size)
    finally:
        os.close(handle)


def _framed(data: bytes) -> bytes:
    return _NUMBER.pack(len(data)) + data


def _write_durably(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    _sync(partial)
    partial.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _boot_id() -> str:
    """What names this run of the machine; Linux says it, elsewhere the time of the boot does."""
    linux = Path("/proc/sys/kernel/random/boot_id")
    if linux.exists():
        return linux.read_text().strip()
    import subprocess

    return subprocess.run(
        ["sysctl", "-n", "kern.boottime"], capture_output=True, text=True, check=True
    ).stdout.strip()
