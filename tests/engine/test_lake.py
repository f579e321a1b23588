"""The embedded lake: the suite of its port, and what is its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dipper.engine.conformance.lake import NOW_US, Happening, LakeSuite, stored, table
from dipper.engine.embedded import lake_table
from dipper.engine.embedded.lake import EmbeddedLake
from dipper.engine.embedded.lake_file import columns_of
from dipper.engine.ports import Lake
from dipper.kit.clock import DAY_US
from dipper.kit.errors import BadInput, Conflict, Unavailable

PROPERTIES = {"amount_fen": "int"}
BUCKETS = {"person": 8, "organisation": 2, "device": 4}


def open_lake(folder: Path, **arguments: Any) -> EmbeddedLake:
    given = {"properties": PROPERTIES, "buckets": BUCKETS, "personal": ["amount_fen"]} | arguments
    return EmbeddedLake(folder, clock=lambda: NOW_US, **given)


def texts_of(path: Path) -> set[str]:
    """Every text of a Parquet file, those of its dictionaries that no row uses too."""
    names = [field.name for field in pq.read_schema(path) if pa.types.is_string(field.type)]
    read = pq.ParquetFile(path, read_dictionary=names).read()
    found: set[str] = set()
    for column in read.columns:
        for chunk in column.chunks:
            values = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
            found |= {str(value) for value in values.to_pylist()}
    return found


class TestEmbeddedLake(LakeSuite):
    """The embedded lake does what every lake does."""

    def open_lake(self, folder: Path) -> Lake:
        return open_lake(folder)

    def between(self, lake: Any, act: Callable[[], object]) -> None:
        write = lake._table.write
        acts = [act]

        def write_after(*arguments: Any) -> Any:
            if acts:
                acts.pop()()
            return write(*arguments)

        lake._table.write = write_after

    def assert_nowhere(self, folder: Path, text: str) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                assert text.encode() not in path.read_bytes(), path
                if path.suffix == ".parquet":
                    assert not any(text in found for found in texts_of(path)), path


def rows_of(lake: EmbeddedLake, *happenings: Happening) -> pa.Table:
    return table(lake.schema, happenings)


def test_buckets_are_fixed_when_a_lake_is_made(tmp_path: Path) -> None:
    """Another number of buckets given later is not taken: rows lie where they lie."""
    open_lake(tmp_path)
    assert open_lake(tmp_path, buckets={"person": 64}).buckets == BUCKETS


def test_a_kind_needs_a_bucket(tmp_path: Path) -> None:
    """No bucket, or hundreds, is refused with the kind's name."""
    with pytest.raises(BadInput, match="'person' must have 1 to 256 buckets, got 0"):
        open_lake(tmp_path, buckets={"person": 0})


def test_a_lake_of_another_layout_is_not_opened(tmp_path: Path) -> None:
    """A layout version that this release does not know is an error, never a guess."""
    open_lake(tmp_path)
    (tmp_path / "_layout.json").write_text('{"version": 99, "buckets": {}}')
    with pytest.raises(Conflict, match="layout version 99"):
        open_lake(tmp_path)


def test_rows_without_their_position_are_refused(tmp_path: Path) -> None:
    """Rows of a log partition whose position is not given could be added twice."""
    lake = open_lake(tmp_path)
    with pytest.raises(BadInput, match="log partition 0 come without its position"):
        lake.append(rows_of(lake, Happening(0, "customer_no:1", NOW_US)), {1: 1})


def test_unknown_columns_are_refused(tmp_path: Path) -> None:
    """A column that was never declared is not dropped silently."""
    lake = open_lake(tmp_path)
    rows = rows_of(lake, Happening(0, "customer_no:1", NOW_US))
    rows = rows.append_column("colour", pa.array(["red"]))
    with pytest.raises(BadInput, match="no column colour"):
        lake.append(rows, {0: 1})


def test_a_property_declared_later_is_a_column_of_old_rows_after_compaction(
    tmp_path: Path,
) -> None:
    """What was undeclared moves from `extra` into its column; what has another type stays."""
    lake = open_lake(tmp_path)
    person = "customer_no:1"
    lake.append(
        rows_of(
            lake,
            Happening(0, person, NOW_US, values={"extra": '{"age":41,"city":"x"}'}),
            Happening(1, person, NOW_US, values={"extra": '{"age":"old"}'}),
        ),
        {0: 2},
    )
    lake.declare({**PROPERTIES, "age": "int"})
    lake.append(rows_of(lake, Happening(2, person, NOW_US, values={"age": 7})), {0: 3})
    lake.compact()
    assert sorted(stored(lake.snapshot(), ["offset", "age", "extra"])) == [
        (0, 41, '{"city":"x"}'),
        (1, None, '{"age":"old"}'),
        (2, 7, None),
    ]
    assert {columns_of(file.path) for file in lake.snapshot().files} == {len(lake.schema)}


def test_rows_made_before_a_declaration_are_taken_after_it(tmp_path: Path) -> None:
    """A writer that has not heard of a new property yet loses nothing."""
    lake = open_lake(tmp_path)
    rows = rows_of(lake, Happening(0, "customer_no:1", NOW_US, values={"extra": '{"age":41}'}))
    open_lake(tmp_path).declare({**PROPERTIES, "age": "int"})
    lake.append(rows, {0: 1})
    assert stored(lake.snapshot(), ["age", "extra"]) == [(41, None)]


def test_bulk_larger_than_memory_equals_bulk_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that go through spill files lie where they would lie without, and no spill stays."""
    happenings = [
        Happening(n, f"customer_no:{n % 17}", NOW_US - (n % 40) * DAY_US) for n in range(500)
    ]
    whole = open_lake(tmp_path / "whole")
    whole.append_sorted(rows_of(whole, *happenings), {0: 500})
    parts = open_lake(tmp_path / "parts")
    tables = (rows_of(parts, *happenings[n : n + 90]) for n in range(0, 500, 90))
    parts.append_sorted(tables, {0: 500})

    def layout(lake: EmbeddedLake) -> dict[Any, Any]:
        return {
            (file.kind, file.month, file.bucket): pq.read_table(file.path).to_pydict()
            for file in lake.snapshot().files
        }

    assert layout(parts) == layout(whole)
    assert not any((tmp_path / "parts" / "_spill").iterdir())


def test_two_writers_of_one_position_add_it_once(tmp_path: Path) -> None:
    """Of two processes that append the same records at once, one adds them."""
    one, two = open_lake(tmp_path), open_lake(tmp_path)
    rows = rows_of(one, *(Happening(n, "customer_no:1", NOW_US) for n in range(5)))
    commit = one._table.commit

    def commit_second(*arguments: Any, **named: Any) -> int:
        one._table.commit = commit
        two.append(rows, {0: 5})
        return commit(*arguments, **named)

    one._table.commit = commit_second  # type: ignore[method-assign]
    one.append(rows, {0: 5})
    assert len(stored(one.snapshot(), ["offset"])) == 5
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_a_declaration_between_does_not_lose_an_append(tmp_path: Path) -> None:
    """A column added while rows are being written makes the writer try again, once."""
    one, two = open_lake(tmp_path), open_lake(tmp_path)
    rows = rows_of(one, Happening(0, "customer_no:1", NOW_US))
    commit = one._table.commit

    def commit_second(*arguments: Any, **named: Any) -> int:
        one._table.commit = commit
        two.declare({**PROPERTIES, "age": "int"})
        return commit(*arguments, **named)

    one._table.commit = commit_second  # type: ignore[method-assign]
    one.append(rows, {0: 1})
    assert stored(one.snapshot(), ["offset"]) == [(0,)]


def test_only_one_process_rewrites(tmp_path: Path) -> None:
    """While one compacts or erases, another is told to come again."""
    lake, other = open_lake(tmp_path), open_lake(tmp_path)
    with lake._table.rewriting():
        for act in (other.compact, lambda: other.erase(["customer_no:1"])):
            with pytest.raises(Unavailable, match="compacted or erased"):
                act()


def test_removed_files_stay_a_while_for_readers(tmp_path: Path) -> None:
    """A compaction leaves what an earlier snapshot reads, until its readers have had their time."""
    now = [NOW_US]
    lake = EmbeddedLake(tmp_path, PROPERTIES, BUCKETS, clock=lambda: now[0])
    lake.append(rows_of(lake, Happening(0, "customer_no:1", NOW_US)), {0: 1})
    before = lake.snapshot()
    lake.compact()
    assert stored(before, ["offset"]) == [(0,)]
    now[0] += (lake_table.KEEP_REMOVED_S + 1) * 1_000_000
    lake.compact()
    assert not any(os.path.exists(file.path) for file in before.files)
    assert stored(lake.snapshot(), ["offset"]) == [(0,)]


def test_a_file_that_is_being_written_is_never_swept(tmp_path: Path) -> None:
    """A compaction's clearing-up waits while a bulk import writes files that no version knows."""
    lake, other = open_lake(tmp_path), open_lake(tmp_path)
    with other._table.writing():
        written = other._table.write(
            rows_of(other, Happening(0, "customer_no:1", NOW_US)),
            {"kind": "person", "month": None, "bucket": "-1"},
        )
        os.utime(tmp_path / written.path, (0, 0))
        lake.compact()
        assert (tmp_path / written.path).exists()
    lake.compact()
    assert not (tmp_path / written.path).exists()


@pytest.mark.parametrize("left", [b"", b'{"commitInfo":{"timest'])
def test_a_torn_last_commit_is_dropped(tmp_path: Path, left: bytes) -> None:
    """After a power cut the last commit may be unfinished: the lake opens at the one before, and
    the log's records come again."""
    lake = open_lake(tmp_path)
    lake.append(rows_of(lake, Happening(0, "customer_no:1", NOW_US)), {0: 1})
    lake.append(rows_of(lake, Happening(1, "customer_no:1", NOW_US)), {0: 2})
    (tmp_path / "_delta_log" / f"{lake.snapshot().version:020d}.json").write_bytes(left)
    again = open_lake(tmp_path)
    assert again.positions() == {0: 1}
    again.append(rows_of(again, Happening(1, "customer_no:1", NOW_US)), {0: 2})
    assert sorted(stored(again.snapshot(), ["offset"])) == [(0,), (1,)]


def test_the_log_of_the_table_names_nobody(tmp_path: Path) -> None:
    """Added files are described by path, partition, number of rows and the span of their times,
    so that no id can stay in the Delta log."""
    lake = open_lake(tmp_path)
    lake.append(rows_of(lake, Happening(0, "customer_no:1", 5)), {0: 1})
    lines = (tmp_path / "_delta_log" / f"{1:020d}.json").read_text().splitlines()
    (stats,) = [json.loads(json.loads(line)["add"]["stats"]) for line in lines if '"add"' in line]
    moment = {"time": "1970-01-01T00:00:00.000005Z"}
    assert stats == {
        "numRecords": 1,
        "minValues": moment,
        "maxValues": moment,
        "nullCount": {"time": 0},
    }


def test_the_log_of_the_table_stays_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every so many commits become one checkpoint, from which the lake opens."""
    monkeypatch.setattr(lake_table, "CHECKPOINT_COMMITS", 5)
    lake = open_lake(tmp_path)
    for offset in range(12):
        lake.append(rows_of(lake, Happening(offset, "customer_no:1", NOW_US)), {0: offset + 1})
    assert list((tmp_path / "_delta_log").glob("*.checkpoint.parquet"))
    assert len(stored(open_lake(tmp_path).snapshot(), ["offset"])) == 12
    torn = max((tmp_path / "_delta_log").glob("*.checkpoint.parquet"))
    torn.write_bytes(b"PAR1")
    again = open_lake(tmp_path)
    assert again.positions() == {0: 12}
