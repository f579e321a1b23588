"""What every lake must do; an engine's test inherits this class and gives `open_lake`.

Plain assertions through the port; rows come from `history` in the columns of ARCHITECTURE.md. A
lake is read back through its files, as runners do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from dipper.engine.ports import Lake, Snapshot
from dipper.kit.clock import DAY_US
from dipper.kit.hashing import hash64, hash128

NOW_US = 1_795_000_000_000_000  # 2026-11-18
_MOMENT = pa.timestamp("us", tz="UTC")


class Happening(NamedTuple):
    """One row to be: at `offset` of log partition `partition`, in the timeline of `id`."""

    offset: int
    id: str
    time_us: int
    event: str = "paid"
    seq: int = 0
    role: str = "person"
    partition: int = 0
    first_row: bool = True
    roles: Mapping[str, str] = {}
    claim: str | None = None
    values: Mapping[str, Any] = {}


def table(schema: pa.Schema, happenings: Sequence[Happening]) -> pa.Table:
    """The rows with the lake's columns; `values` fills columns by name."""
    known = [_row(each) for each in happenings]
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in known]
        if field.type == _MOMENT:
            columns.append(pa.array(values, pa.int64()).cast(_MOMENT))
        else:
            columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _row(each: Happening) -> dict[str, Any]:
    message_id = f"m{each.partition}-{each.offset}"
    return {
        "partition": each.partition,
        "offset": each.offset,
        "first_row": each.first_row,
        "role": each.role,
        "kind": each.role,
        "subject": hash128(each.id),
        "id": each.id,
        "claim": each.claim,
        "event": each.event,
        "type": "track",
        "time": each.time_us,
        "received": each.time_us,
        "seq": each.seq,
        "order_hash": hash64(message_id),
        "message_id": message_id,
        "source": "core",
        "trust": "core",
        each.role: each.id,
        **each.roles,
        **each.values,
    }


def stored(snapshot: Snapshot, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """All rows of a version, in no order."""
    found = []
    for file in snapshot.files:
        read = pq.read_table(file.path, columns=list(columns)).to_pydict()
        found += list(zip(*(read[name] for name in columns), strict=True))
    return found


class LakeSuite:
    """Behaviours of the port. `open_lake` gives an engine over an empty or an earlier folder,
    with the declared property `amount_fen` (int, personal) and the clock at `NOW_US`."""

    def open_lake(self, folder: Path) -> Lake:
        raise NotImplementedError

    def schema(self, lake: Lake) -> pa.Schema:
        """The columns of rows to append."""
        return lake.schema  # type: ignore[attr-defined]

    def _add(self, lake: Lake, happenings: Sequence[Happening], *, bulk: bool = False) -> int:
        ends: dict[int, int] = {}
        for each in happenings:
            ends[each.partition] = max(ends.get(each.partition, 0), each.offset + 1)
        rows = table(self.schema(lake), happenings)
        return lake.append_sorted(rows, ends) if bulk else lake.append(rows, ends)

    def test_what_is_appended_is_read(self, tmp_path: Path) -> None:
        """Rows, positions and a higher version are there after an append, and after reopening."""
        lake = self.open_lake(tmp_path)
        before = lake.snapshot().version
        version = self._add(lake, [Happening(0, "customer_no:1", NOW_US)])
        assert version > before
        again = self.open_lake(tmp_path)
        assert stored(again.snapshot(), ["offset", "id"]) == [(0, "customer_no:1")]
        assert again.positions() == {0: 1}
        assert again.snapshot().positions == {0: 1}

    def test_a_repeated_append_adds_nothing(self, tmp_path: Path) -> None:
        """A position that the lake has reached is not reached twice, and a batch that overlaps
        adds only what lies ahead."""
        lake = self.open_lake(tmp_path)
        rows = [Happening(offset, "customer_no:1", NOW_US) for offset in range(10)]
        version = self._add(lake, rows[:6])
        assert self._add(lake, rows[:6]) == version
        assert self._add(lake, rows[2:4]) == version
        assert self._add(lake, rows[3:]) > version
        assert sorted(stored(lake.snapshot(), ["offset"])) == [(n,) for n in range(10)]

    def test_partitions_of_the_log_advance_apart(self, tmp_path: Path) -> None:
        """Each log partition has a position of its own; rows of one that has come further are
        left out where the other's are taken."""
        lake = self.open_lake(tmp_path)
        first = [Happening(n, "customer_no:1", NOW_US, partition=0) for n in range(4)]
        second = [Happening(n, "customer_no:2", NOW_US, partition=2) for n in range(3)]
        self._add(lake, first)
        self._add(lake, [*first, *second])
        assert lake.positions() == {0: 4, 2: 3}
        counts = Counter(partition for (partition,) in stored(lake.snapshot(), ["partition"]))
        assert counts == {0: 4, 2: 3}

    def test_positions_advance_without_rows(self, tmp_path: Path) -> None:
        """Records that keep no row still move the position."""
        lake = self.open_lake(tmp_path)
        lake.append(self.schema(lake).empty_table(), {0: 7})
        assert self.open_lake(tmp_path).positions() == {0: 7}

    def test_compaction_moves_fresh_rows_and_changes_none(self, tmp_path: Path) -> None:
        """After a compaction no file is fresh, all rows are there, and a second one moves none."""
        lake = self.open_lake(tmp_path)
        for start in range(0, 60, 10):
            self._add(lake, _spread(start, start + 10))
        before = sorted(stored(lake.snapshot(), ["offset", "id", "event"]))
        assert lake.compact() == 60
        assert all(file.bucket >= 0 for file in lake.snapshot().files)
        assert sorted(stored(lake.snapshot(), ["offset", "id", "event"])) == before
        assert lake.compact() == 0

    def test_runs_are_sorted(self, tmp_path: Path) -> None:
        """Inside a file rows stand by subject, then time, seq and order hash; fresh ones too."""
        lake = self.open_lake(tmp_path)
        self._add(lake, _spread(0, 200)[::-1], bulk=True)
        self._add(lake, _spread(200, 300)[::-1])
        columns = ["subject", "time", "seq", "order_hash"]
        for _ in range(2):
            for file in lake.snapshot().files:
                read = pq.read_table(file.path, columns=columns).to_pydict()
                rows = list(zip(*(read[name] for name in columns), strict=True))
                assert rows == sorted(rows)
            lake.compact()

    def test_a_subject_lies_in_one_bucket(self, tmp_path: Path) -> None:
        """The bucket of clustered rows follows from kind and subject alone: the first 8 bytes of
        the key, little-endian, modulo the number of buckets."""
        lake = self.open_lake(tmp_path)
        self._add(lake, _spread(0, 300), bulk=True)
        buckets = {file.bucket for file in lake.snapshot().files if file.kind == "person"}
        assert len(buckets) > 1
        count = lake.buckets["person"]  # type: ignore[attr-defined]
        for file in lake.snapshot().files:
            for subject in pq.read_table(file.path, columns=["subject"])["subject"].to_pylist():
                assert int.from_bytes(subject[:8], "little") % count == file.bucket

    def test_partitions_stay_few(self, tmp_path: Path) -> None:
        """However often rows come and are compacted, no partition holds more than four runs."""
        lake = self.open_lake(tmp_path)
        for start in range(0, 140, 10):
            self._add(lake, _spread(start, start + 10))
            lake.compact()
        runs = Counter((f.kind, f.month, f.bucket) for f in lake.snapshot().files)
        assert max(runs.values()) <= 4
        assert len(stored(lake.snapshot(), ["offset"])) == 140

    def test_old_months_are_years(self, tmp_path: Path) -> None:
        """Rows older than a quarter lie in their year, newer ones in their month."""
        lake = self.open_lake(tmp_path)
        times = (NOW_US, NOW_US - 80 * DAY_US, NOW_US - 200 * DAY_US, NOW_US - 400 * DAY_US)
        self._add(lake, [Happening(n, f"customer_no:{n}", t) for n, t in enumerate(times)])
        lake.compact()
        months = sorted({file.month for file in lake.snapshot().files})
        assert months == ["2025", "2026", "2026-08", "2026-11"]

    def test_what_is_appended_during_a_compaction_stays(self, tmp_path: Path) -> None:
        """A compaction removes what it has read and nothing that came in between."""
        lake = self.open_lake(tmp_path)
        self._add(lake, _spread(0, 50))
        other = self.open_lake(tmp_path)
        self.between(lake, lambda: self._add(other, _spread(50, 60)))
        assert lake.compact() == 50
        assert sorted(stored(lake.snapshot(), ["offset"])) == [(n,) for n in range(60)]
        assert lake.positions() == {0: 60}

    def between(self, lake: Lake, act: Any) -> None:
        """Arrange that `act` runs once, between the reading and the commit of a compaction."""
        raise NotImplementedError

    def test_erasure_leaves_nothing_of_an_id(self, tmp_path: Path) -> None:
        """Own rows go; rows of others lose the role, the claim and personal properties and stay;
        nothing older than the newest version can be read."""
        lake = self.open_lake(tmp_path)
        gone, firm = "customer_no:13900000001", "org_no:7"
        both = {"person": gone, "organisation": firm}
        rows = [
            Happening(0, gone, NOW_US, roles=both, values={"amount_fen": 77}),
            Happening(0, firm, NOW_US, role="organisation", first_row=False, roles=both,
                      values={"amount_fen": 77, "extra": '{"note":"of him"}'}),
            Happening(1, "device:9", NOW_US, role="device", claim=gone, roles={"person": gone}),
            Happening(2, "customer_no:2", NOW_US, values={"amount_fen": 5}),
        ]  # fmt: skip
        self._add(lake, rows[:2])
        lake.compact()
        self._add(lake, rows[2:])
        old = [file.path for file in lake.snapshot().files]
        assert lake.erase([gone]) == 3
        columns = ["offset", "id", "first_row", "person", "claim", "amount_fen", "extra"]
        assert sorted(stored(lake.snapshot(), columns)) == [
            (0, firm, True, None, None, None, None),
            (1, "device:9", True, None, None, None, None),
            (2, "customer_no:2", True, "customer_no:2", None, 5, None),
        ]
        assert lake.positions() == {0: 3}
        live = {file.path for file in lake.snapshot().files}
        assert not any(Path(path).exists() for path in old if path not in live)
        self.assert_nowhere(tmp_path, gone)

    def assert_nowhere(self, folder: Path, text: str) -> None:
        """The text occurs in no file of the lake, decoded or raw."""
        raise NotImplementedError

    def test_erasing_a_stranger_changes_nothing(self, tmp_path: Path) -> None:
        """An id that never occurred costs no row."""
        lake = self.open_lake(tmp_path)
        self._add(lake, _spread(0, 30))
        assert lake.erase(["customer_no:nobody"]) == 0
        assert len(stored(lake.snapshot(), ["offset"])) == 30


def _spread(start: int, end: int) -> list[Happening]:
    """Rows over some weeks and subjects, several of them at one time."""
    return [
        Happening(
            offset=n,
            id=f"customer_no:{n * 7 % 40}",
            time_us=NOW_US - (n * 13 % 50) * DAY_US,
            event=("paid", "seen", "left")[n % 3],
            seq=n % 2,
        )
        for n in range(start, end)
    ]
