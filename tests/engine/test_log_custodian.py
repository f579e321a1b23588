"""Erasure leaves nothing to find and all to verify; verification names every damaged place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.ports import Entry, Position
from dipper.engine.record import RecordKind
from dipper.kit.errors import Conflict, Corrupt

SEGMENT_BYTES = 3000
COUNT = 60


def open_log(folder: Path) -> EmbeddedLog:
    return EmbeddedLog(folder, 2, segment_bytes=SEGMENT_BYTES, reserve_bytes=0)


def payload(offset: int) -> bytes:
    who = "lihua" if offset % 7 == 0 else "wangfang"
    return f'{{"event":"bill_paid","who":"{who}","n":{offset}}}'.encode()


def fill(log: EmbeddedLog, count: int = COUNT) -> None:
    for partition in range(2):
        with log.writer(partition) as writer:
            for offset in range(0, count, 3):
                entries = [Entry(RecordKind.EVENT, payload(offset + k)) for k in range(3)]
                writer.append(entries, offset).result(30)


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def salts(folder: Path, offsets: list[int]) -> list[bytes]:
    """The salts of records of partition 0, found by their payload in the raw bytes."""
    data = all_bytes(folder / "p0")
    return [data[(at := data.index(payload(offset))) - 16 : at] for offset in offsets]


def test_nothing_remains(tmp_path: Path) -> None:
    """After an erasure no file holds payload or salt, and decoding every record finds nothing."""
    log = open_log(tmp_path)
    fill(log)
    mine = [offset for offset in range(COUNT) if offset % 7 == 0]
    old_salts = salts(tmp_path, mine)
    assert b"lihua" in all_bytes(tmp_path)
    positions = [Position(partition, offset) for partition in (0, 1) for offset in mine]
    assert log.custodian().erase(positions) == len(positions)
    raw = all_bytes(tmp_path)
    assert b"lihua" not in raw
    assert not any(salt in raw for salt in old_salts)
    for partition in (0, 1):
        for batch in log.reader().read_batches(partition, 0):
            for record in batch:
                assert b"lihua" not in record.payload
                assert record.erased == (record.offset in mine)
                assert record.erased or record.payload == payload(record.offset)
    assert log.custodian().verify() == []


def test_digests_and_chain_stay(tmp_path: Path) -> None:
    """Erasure changes neither digests nor file headers, so the chain is the one written."""
    log = open_log(tmp_path)
    fill(log)
    paths = sorted((tmp_path / "p0").glob("*.log"))
    headers = [path.read_bytes()[:64] for path in paths]
    digest = paths[0].read_bytes()[64 + 32 : 64 + 64]
    log.custodian().erase([Position(0, offset) for offset in range(COUNT)])
    assert [path.read_bytes()[:64] for path in paths] == headers
    assert paths[0].read_bytes()[64 + 32 : 64 + 64] == digest
    assert log.custodian().verify() == []


def test_closed_segments_beside_a_foreign_writer(tmp_path: Path) -> None:
    """Closed segments may be rewritten while another process writes; its segment may not."""
    log, other = open_log(tmp_path), open_log(tmp_path)
    fill(log)
    with log.writer(0) as writer:
        last = int(sorted((tmp_path / "p0").glob("*.log"))[-1].stem)
        assert other.custodian().erase([Position(0, 0), Position(0, 7)]) == 2
        with pytest.raises(Conflict, match="partition 0 is held by the writer"):
            other.custodian().erase([Position(0, 14), Position(0, last)])
        assert not other.reader().read(0, 14, 1)[0].erased
        assert log.custodian().erase([Position(0, last)]) == 1
        assert writer.append([Entry(RecordKind.EVENT, b"more")], 1).result(30) == COUNT
        assert log.custodian().verify() == []


def test_erasure_finishes_what_another_began(tmp_path: Path) -> None:
    """The half-written file of an erasure that was killed is removed by the next."""
    log = open_log(tmp_path)
    fill(log)
    left = tmp_path / "p0" / f"{0:020d}.erasing"
    left.write_bytes(payload(0))
    log.custodian().erase([Position(0, 0)])
    assert not left.exists()


def test_erasure_refuses_damage(tmp_path: Path) -> None:
    """A damaged segment is not rewritten: its bytes stay as evidence."""
    log = open_log(tmp_path)
    fill(log)
    path = tmp_path / "p0" / f"{0:020d}.log"
    data = bytearray(path.read_bytes())
    data[64 + 70] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="record 0: checksum"):
        log.custodian().erase([Position(0, 0)])
    assert path.read_bytes() == data


def test_verify_goes_on_after_damage(tmp_path: Path) -> None:
    """Each of several damaged places is reported, with its record and file."""
    log = open_log(tmp_path)
    fill(log)
    paths = sorted((tmp_path / "p1").glob("*.log"))
    step = 64 + 16 + len(payload(10))
    for path, record in ((paths[1], 3), (paths[1], 5), (paths[2], 2)):
        data = bytearray(path.read_bytes())
        data[64 + record * step + 100] ^= 1
        path.write_bytes(data)
    found = log.custodian().verify()
    places = [(damage.partition, damage.where.rpartition("+")[0]) for damage in found]
    assert places == [(1, str(paths[1])), (1, str(paths[1])), (1, str(paths[2]))]
    expected = [int(paths[1].stem) + 3, int(paths[1].stem) + 5, int(paths[2].stem) + 2]
    assert [damage.offset for damage in found] == expected
    assert {damage.what for damage in found} == {"checksum does not match"}


def test_verify_misses_no_file(tmp_path: Path) -> None:
    """A segment taken out of the middle, or two exchanged, are found."""
    log = open_log(tmp_path)
    fill(log)
    paths = sorted((tmp_path / "p0").glob("*.log"))
    kept = paths[1].read_bytes()
    paths[1].unlink()
    assert any("the next one begins" in damage.what for damage in log.custodian().verify())
    paths[1].write_bytes(paths[2].read_bytes())
    whats = [damage.what for damage in log.custodian().verify()]
    assert "the file header does not belong to this place" in whats
    paths[1].write_bytes(kept)
    assert log.custodian().verify() == []
    paths[-1].unlink()
    assert any("were synced" in damage.what for damage in log.custodian().verify())


def test_verify_finds_a_rewritten_history(tmp_path: Path) -> None:
    """A record exchanged with correct CRC and digest breaks the chain at the next file."""
    log, forged = open_log(tmp_path / "a"), open_log(tmp_path / "b")
    fill(log)
    fill(forged)
    name = Path("p0") / f"{0:020d}.log"
    (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
    found = log.custodian().verify()
    assert [damage.what for damage in found] == ["the chain does not join the file before"]


def test_verify_knows_the_end_of_a_clean_log(tmp_path: Path) -> None:
    """After a clean stop even the last file cannot be exchanged, nor head be set back."""
    log, forged = open_log(tmp_path / "a"), open_log(tmp_path / "b")
    fill(log, 3)
    fill(forged, 3)
    name = Path("p0") / f"{0:020d}.log"
    kept = (tmp_path / "a" / name).read_bytes()
    (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
    assert "chain does not end" in log.custodian().verify()[0].what
    (tmp_path / "a" / name).write_bytes(kept)
    head = tmp_path / "a" / "p0" / "head"
    head.write_bytes((2).to_bytes(8, "little"))
    assert "head says 2" in log.custodian().verify()[0].what
    head.write_bytes((4).to_bytes(8, "little"))
    assert "4 records were synced, 3 are there" in log.custodian().verify()[0].what


def test_lock_goes_with_its_process(tmp_path: Path) -> None:
    """A partition held by a process that ended without a word is free again."""
    fill(open_log(tmp_path))
    program = (
        "import os, pathlib, sys; from dipper.engine.embedded.log import EmbeddedLog;"
        "EmbeddedLog(pathlib.Path(sys.argv[1]), 2, reserve_bytes=0).writer(0); os._exit(9)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ended.returncode == 9
    with open_log(tmp_path).writer(0) as writer:
        assert writer.opening.after == "process_crash"
        assert writer.records == COUNT
