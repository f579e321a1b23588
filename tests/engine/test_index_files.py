"""Index files: what is saved is found again, and nothing that cannot be trusted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dipper.engine.embedded.index_files import IndexFiles, Kept, Mark
from dipper.engine.embedded.log_disk import Disk
from dipper.engine.sorted_run import SortedRun, parts_of
from dipper.kit.errors import Unavailable

NOTHING = Kept(Mark(), [], [])


def run_of(*rows: tuple[int, int, int]) -> SortedRun:
    """A run of rows (day, fingerprint, value)."""
    return SortedRun.of(parts_of(np.array(rows, np.int64).reshape(-1, 3)))


def numbered(first: int, count: int) -> SortedRun:
    """A run of so many entries over seven days."""
    return run_of(*((number % 7, number, number + 1) for number in range(first, first + count)))


def held(files: IndexFiles) -> set[tuple[int, int, int]]:
    """All entries of all runs."""
    return {
        (day, *pair) for run in files.runs for day in run.days for pair in run.part(day).tolist()
    }


@pytest.fixture
def files(tmp_path: Path) -> IndexFiles:
    """The files of an index that holds two runs."""
    files = IndexFiles(tmp_path / "p0", "key")
    assert files.read() == NOTHING
    files.save(numbered(0, 100), Mark(100, 7), ["{}"])
    files.save(numbered(100, 3), Mark(103, 8), ["{}", "[]"])
    return files


def again(tmp_path: Path, key: str = "key") -> IndexFiles:
    """The same folder in another process."""
    return IndexFiles(tmp_path / "p0", key)


def test_what_is_saved_is_read_again(files: IndexFiles, tmp_path: Path) -> None:
    """Runs, mark and control records, and no file is left over."""
    other = again(tmp_path)
    kept = other.read()
    assert (kept.mark, kept.controls) == (Mark(103, 8), ["{}", "[]"])
    assert held(other) == held(files) == {(n % 7, n, n + 1) for n in range(103)}
    assert len(list((tmp_path / "p0").iterdir())) == 3


def test_runs_of_like_size_are_merged(files: IndexFiles, tmp_path: Path) -> None:
    """Whatever is added, a run is more than twice as long as the next one."""
    for first in range(103, 203, 4):
        runs = files.save(numbered(first, 4), Mark(first, 0), [])
        lengths = [len(run) for run in runs]
        assert all(one > 2 * next_one for one, next_one in pairwise(lengths))
    assert held(files) == {(n % 7, n, n + 1) for n in range(203)}
    assert len(list((tmp_path / "p0").glob("*.run"))) == len(files.runs)


def test_a_save_without_entries_moves_the_mark(files: IndexFiles, tmp_path: Path) -> None:
    """Control records alone are worth a checkpoint."""
    before = held(files)
    files.save(run_of(), Mark(200, 9), ["1"])
    other = again(tmp_path)
    assert (other.read().mark, held(other)) == (Mark(200, 9), before)


def test_what_is_dropped_is_in_no_file(files: IndexFiles, tmp_path: Path) -> None:
    """From every run that holds it, by day; the mark stays."""
    key = 0x1122334455667788
    files.save(run_of((5, key, 1), (6, key, 1)), Mark(105, 9), [])
    files.drop({5: {key, 12}, 3: {101}})
    other = again(tmp_path)
    assert other.read().mark == Mark(105, 9)
    assert {(day, found) for day, found, _ in held(other) if found in (key, 12, 101)} == {(6, key)}
    files.drop({6: {key}})
    raw = b"".join(path.read_bytes() for path in (tmp_path / "p0").iterdir())
    assert key.to_bytes(8, "little") not in raw


def test_what_nobody_holds_is_dropped_without_a_write(files: IndexFiles, tmp_path: Path) -> None:
    """No file is rewritten for it."""
    names = sorted(path.name for path in (tmp_path / "p0").iterdir())
    files.drop({5: {6}, 99: {1}})
    assert sorted(path.name for path in (tmp_path / "p0").iterdir()) == names


@pytest.mark.parametrize("name", ["checkpoint", "00000001.run", "00000002.run"])
@pytest.mark.parametrize("how", ["missing", "short", "long", "flipped", "empty"])
def test_a_file_that_is_not_what_was_written_means_that_nothing_is_known(
    files: IndexFiles, tmp_path: Path, name: str, how: str
) -> None:
    """And the folder is empty then, so that a later save stands alone."""
    path = tmp_path / "p0" / name
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        flipped = data[:20] + bytes([data[20] ^ 4]) + data[21:]
        changed = {"short": data[:-1], "long": data + b"x", "flipped": flipped, "empty": b""}
        path.write_bytes(changed[how])
    other = again(tmp_path)
    assert other.read() == NOTHING
    assert list((tmp_path / "p0").iterdir()) == []
    other.save(numbered(0, 2), Mark(2, 1), [])
    assert again(tmp_path).read().mark == Mark(2, 1)


def test_files_of_another_key_are_not_read(files: IndexFiles, tmp_path: Path) -> None:
    """Their fingerprints mean nothing here."""
    assert again(tmp_path, "another").read() == NOTHING


def test_leftovers_of_a_crash_are_removed(files: IndexFiles, tmp_path: Path) -> None:
    """A run that no checkpoint names is not there."""
    (tmp_path / "p0" / "00000009.run").write_bytes(b"half")
    (tmp_path / "p0" / "checkpoint.new").write_bytes(b"half")
    assert again(tmp_path).read().mark == Mark(103, 8)
    assert len(list((tmp_path / "p0").iterdir())) == 3


class FailingDisk(Disk):
    """Fails at the n-th call that could."""

    def __init__(self) -> None:
        self.left = -1

    def _may(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(28, "No space left on device")

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._may()
        return super().write(descriptor, data)

    def fdatasync(self, descriptor: int) -> None:
        self._may()
        super().fdatasync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._may()
        super().rename(source, target)


@pytest.mark.parametrize("nth", range(1, 12))
def test_a_disk_that_refuses_leaves_the_checkpoint_before(tmp_path: Path, nth: int) -> None:
    """Old or new, never something between; the next save works."""
    disk = FailingDisk()
    files = IndexFiles(tmp_path / "p0", "key", disk=disk)
    files.save(numbered(0, 10), Mark(10, 1), [])
    disk.left = nth
    try:
        files.save(numbered(10, 10), Mark(20, 2), [])
    except Unavailable:
        other = again(tmp_path)
        assert other.read().mark == Mark(10, 1)
        assert len(held(other)) == len(held(files)) == 10
        disk.left = -1
        files.save(numbered(10, 10), Mark(20, 2), [])
    assert again(tmp_path).read().mark == Mark(20, 2)
    assert len(held(files)) == 20
