"""REL-02: cut, flipped, zeroed or swapped, the log keeps its whole records or refuses to open."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.embedded.log_disk import Disk
from dipper.engine.embedded.log_format import HEADER_BYTES, SALT_BYTES, encode_group
from dipper.engine.embedded.log_writer import EmbeddedLogWriter
from dipper.engine.ports import Entry
from dipper.engine.record import RecordKind
from dipper.kit.errors import Corrupt

GROUPS = (3, 1, 4)


class FastDisk(Disk):
    """Leaves syncing out: these tests change files, they do not cut the power."""

    def fdatasync(self, descriptor: int) -> None:
        pass

    def fsync_dir(self, folder: Path) -> None:
        pass


def open_log(folder: Path) -> EmbeddedLog:
    return EmbeddedLog(folder, 1, reserve_bytes=0, disk=FastDisk())


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the system has one: thousands of files are cut and opened here."""
    if not Path("/dev/shm").is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def segment(folder: Path) -> Path:
    return folder / "p0" / f"{0:020d}.log"


def write_log(folder: Path, payloads: list[bytes], groups: tuple[int, ...]) -> list[int]:
    """A log as a killed process leaves it; gives the places at which its records end."""
    done = folder.with_suffix(".done")
    with open_log(done).writer(0) as writer:
        at = 0
        for count in groups:
            entries = [Entry(RecordKind.EVENT, payload) for payload in payloads[at : at + count]]
            writer.append(entries, 7).result(30)
            at += count
        shutil.copytree(done, folder)
        shutil.copy(folder / "p0" / "stop", folder / "killed")
    shutil.rmtree(done)
    ends = [64]
    for payload in payloads:
        ends.append(ends[-1] + HEADER_BYTES + SALT_BYTES + len(payload))
    return ends


def small(folder: Path) -> tuple[list[bytes], list[int]]:
    draw = random.Random(7)
    payloads = [b'{"n":%d,"x":"%s"}' % (n, b"y" * draw.randrange(20)) for n in range(sum(GROUPS))]
    return payloads, write_log(folder, payloads, GROUPS)


def overwrite(path: Path, data: bytes | bytearray) -> None:
    """Without cutting the file to nothing first, which some file systems answer with a flush."""
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()


def lay(folder: Path, data: bytes | bytearray, head: int) -> None:
    """Make the folder what a killed writer left, with these bytes as its segment and this head."""
    overwrite(segment(folder), data)
    overwrite(folder / "p0" / "head", head.to_bytes(8, "little"))
    overwrite(folder / "p0" / "stop", (folder / "killed").read_bytes())


def opened(folder: Path) -> tuple[EmbeddedLogWriter, list[bytes]]:
    """Open for writing, and all payloads that a reader then finds."""
    log = open_log(folder)
    writer = log.writer(0)
    return writer, [record.payload for record in log.reader().read(0, 0, 10_000)]


def check_prefix(folder: Path, payloads: list[bytes], count: int, lost: int) -> None:
    """The log opens with exactly `count` records, says what it lost, and goes on."""
    writer, found = opened(folder)
    with writer:
        assert found == payloads[:count]
        assert writer.opening.lost == lost
        assert not lost or writer.opening.after == "machine_crash"
        assert writer.append([Entry(RecordKind.EVENT, b"more")], 8).result(30) == count
    log = open_log(folder)
    assert log.custodian().verify() == []
    assert log.reader().end(0) == count + 1


def test_cut_at_every_byte(memory_path: Path) -> None:
    """A log cut anywhere opens with exactly its whole records; what head knew is counted lost."""
    payloads, ends = small(memory_path / "log")
    whole = segment(memory_path / "log").read_bytes()
    for size in range(len(whole) + 1):
        count = sum(end <= size for end in ends[1:])
        head = len(payloads) if size % 2 else min(count, 3)
        lay(memory_path / "log", whole[:size], head)
        check_prefix(memory_path / "log", payloads, count, max(0, head - count))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_cut_at_every_byte_of_64_kib(memory_path: Path) -> None:
    """The same for each of the last 65,536 bytes of a log of ordinary events."""
    draw = random.Random(7)
    payloads = [draw.randbytes(300).hex().encode() for _ in range(200)]
    ends = write_log(memory_path / "log", payloads, tuple([5] * 40))
    whole = segment(memory_path / "log").read_bytes()
    assert len(whole) > 65_536
    for size in range(len(whole), len(whole) - 65_536, -1):
        count = sum(end <= size for end in ends[1:])
        lay(memory_path / "log", whole[:size], count)
        check_prefix(memory_path / "log", payloads, count, 0)


@pytest.mark.parametrize("zeros", [1, 40, 200, 5000])
def test_zeros_at_the_end(memory_path: Path, zeros: int) -> None:
    """Zeros behind the last record cost nothing; zeros over the last records cost only those."""
    payloads, ends = small(memory_path / "log")
    whole = segment(memory_path / "log").read_bytes()
    lay(memory_path / "log", whole + bytes(zeros), len(payloads))
    check_prefix(memory_path / "log", payloads, len(payloads), 0)
    for size in range(64, len(whole), 7):
        count = sum(end <= size for end in ends[1:])
        lay(memory_path / "log", whole[:size] + bytes(len(whole) - size + zeros), 0)
        check_prefix(memory_path / "log", payloads, count, 0)


def test_file_of_zeros(memory_path: Path) -> None:
    """A first file that holds nothing but zeros is begun anew."""
    payloads, _ = small(memory_path / "log")
    for size in (0, 1, 63, 64, 5000):
        lay(memory_path / "log", bytes(size), 0)
        check_prefix(memory_path / "log", payloads, 0, 0)


def test_every_flipped_bit_of_synced_records(memory_path: Path) -> None:
    """A flipped bit anywhere in synced records refuses the opening, with place and command."""
    _, ends = small(memory_path / "log")
    path = segment(memory_path / "log")
    whole = path.read_bytes()
    for at in range(len(whole)):
        for bit in range(8) if ends[3] <= at < ends[4] or at >= ends[-2] else (at % 8,):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            lay(memory_path / "log", damaged, sum(GROUPS))
            with pytest.raises(Corrupt) as error:
                open_log(memory_path / "log").writer(0)
            start = max([0] + [end for end in ends if end <= at])
            assert error.value.where == f"{path}+{start}"
            assert "dipper verify" in error.value.hint
            assert path.read_bytes() == damaged
    lay(memory_path / "log", whole, sum(GROUPS))
    writer, found = opened(memory_path / "log")
    with writer:
        assert len(found) == sum(GROUPS)


def test_flipped_bits_when_head_knows_nothing(memory_path: Path) -> None:
    """Without head, damage before the last group still refuses; in it, it is a torn tail."""
    payloads, ends = small(memory_path / "log")
    path = segment(memory_path / "log")
    whole = path.read_bytes()
    last_group = ends[GROUPS[0] + GROUPS[1]]
    for at in range(64, len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        lay(memory_path / "log", damaged, 0)
        if at < last_group:
            with pytest.raises(Corrupt):
                open_log(memory_path / "log").writer(0)
        else:
            count = sum(end <= at for end in ends[1:])
            check_prefix(memory_path / "log", payloads, count, 0)


def test_swapped_blocks(memory_path: Path) -> None:
    """Two blocks that changed places are damage, wherever they stand among synced records."""
    payloads = [os.urandom(300).hex().encode() for _ in range(20)]
    write_log(memory_path / "log", payloads, (5, 5, 5, 5))
    path = segment(memory_path / "log")
    whole = path.read_bytes()
    blocks = len(whole) // 512
    for first in range(0, blocks - 1, 2):
        for second in range(first + 1, blocks, 5):
            damaged = bytearray(whole)
            a, b = slice(first * 512, first * 512 + 512), slice(second * 512, second * 512 + 512)
            damaged[a], damaged[b] = damaged[b], damaged[a]
            lay(memory_path / "log", damaged, len(payloads))
            with pytest.raises(Corrupt):
                open_log(memory_path / "log").writer(0)


def test_group_persisted_out_of_order(memory_path: Path) -> None:
    """When a power loss kept the later records of an unsynced group, its whole prefix stays."""
    payloads, ends = small(memory_path / "log")
    path = segment(memory_path / "log")
    whole = path.read_bytes()
    synced = GROUPS[0] + GROUPS[1]
    for missing in range(synced, len(payloads)):
        gap = bytes(ends[missing + 1] - ends[missing])
        lay(memory_path / "log", whole[: ends[missing]] + gap + whole[ends[missing + 1] :], synced)
        check_prefix(memory_path / "log", payloads, missing, 0)


def test_lost_group_before_a_later_one(memory_path: Path) -> None:
    """A gap before a group that was written after its sync is damage, whatever head says."""
    _, ends = small(memory_path / "log")
    path = segment(memory_path / "log")
    whole = path.read_bytes()
    lay(memory_path / "log", whole[: ends[2]] + bytes(ends[4] - ends[2]) + whole[ends[4] :], 0)
    with pytest.raises(Corrupt, match="written after it was synced"):
        open_log(memory_path / "log").writer(0)


def test_unacknowledged_records_are_kept(memory_path: Path) -> None:
    """Whole records that a dead process wrote and never acknowledged are kept and published."""
    payloads, ends = small(memory_path / "log")
    extra = [Entry(RecordKind.EVENT, b"unacknowledged")]
    path = segment(memory_path / "log")
    path.write_bytes(
        path.read_bytes() + encode_group([(extra, 7)], len(payloads), os.urandom(16)).data
    )
    assert path.stat().st_size > ends[-1]
    assert open_log(memory_path / "log").reader().end(0) == len(payloads)
    check_prefix(memory_path / "log", [*payloads, b"unacknowledged"], len(payloads) + 1, 0)


def test_all_files_gone(memory_path: Path) -> None:
    """A log whose files are gone although records were synced is refused, not begun anew."""
    small(memory_path / "log")
    segment(memory_path / "log").unlink()
    with pytest.raises(Corrupt, match="all files of partition 0 are gone"):
        open_log(memory_path / "log").writer(0)
