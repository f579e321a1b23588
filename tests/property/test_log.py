"""Properties of the embedded log: it behaves as a list, and no byte of it can change unnoticed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.embedded.log_disk import Disk
from dipper.engine.embedded.log_format import HEADER, HEADER_BYTES, encode_group
from dipper.engine.ports import Entry, Position, Record
from dipper.engine.record import RecordKind

PARTITIONS = 2
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None

entries_lists = st.lists(
    st.builds(Entry, st.sampled_from(RecordKind), st.binary(max_size=900)), max_size=6
)
times = st.integers(-(1 << 63), (1 << 63) - 1)
partitions = st.integers(0, PARTITIONS - 1)


class UnsyncedDisk(Disk):
    """Leaves syncing out: no power is cut here."""

    def fdatasync(self, descriptor: int) -> None:
        pass

    def fsync_dir(self, folder: Path) -> None:
        pass


class LogIsAList(RuleBasedStateMachine):
    """The log against a list per partition: append, erase, read, close, and copy while open."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(dir=MEMORY))
        self.copies = 0
        self.lists: list[list[Record]] = [[] for _ in range(PARTITIONS)]
        self.open(self.root / "log")

    def open(self, folder: Path) -> None:
        self.folder = folder
        self.log = EmbeddedLog(
            folder, PARTITIONS, segment_bytes=1500, reserve_bytes=0, disk=UnsyncedDisk()
        )
        self.writers = [self.log.writer(k) for k in range(PARTITIONS)]
        self.reader = self.log.reader()

    def close(self) -> None:
        for writer in self.writers:
            writer.close()
        self.reader.close()

    @rule(k=partitions, entries=entries_lists, received_us=times, bulk=st.booleans())
    def append(self, k: int, entries: list[Entry], received_us: int, bulk: bool) -> None:
        first = len(self.lists[k])
        writer = self.writers[k]
        if bulk:
            assert writer.append_now(entries, received_us) == first
        else:
            assert writer.append(entries, received_us).result(30) == first
        self.lists[k] += [
            Record(k, first + i, entry.kind, received_us, entry.payload, False)
            for i, entry in enumerate(entries)
        ]

    @precondition(lambda self: any(self.lists))
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        every = [Position(k, r.offset) for k in range(PARTITIONS) for r in self.lists[k]]
        chosen = data.draw(st.lists(st.sampled_from(every), max_size=5))
        new = {p for p in chosen if not self.lists[p.partition][p.offset].erased}
        assert self.log.custodian().erase(chosen) == len(new)
        for k, offset in new:
            self.lists[k][offset] = self.lists[k][offset]._replace(payload=b"", erased=True)

    @rule(k=partitions, start=st.integers(0, 60), limit=st.integers(0, 30))
    def read(self, k: int, start: int, limit: int) -> None:
        assert self.reader.read(k, start, limit) == self.lists[k][start : start + limit]

    @rule()
    def reopen(self) -> None:
        self.close()
        self.open(self.folder)
        assert {w.opening.after for w in self.writers} == {"clean_stop"}

    @rule()
    def process_dies(self) -> None:
        """A copy taken while the writers are open is what their death would leave."""
        old, self.copies = self.folder, self.copies + 1
        shutil.copytree(old, self.root / f"copy{self.copies}")
        self.close()
        self.open(self.root / f"copy{self.copies}")
        assert {w.opening.after for w in self.writers} == {"process_crash"}
        assert {w.opening.lost for w in self.writers} == {0}

    @invariant()
    def ends_agree(self) -> None:
        for k in range(PARTITIONS):
            assert self.reader.end(k) == self.writers[k].records == len(self.lists[k])

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        try:
            for k in range(PARTITIONS):
                found = [r for batch in self.reader.read_batches(k, 0) for r in batch]
                assert found == self.lists[k]
            assert self.log.custodian().verify() == []
        finally:
            self.close()
            shutil.rmtree(self.root)


TestLogIsAList = LogIsAList.TestCase
TestLogIsAList.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def small_log(folder: Path) -> EmbeddedLog:
    """Three files with groups of one and of several records, one of them erased; closed."""
    log = EmbeddedLog(folder, 1, segment_bytes=400, reserve_bytes=0)
    with log.writer(0) as writer:
        for n, count in enumerate((1, 2, 1, 2, 1, 1)):
            entries = [Entry(RecordKind.EVENT, b'{"n":%d}' % (n + i)) for i in range(count)]
            writer.append(entries, n).result(30)
        assert writer.erase([Position(0, 1)]).result(30) == 1
    return log


def record_at(data: bytes, first: int, at: int) -> int:
    """The offset of the record to which the byte at this place belongs."""
    position, offset = 64, first
    while position < len(data):
        position += HEADER_BYTES + HEADER.unpack_from(data, position)[0]
        if at < position:
            return offset
        offset += 1
    raise AssertionError(f"no byte {at}")


@pytest.mark.parametrize("stopped", [True, False])
def test_every_flipped_byte_is_found(tmp_path: Path, stopped: bool) -> None:
    """Verification finds each changed byte of each file and names its record and its file."""
    log = small_log(tmp_path)
    if not stopped:
        (tmp_path / "p0" / "stop").unlink()
    paths = sorted((tmp_path / "p0").glob("*.log"))
    assert len(paths) == 3
    assert log.custodian().verify() == []
    for path in paths:
        whole, first = path.read_bytes(), int(path.stem)
        with path.open("r+b", buffering=0) as file:
            for at in range(len(whole)):
                for mask in (1 << at % 8, 0xFF):
                    file.seek(at)
                    file.write(bytes([whole[at] ^ mask]))
                    found = log.custodian().verify()
                    offset = first if at < 64 else record_at(whole, first, at)
                    assert (offset, path.name) in {
                        (d.offset, Path(d.where.rpartition("+")[0]).name) for d in found
                    }, (path.name, at)
                file.seek(at)
                file.write(whole[at : at + 1])
    assert log.custodian().verify() == []


@pytest.mark.parametrize("name", ["head", "stop"])
def test_flipped_byte_beside_the_records_is_found(tmp_path: Path, name: str) -> None:
    """After a clean stop the counter and the mark cannot change unnoticed either."""
    log = small_log(tmp_path)
    path = tmp_path / "p0" / name
    whole = path.read_bytes()
    filled = len(whole.rstrip()) if name == "stop" else len(whole)
    for at in range(filled):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        assert log.custodian().verify(), at
    path.write_bytes(whole)
    assert log.custodian().verify() == []


def test_groups_join_without_a_seam() -> None:
    """Encoding entries in one group or in several gives the same links to the chain."""
    entries = [Entry(RecordKind.EVENT, b"%d" % i) for i in range(10)]
    salts = bytes(range(160))
    whole = encode_group([(entries, 5)], 3, salts)
    parts = [
        encode_group([(entries[a:b], 5)], 3 + a, salts[16 * a : 16 * b])
        for a, b in ((0, 4), (4, 5), (5, 10))
    ]
    assert whole.links == b"".join(part.links for part in parts)
    assert len(whole.data) == sum(len(part.data) for part in parts)
