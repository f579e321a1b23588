"""The reader finds any record, follows a growing log, and never passes damage on."""

from __future__ import annotations

import gc
import os
import random
from pathlib import Path

import pytest

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.embedded.log_reader import EmbeddedLogReader
from dipper.engine.ports import Entry, Position
from dipper.engine.record import RecordKind
from dipper.kit.errors import Corrupt, NotFound


def open_log(folder: Path, segment_bytes: int = 1 << 20) -> EmbeddedLog:
    return EmbeddedLog(folder, 1, segment_bytes=segment_bytes, reserve_bytes=0)


def write(log: EmbeddedLog, payloads: list[bytes]) -> None:
    with log.writer(0) as writer:
        for at in range(0, len(payloads), 500):
            entries = [Entry(RecordKind.EVENT, payload) for payload in payloads[at : at + 500]]
            writer.append_now(entries, 7)


def test_random_access(tmp_path: Path) -> None:
    """Reads that jump through segments of uneven records give what a list would give."""
    draw = random.Random(5)
    payloads = [
        draw.randbytes(draw.choice((0, 10, 600, 600, 600, 70_000 if i % 50 == 0 else 900)))
        for i in range(6000)
    ]
    log = open_log(tmp_path)
    write(log, payloads)
    assert len(list((tmp_path / "p0").glob("*.log"))) > 2
    with log.reader() as reader:
        for _ in range(300):
            start, limit = draw.randrange(6100), draw.choice((1, 1, 3, 100, 2000))
            found = reader.read(0, start, limit)
            assert [r.payload for r in found] == payloads[start : start + limit]
            assert [r.offset for r in found] == list(range(start, start + len(found)))


def test_batches_give_everything_once(tmp_path: Path) -> None:
    """Batches from any start give every record once, in order, and end at the end."""
    payloads = [b"%d" % i * 100 for i in range(20_000)]
    log = open_log(tmp_path)
    write(log, payloads)
    for start in (0, 1, 12_345, 19_999, 20_000):
        batches = list(log.reader().read_batches(0, start))
        assert all(batches)
        assert [r.payload for batch in batches for r in batch] == payloads[start:]


def test_no_folder_yet(tmp_path: Path) -> None:
    """A reader may be opened before the log exists; it then has no records."""
    reader = EmbeddedLogReader(tmp_path / "nowhere", 2)
    assert reader.partitions() == 2
    assert reader.end(1) == 0
    assert reader.read(1, 0, 10) == []
    write(log := EmbeddedLog(tmp_path / "nowhere", 2, reserve_bytes=0), [b"a"])
    assert log.partitions() == 2
    assert [r.payload for r in reader.read(0, 0, 10)] == [b"a"]


def test_sees_every_replacement(tmp_path: Path) -> None:
    """One open reader sees each of many erasures at its very next read."""
    log = open_log(tmp_path, segment_bytes=2000)
    with log.writer(0) as writer, log.reader() as reader:
        for i in range(60):
            writer.append([Entry(RecordKind.EVENT, b"%03d" % i * 40)], 7).result(30)
        for offset in random.Random(5).sample(range(60), 60):
            assert reader.read(0, offset, 1)[0].payload == b"%03d" % offset * 40
            writer.erase([Position(0, offset)]).result(30)
            assert reader.read(0, offset, 1) == [(0, offset, RecordKind.EVENT, 7, b"", True)]


def test_dropped_reader_holds_no_file(tmp_path: Path) -> None:
    """Readers that are closed, or dropped without a word, keep no file open."""
    log = open_log(tmp_path, segment_bytes=2000)
    with log.writer(0) as writer:
        for i in range(100):
            writer.append([Entry(RecordKind.EVENT, b"x" * 500)], i).result(30)
    gc.collect()  # What other tests have dropped is not ours to count.
    before = len(os.listdir("/dev/fd"))
    reader = log.reader()
    assert len(reader.read(0, 0, 1000)) == 100
    assert before < len(os.listdir("/dev/fd")) < before + 40
    reader.close()
    assert len(os.listdir("/dev/fd")) == before
    assert len(log.reader().read(0, 0, 1000)) == 100
    gc.collect()
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("at", [0, 5, 9, 16, 24, 40, 66, 88])
def test_damage_stops_a_read(tmp_path: Path, at: int) -> None:
    """A record whose bytes changed is never given: the error names file, place and command."""
    log = open_log(tmp_path)
    write(log, [b"payload %d" % i for i in range(10)])
    path = tmp_path / "p0" / f"{0:020d}.log"
    data = bytearray(path.read_bytes())
    size = 64 + 16 + len(b"payload 0")
    data[64 + 4 * size + at] ^= 0x10
    path.write_bytes(data)
    reader = log.reader()
    assert [r.offset for r in reader.read(0, 0, 4)] == [0, 1, 2, 3]
    with pytest.raises(Corrupt, match="record 4") as error:
        reader.read(0, 4, 1)
    assert error.value.where == f"{path}+{64 + 4 * size}"
    assert "dipper verify" in error.value.hint
    with pytest.raises(Corrupt):
        log.reader().read(0, 5, 1) if at < 4 or at == 16 else reader.read(0, 0, 10)


def test_missing_end_stops_a_read(tmp_path: Path) -> None:
    """When a file is shorter than what was synced, the read says so."""
    log = open_log(tmp_path)
    write(log, [b"payload %d" % i for i in range(10)])
    path = tmp_path / "p0" / f"{0:020d}.log"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 5)
    with pytest.raises(Corrupt, match="record 9: the file ends"):
        log.reader().read(0, 9, 1)
    with pytest.raises(Corrupt, match="the file ends"):
        log.reader().read(0, 0, 100)


def test_trimmed_log(tmp_path: Path) -> None:
    """A record before the first file is NotFound; the rest is read as ever."""
    log = open_log(tmp_path, segment_bytes=2000)
    with log.writer(0) as writer:
        for i in range(30):
            writer.append([Entry(RecordKind.EVENT, b"x" * 200)], i).result(30)
    paths = sorted((tmp_path / "p0").glob("*.log"))
    paths[0].unlink()
    first = int(paths[1].stem)
    with pytest.raises(NotFound, match=f"begins at {first}"):
        log.reader().read(0, first - 1, 1)
    assert [r.offset for r in log.reader().read(0, first, 99)] == list(range(first, 30))
    assert log.custodian().verify() == []
