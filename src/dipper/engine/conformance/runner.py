"""What every runner must do; an engine's test inherits this class and gives a lake and a runner.

Each test keeps the rows as plain Python beside the lake and sorts them itself: subject by subject
in the order (time, seq, order hash). Where the rows lie - fresh, sorted, in several runs and
months - must not be seen in any answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from dipper.engine.conformance.lake import NOW_US, Happening, table
from dipper.engine.ports import Bucket, Column, Identity, Lake, Projection, Runner
from dipper.fold.timeline import Timelines
from dipper.kit.clock import DAY_US
from dipper.kit.errors import BadInput
from dipper.kit.hashing import hash64, hash128

EVENTS = ("seen", "clicked", "paid")
OFFSET = Column("offset", "offset", "int64")

Expected = dict[bytes, list[int]]
"""subject key -> offsets in timeline order."""


def happenings(
    count: int, seed: int, start: int = 0, subjects: int = 25, role: str = "person"
) -> list[Happening]:
    """Rows over five months, many at one time, amounts and channels sometimes missing."""
    random = Random(seed)
    prefix = {"person": "customer_no", "device": "device"}[role]
    return [
        Happening(
            offset=offset,
            id=f"{prefix}:{random.randrange(subjects)}",
            time_us=NOW_US - random.randrange(150) * DAY_US + random.randrange(3),
            event=random.choice(EVENTS),
            seq=random.randrange(2),
            role=role,
            values={
                "amount_fen": random.choice([None, random.randrange(-5, 100)]),
                "channel": random.choice([None, "app", "counter", "网点"]),
            },
        )
        for offset in range(start, start + count)
    ]


def in_timeline_order(rows: Sequence[Happening]) -> list[Happening]:
    """Time, then seq, then hash of the message id."""
    return sorted(rows, key=lambda r: (r.time_us, r.seq, hash64(f"m{r.partition}-{r.offset}")))


def timelines(rows: Sequence[Happening], key_of: Callable[[Happening], bytes | None]) -> Expected:
    """The offsets of each subject's rows in order."""
    found: Expected = defaultdict(list)
    for row in in_timeline_order(rows):
        key = key_of(row)
        if key is not None:
            found[key].append(row.offset)
    return dict(found)


def own_key(row: Happening) -> bytes:
    """The key under which a row was written."""
    return hash128(row.id)


def offsets(buckets: Sequence[Bucket]) -> Expected:
    """What a runner gave, in the form of `timelines`; a subject that comes twice is an error."""
    found: Expected = {}
    for bucket in buckets:
        for place, key in enumerate(bucket.keys):
            assert key not in found, "a subject came twice"
            start, end = bucket.subjects[place], bucket.subjects[place + 1]
            found[key] = bucket.columns["offset"][start:end].tolist()
    return found


class CountRows:
    """The plainest fold: rows and subjects."""

    def start(self) -> tuple[int, int]:
        return 0, 0

    def step(self, state: tuple[int, int], timelines: Timelines) -> tuple[int, int]:
        return state[0] + len(timelines.keys), state[1] + int(timelines.subjects[-1])

    def merge(self, state: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
        return state[0] + other[0], state[1] + other[1]

    def finish(self, state: tuple[int, int]) -> tuple[int, int]:
        return state


class RunnerSuite:
    """Behaviours of the port, over lakes that lie in different ways."""

    def open_lake(self, folder: Path) -> Lake:
        """An empty lake with property `amount_fen` (int) and the clock at `NOW_US`."""
        raise NotImplementedError

    def open_runner(self, lake: Lake, identity: Identity | None = None) -> Runner:
        raise NotImplementedError

    def _bulk(self, lake: Lake, rows: Sequence[Happening]) -> None:
        lake.append_sorted(self._table(lake, rows), {0: rows[-1].offset + 1})

    def _fresh(self, lake: Lake, rows: Sequence[Happening]) -> None:
        lake.append(self._table(lake, rows), {0: rows[-1].offset + 1})

    def _table(self, lake: Lake, rows: Sequence[Happening]) -> pa.Table:
        return table(lake.schema, rows)  # type: ignore[attr-defined]

    def _mixed(self, folder: Path, rows: Sequence[Happening]) -> Lake:
        """The rows in one bulk, two compacted batches and some that are fresh."""
        lake = self.open_lake(folder)
        cuts = [0, len(rows) // 2, len(rows) * 3 // 4, len(rows) * 7 // 8, len(rows) * 15 // 16]
        self._bulk(lake, rows[cuts[0] : cuts[1]])
        for start, end in ((cuts[1], cuts[2]), (cuts[2], cuts[3])):
            self._fresh(lake, rows[start:end])
            lake.compact()
        self._fresh(lake, rows[cuts[3] : cuts[4]])
        self._fresh(lake, rows[cuts[4] :])
        return lake

    def _offsets(self, runner: Runner, **asked: Any) -> Expected:
        projection = Projection(**{"kind": "person", "columns": (OFFSET,)} | asked)
        return offsets(list(runner.buckets(projection)))

    def test_every_subject_comes_once_in_order(self, tmp_path: Path) -> None:
        """Wherever rows lie, each timeline comes whole, once, in its order."""
        rows = happenings(600, seed=1)
        expected = timelines(rows, own_key)
        clean = self.open_lake(tmp_path / "clean")
        self._bulk(clean, rows)
        assert self._offsets(self.open_runner(clean)) == expected
        mixed = self._mixed(tmp_path / "mixed", rows)
        assert self._offsets(self.open_runner(mixed)) == expected
        fresh = self.open_lake(tmp_path / "fresh")
        self._fresh(fresh, rows)
        assert self._offsets(self.open_runner(fresh)) == expected

    def test_an_empty_lake_has_no_subject(self, tmp_path: Path) -> None:
        """No rows, no bucket; and a kind of which there is nothing has none either."""
        lake = self.open_lake(tmp_path)
        assert self._offsets(self.open_runner(lake)) == {}
        self._bulk(lake, happenings(10, seed=2))
        assert self._offsets(self.open_runner(lake), kind="case") == {}

    def test_only_the_kind_asked_for(self, tmp_path: Path) -> None:
        """Timelines of another kind of subject do not mix in."""
        persons = happenings(80, seed=3)
        devices = happenings(80, seed=4, start=80, role="device")
        lake = self._mixed(tmp_path, [*persons, *devices])
        runner = self.open_runner(lake)
        assert self._offsets(runner) == timelines(persons, own_key)
        assert self._offsets(runner, kind="device") == timelines(devices, own_key)

    def test_only_the_time_asked_for(self, tmp_path: Path) -> None:
        """A window takes start <= time < end; subjects without a row in it do not come."""
        rows = happenings(400, seed=5)
        runner = self.open_runner(self._mixed(tmp_path, rows))
        start_us, end_us = NOW_US - 70 * DAY_US, NOW_US - 20 * DAY_US
        inside = [row for row in rows if start_us <= row.time_us < end_us]
        assert self._offsets(runner, start_us=start_us, end_us=end_us) == timelines(inside, own_key)
        late = [row for row in rows if row.time_us >= end_us]
        assert self._offsets(runner, start_us=end_us) == timelines(late, own_key)

    def test_only_the_rows_asked_for(self, tmp_path: Path) -> None:
        """A condition keeps the rows for which it is TRUE, whatever it looks at."""
        rows = happenings(400, seed=6)
        runner = self.open_runner(self._mixed(tmp_path, rows))
        paid = [row for row in rows if row.event == "paid"]
        assert self._offsets(runner, where="event = 'paid'") == timelines(paid, own_key)
        rich = [row for row in rows if (row.values["amount_fen"] or 0) > 40 and row.event != "seen"]
        where = "amount_fen > 40 AND event <> 'seen'"
        assert self._offsets(runner, where=where) == timelines(rich, own_key)
        assert self._offsets(runner, where="event = 'never'") == {}

    def test_columns_have_their_types_and_values(self, tmp_path: Path) -> None:
        """Columns come in the dtype asked for, NULL as the value asked for, texts as codes."""
        rows = happenings(300, seed=7)
        runner = self.open_runner(self._mixed(tmp_path, rows))
        columns = (
            OFFSET,
            Column("time", "time", "int64"),
            Column("amount", "amount_fen", "int64", -99),
            Column("double", "amount_fen / 2", "float64", 0.5),
            Column("paid", "event = 'paid'", "bool"),
            Column("mask", "CASE WHEN event = 'seen' THEN 1 ELSE 6 END", "uint8"),
            Column("both", "event = 'paid' AND channel = 'app'", "int8", -1),
            Column("channel", "channel", "text"),
            Column("upper", "upper(channel) || event", "text"),
        )
        by_offset = {row.offset: row for row in rows}
        seen = 0
        for bucket in runner.buckets(Projection("person", columns)):
            dtypes = {name: array.dtype.name for name, array in bucket.columns.items()}
            assert dtypes == {
                "offset": "int64", "time": "int64", "amount": "int64", "double": "float64",
                "paid": "bool", "mask": "uint8", "both": "int8", "channel": "int32",
                "upper": "int32",
            }  # fmt: skip
            for values in zip(*(bucket.columns[c.name].tolist() for c in columns), strict=True):
                row = by_offset[values[0]]
                amount, channel = row.values["amount_fen"], row.values["channel"]
                texts = [
                    None if code < 0 else bucket.texts[name][code]
                    for name, code in zip(("channel", "upper"), values[7:], strict=True)
                ]
                is_app = None if channel is None else channel == "app"
                both = False if row.event != "paid" else is_app
                assert values[1:7] == (
                    row.time_us,
                    -99 if amount is None else amount,
                    0.5 if amount is None else amount / 2,
                    row.event == "paid",
                    1 if row.event == "seen" else 6,
                    -1 if both is None else int(both),
                )
                upper = None if channel is None else channel.upper() + row.event
                assert texts == [channel, upper]
                seen += 1
        assert seen == len(rows)

    def test_a_fold_is_the_same_however_buckets_are_shared_out(self, tmp_path: Path) -> None:
        """`fold` gives what folding the buckets one after the other gives."""
        rows = happenings(500, seed=8)
        runner = self.open_runner(self._mixed(tmp_path, rows))
        counted = runner.fold(Projection("person", (OFFSET,)), CountRows())
        assert counted == (len(timelines(rows, own_key)), len(rows))

    def test_joined_subjects_are_one(self, tmp_path: Path) -> None:
        """Rows written under different keys of one subject of today are one timeline."""
        rows = happenings(500, seed=9)
        keys = [hash128(f"customer_no:{number}") for number in range(25)]
        remap = {keys[3]: keys[1], keys[2]: keys[1], keys[8]: hash128("customer_no:new")}
        expected = timelines(rows, lambda row: remap.get(own_key(row), own_key(row)))
        lake = self._mixed(tmp_path, rows)
        assert self._offsets(self.open_runner(lake, Identity(remap))) == expected
        lake.compact()
        assert self._offsets(self.open_runner(lake, Identity(remap))) == expected

    def test_device_rows_go_to_who_had_the_device(self, tmp_path: Path) -> None:
        """A device's row belongs to the claimed person whom the table names, else to who had the
        device at its time, else to nobody; the person's own rows are in the same timeline."""
        persons = happenings(150, seed=10)
        claims = [None, "customer_no:1", "customer_no:2", "customer_no:24"]
        devices = [
            row._replace(claim=claims[row.offset % 4])
            for row in happenings(350, seed=11, start=150, role="device")
        ]
        lake = self._mixed(tmp_path, [*persons, *devices])
        one, two, three = (hash128(f"customer_no:{number}") for number in (1, 2, 3))
        middle = NOW_US - 60 * DAY_US
        far = 2**62
        intervals = [
            ("device:0", None, -far, middle, one),
            ("device:0", None, middle, far, two),
            ("device:0", one, -far, far, one),
            ("device:1", None, middle, far, three),
            ("device:2", two, -far, far, two),
        ]
        remap = {three: hash128("customer_no:9")}
        owners = _owners(intervals)

        def key_of(row: Happening) -> bytes | None:
            key = own_key(row) if row.role == "person" else _owner(row, intervals)
            return None if key is None else remap.get(key, key)

        runner = self.open_runner(lake, Identity(remap, owners))
        assert self._offsets(runner) == timelines([*persons, *devices], key_of)
        where = "event = 'paid'"
        paid = [row for row in (*persons, *devices) if row.event == "paid"]
        asked = {"where": where, "start_us": middle}
        late = [row for row in paid if row.time_us >= middle]
        assert self._offsets(runner, **asked) == timelines(late, key_of)
        assert self._offsets(runner, kind="device") == timelines(devices, own_key)

    def test_what_cannot_be_computed_is_refused(self, tmp_path: Path) -> None:
        """Unknown columns, SQL that is none and unknown dtypes are errors that name the column."""
        lake = self.open_lake(tmp_path)
        self._bulk(lake, happenings(10, seed=12))
        runner = self.open_runner(lake)
        for column, named in (
            (Column("x", "no_such_column + 1", "int64"), "no_such_column"),
            (Column("x", "1 +", "int64"), "'x'"),
            (Column("x", "offset", "decimal"), "decimal"),
        ):
            said = ""
            try:
                list(runner.buckets(Projection("person", (column,))))
            except BadInput as error:
                said = str(error)
            assert named in said


def _owners(intervals: Sequence[tuple[str, bytes | None, int, int, bytes]]) -> pa.Table:
    devices, claims, begins, ends, persons = zip(*intervals, strict=True)
    return pa.table(
        {
            "device": pa.array([hash128(device) for device in devices], pa.binary()),
            "claim": pa.array(claims, pa.binary()),
            "from_us": np.array(begins, np.int64),
            "to_us": np.array(ends, np.int64),
            "person": pa.array(persons, pa.binary()),
        }
    )


def _owner(
    row: Happening, intervals: Sequence[tuple[str, bytes | None, int, int, bytes]]
) -> bytes | None:
    claim = None if row.claim is None else hash128(row.claim)
    mine: Mapping[bytes | None, bytes] = {
        claimed: person
        for device, claimed, begin, end, person in intervals
        if device == row.id and begin <= row.time_us < end
    }
    return mine.get(claim, mine.get(None))
