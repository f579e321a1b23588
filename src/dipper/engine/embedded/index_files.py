"""The index of a partition's events on disk: sorted runs, and a checkpoint that names them.

A projection of the log and no more: everything here can be thrown away and comes again from the
log. So a file that is missing, damaged, of another version or of another key is no error: nothing
is known then, and the folder is emptied. Only the writer of the partition may use it.

A checkpoint is one small file, replaced by renaming; what it does not name is not there. It says up
to which record of the log the runs reach. Runs of like size are merged as they come, so that there
are few, and an entry is written again no more often than the logarithm of their number.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import msgspec
import numpy as np

from dipper.engine.embedded.log_disk import Disk, write_all
from dipper.engine.embedded.log_folder import make_folder
from dipper.engine.sorted_run import NO_PAIRS, Parts, SortedRun, directory, holds, merged, without
from dipper.kit.errors import Unavailable

VERSION = 1
MERGED_MAX = 1 << 23
"""Runs are not merged into more entries than these (128 MiB): a save takes no longer than that."""

_CHECKPOINT = "checkpoint"
_RUN_SUFFIX = ".run"
_NEW_SUFFIX = ".new"
_CRC = struct.Struct("<I")


class Mark(NamedTuple):
    """How far the log is covered: `offset` records; the last was received at `received_us`."""

    offset: int = 0
    received_us: int = 0


class _Named(msgspec.Struct, frozen=True):
    file: str
    pairs: int
    days: int
    crc: int


class _Checkpoint(msgspec.Struct, frozen=True):
    version: int
    key: str
    mark: Mark
    runs: list[_Named]
    controls: list[str]


@dataclass(frozen=True)
class Kept:
    """What a checkpoint knows. `controls` are payloads of control records, in order."""

    mark: Mark
    runs: Sequence[SortedRun]
    controls: Sequence[str]


class IndexFiles:
    """The files in `folder` (made when something is saved).

    `key_check` is a text that differs where fingerprints are hashed with another key.
    """

    def __init__(self, folder: Path, key_check: str, *, disk: Disk | None = None) -> None:
        self._folder = folder
        self._key = key_check
        self._disk = disk or Disk()
        self._held: list[tuple[_Named, SortedRun]] = []
        self._mark = Mark()
        self._controls: Sequence[str] = ()

    @property
    def runs(self) -> list[SortedRun]:
        """The runs that the checkpoint names, oldest first."""
        return [run for _, run in self._held]

    def read(self) -> Kept:
        """What is known; an empty Kept when nothing is, or not all of it can be trusted."""
        found = self._checkpoint()
        held = [self._run(named) for named in found.runs] if found is not None else []
        if found is None or not all(held):
            self.clear()
            return Kept(Mark(), [], [])
        self._held = [pair for pair in held if pair is not None]
        self._mark, self._controls = found.mark, found.controls
        self._tidy()
        return Kept(found.mark, self.runs, found.controls)

    def save(self, added: SortedRun, mark: Mark, controls: Sequence[str]) -> list[SortedRun]:
        """Add a run and make it durable together with the mark; gives all runs.

        Raises Unavailable when the disk refuses; then the checkpoint before stands.
        """
        try:
            return self._save(added, mark, controls)
        except OSError as error:
            raise self._unavailable(error) from error

    def drop(self, gone: Mapping[int, Collection[int]]) -> list[SortedRun]:
        """Rewrite the runs that hold one of these fingerprints (by day) without them; gives all.

        Raises Unavailable when the disk refuses; then everything stands as before.
        """
        try:
            return self._drop(gone)
        except OSError as error:
            raise self._unavailable(error) from error

    def clear(self) -> None:
        """Forget everything."""
        self._held, self._mark, self._controls = [], Mark(), ()
        (self._folder / _CHECKPOINT).unlink(missing_ok=True)
        self._tidy()

    def _save(self, added: SortedRun, mark: Mark, controls: Sequence[str]) -> list[SortedRun]:
        held, joined, total = list(self._held), [], len(added)
        while total and held and len(held[-1][1]) <= 2 * total:
            if total + len(held[-1][1]) > MERGED_MAX:
                break
            joined.insert(0, held.pop()[1])
            total += len(joined[0])
        if total:
            held.append(self._write(merged([*joined, added])))
        return self._commit(held, mark, controls)

    def _drop(self, gone: Mapping[int, Collection[int]]) -> list[SortedRun]:
        if not any(holds(run, gone) for run in self.runs):
            return self.runs
        held = [
            self._write(without(run, gone)) if holds(run, gone) else (named, run)
            for named, run in self._held
        ]
        held = [(named, run) for named, run in held if len(run)]
        return self._commit(held, self._mark, self._controls)

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(
            f"the index cannot be written: {error.strerror or error}", where=str(self._folder)
        )

    def _checkpoint(self) -> _Checkpoint | None:
        path = self._folder / _CHECKPOINT
        raw = path.read_bytes() if path.is_file() else b""
        crc, text = raw[: _CRC.size], raw[_CRC.size :]
        if crc != _CRC.pack(google_crc32c.value(text)):
            return None
        found = msgspec.json.decode(text)
        if (found["version"], found["key"]) != (VERSION, self._key):
            return None
        return msgspec.convert(found, _Checkpoint)

    def _run(self, named: _Named) -> tuple[_Named, SortedRun] | None:
        """A run as its file holds it, checked to the last byte; None when it is not that."""
        path = self._folder / named.file
        size = 16 * (named.pairs + named.days)
        if not path.is_file() or path.stat().st_size != size:
            return None
        rows = _mapped(path)
        if google_crc32c.value(rows) != named.crc:
            return None
        return named, SortedRun(directory(rows[named.pairs :].tolist()), rows[: named.pairs])

    def _write(self, parts: Parts) -> tuple[_Named, SortedRun]:
        """Write a run beside the others: pairs day by day, then the length of each day."""
        make_folder(self._disk, self._folder)
        name = f"{self._next():08d}{_RUN_SUFFIX}"
        descriptor = self._disk.open(self._folder / name, append=True)
        lengths, crc = [], 0
        try:
            self._disk.ftruncate(descriptor, 0)
            for day, pairs in parts:
                data = pairs.astype("<i8", copy=False).tobytes()
                write_all(self._disk, descriptor, data)
                crc = google_crc32c.extend(crc, data)
                lengths.append((day, len(pairs)))
            tail = np.array(lengths, "<i8").tobytes()
            write_all(self._disk, descriptor, tail)
            self._disk.fdatasync(descriptor)
        finally:
            self._disk.close(descriptor)
        count = sum(length for _, length in lengths)
        named = _Named(name, count, len(lengths), google_crc32c.extend(crc, tail))
        pairs = _mapped(self._folder / name)[:count] if count else NO_PAIRS
        return named, SortedRun(directory(lengths), pairs)

    def _commit(
        self, held: list[tuple[_Named, SortedRun]], mark: Mark, controls: Sequence[str]
    ) -> list[SortedRun]:
        names = [named for named, _ in held]
        text = msgspec.json.encode(_Checkpoint(VERSION, self._key, mark, names, [*controls]))
        make_folder(self._disk, self._folder)
        path = self._folder / _CHECKPOINT
        beside = path.with_suffix(_NEW_SUFFIX)
        descriptor = self._disk.open(beside, append=True)
        try:
            self._disk.ftruncate(descriptor, 0)
            write_all(self._disk, descriptor, _CRC.pack(google_crc32c.value(text)) + text)
            self._disk.fdatasync(descriptor)
        finally:
            self._disk.close(descriptor)
        # The runs' names must be durable before the checkpoint's that counts on them.
        self._disk.fsync_dir(self._folder)
        self._disk.rename(beside, path)
        self._disk.fsync_dir(self._folder)
        self._held, self._mark, self._controls = held, mark, [*controls]
        self._tidy()
        return self.runs

    def _next(self) -> int:
        """A number that no file has; files that nobody names may stand there after a crash."""
        names = (path.stem for path in self._folder.glob(f"*{_RUN_SUFFIX}"))
        return 1 + max((int(name) for name in names if name.isdigit()), default=0)

    def _tidy(self) -> None:
        """Remove what the checkpoint does not name. Who has such a file mapped keeps its bytes."""
        named = {held.file for held, _ in self._held}
        for path in self._folder.glob("*"):
            if path.suffix == _NEW_SUFFIX or (
                path.suffix == _RUN_SUFFIX and path.name not in named
            ):
                self._disk.remove(path)


def _mapped(path: Path) -> np.ndarray:
    """The pairs of a file, read when they are looked at."""
    return np.asarray(np.memmap(path, "<i8", "r")).reshape(-1, 2)
